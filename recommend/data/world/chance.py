"""Seeded random streams, one a mechanism, so that turning one knob does not reshuffle another mechanism's draws."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from recommend.data.world.config import Quantiles

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def stream(seed: int, name: str) -> np.random.Generator:
    """The generator of one mechanism; equal for equal seed and name."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def normal(rng: np.random.Generator, *shape: int) -> Floats:
    """Standard normal draws as float32."""
    return rng.standard_normal(shape, dtype=np.float32)


def sigmoid(x: Floats) -> Floats:
    """Logistic function."""
    return (1 / (1 + np.exp(-x))).astype(np.float32)


def logit(rate: float) -> float:
    """Log-odds of a rate."""
    return float(np.log(rate / (1 - rate)))


def from_quantiles(table: Quantiles, u: NDArray[np.floating]) -> NDArray[np.float64]:
    """Inverse distribution function at ``u`` (0..1): log-linear between the table's points, in the table's unit."""
    shares, values = zip(*table, strict=True)
    return np.exp(np.interp(u, shares, np.log(values)))


def blend(rng: np.random.Generator, base: Floats, correlation: float) -> Floats:
    """A vector that correlates with ``base`` (unit variance in, unit variance out)."""
    fresh = rng.standard_normal(base.shape, dtype=np.float32)
    return (correlation * base + np.sqrt(1 - correlation**2) * fresh).astype(np.float32)
