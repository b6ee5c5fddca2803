"""Seeded random streams, one a mechanism, so that turning one knob does not reshuffle another mechanism's draws."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommend.simulation.config import Quantiles

Floats = NDArray[np.floating[Any]]  # float32 wherever there is one a row
Ints = NDArray[np.integer[Any]]
Times = NDArray[np.int64]
Mask = NDArray[np.bool_]


def stream(seed: int, name: str) -> np.random.Generator:
    """The generator of one mechanism; equal for equal seed and name."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def normal(rng: np.random.Generator, *shape: int) -> Floats:
    """Standard normal draws as float32."""
    return rng.standard_normal(shape, dtype=np.float32)


def uniform(rng: np.random.Generator, *shape: int) -> Floats:
    """Draws from [0, 1) as float32."""
    return rng.random(shape, dtype=np.float32)


def gumbel(rng: np.random.Generator, *shape: int) -> Floats:
    """Standard Gumbel draws as float32: added to log-weights, their order is a Plackett-Luce draw."""
    return -np.log(rng.standard_exponential(shape, dtype=np.float32) + np.float32(1e-12))


def sigmoid(x: Floats) -> Floats:
    """Logistic function."""
    return (1 / (1 + np.exp(-x))).astype(np.float32)


def from_quantiles(table: Quantiles, u: Floats) -> NDArray[np.float64]:
    """Inverse distribution function at ``u`` (0..1): log-linear between the table's points, in the table's unit."""
    shares, values = zip(*table, strict=True)
    return np.exp(np.interp(u, shares, np.log(values)))


def shared(rng: np.random.Generator, base: Floats, fresh: Floats, share: float) -> tuple[Floats, Mask]:
    """Entries of ``base`` with probability ``share``, else of ``fresh``, and where they are base's; doses nest."""
    from_base = uniform(rng, *base.shape) < share
    return np.where(from_base, base, fresh), from_base


def zipf(n: int, exponent: float) -> NDArray[np.float64]:
    """Weights of ranks 1..n."""
    return np.arange(1, n + 1, dtype=np.float64) ** -exponent
