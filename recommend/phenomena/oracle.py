"""What only the truth of a simulated world tells: the headroom of each phenomenon."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from recommend.data.oracle import open_oracle
from recommend.data.schema import table_files
from recommend.metrics.ranks import auc as expected_auc
from recommend.phenomena.log import Floats

NAMES = "impression/day={:03d}"


def rows(root: Path, columns: Sequence[str], truth: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Columns of a world's impressions beside those of the truth, in the same order."""
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in (*columns, *truth)}
    for file in table_files(root / "log", "impression"):
        table = pq.read_table(file, columns=list(columns))
        oracle = open_oracle(root, NAMES.format(int(file.parent.name.removeprefix("day="))))
        for name in columns:
            parts[name].append(table[name].to_numpy())
        for name in truth:
            parts[name].append(oracle[name])
    return {name: np.concatenate(values) for name, values in parts.items()}


def shared_taste_loss(root: Path, channel: str, code: int) -> float:
    """Expected AUC, within rows of a channel or entity, that is lost without the tastes that others show as well."""
    r = rows(root, (channel,), ("p_click", "p_click_shared_taste", "p_click_without_taste"))
    at = r[channel] == code
    p = r["p_click"][at]
    return expected_auc(p, r["p_click_shared_taste"][at]) - expected_auc(p, r["p_click_without_taste"][at])


def divergence(p: NDArray[Any], q: NDArray[Any]) -> float:
    """Mean Kullback-Leibler divergence of Bernoulli probabilities q from the true p, in millinats."""
    p, q = (np.clip(x.astype(np.float64), 1e-9, 1 - 1e-9) for x in (p, q))
    return float(1000 * (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).mean())


def shifted(p: NDArray[Any], mean: float) -> Floats:
    """Probabilities whose log-odds are moved by one number, so that they have that mean."""
    odds, low, high = np.log(p / (1 - p)).astype(np.float64), -20.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if (1 / (1 + np.exp(-odds - middle))).mean() < mean else (low, middle)
    return 1 / (1 + np.exp(-odds - low))
