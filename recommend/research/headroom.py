"""The headroom of each phenomenon: the best possible model's lead over one without the phenomenon, which (COPR apart)
only the truth of a simulated world tells. A function a phenomenon, by the name of its file in
``recommend/phenomena/``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from recommend.data.oracle import open_oracle
from recommend.data.schema import CHANNELS, ENTITIES, table_files
from recommend.metrics.ranks import auc as expected_auc
from recommend.metrics.ranks import gauc as expected_gauc
from recommend.phenomena.log import Floats
from recommend.phenomena.rec4ad import UNIFORM

FIRST, PASSED = 10, 20  # of candidates (COPR)
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


def msnet(root: Path) -> float:
    """Expected AUC among limited things that a model loses which knows nothing of rare ids but their other fields, less
    the same among other things."""
    r = rows(root, ("item_id", "single"), ("p_click", "p_click_without_page", "p_click_without_id"))
    loss = []
    for flag in (True, False):
        at = (r["item_id"] >= 0) & (r["single"] == flag)
        p, best, without = (r[n][at] for n in ("p_click", "p_click_without_page", "p_click_without_id"))
        loss.append(expected_auc(p, best) - expected_auc(p, without))
    return loss[0] - loss[1]


def mkt(root: Path) -> float:
    """Expected AUC among posts that is lost without the tastes that clicks on things show as well."""
    return shared_taste_loss(root, "entity", ENTITIES.index("post"))


def keep(root: Path) -> float:
    """Expected AUC among ads that is lost without the tastes that clicks in the other channels show as well."""
    return shared_taste_loss(root, "channel", CHANNELS.index("ads"))


def clid(root: Path) -> float:
    """Expected GAUC within pages that one loses who does not know the rest of the page: the teacher's lead."""
    names = ("p_click", "p_click_with_page", "p_click_without_page")
    r = rows(root, ("request_id", "is_ad"), names)
    at = ~r["is_ad"]
    p, teacher, student = (r[n][at] for n in names)
    return expected_gauc(p, teacher, r["request_id"][at]) - expected_gauc(p, student, r["request_id"][at])


def one_epoch(root: Path) -> float:
    """Millinats a row that a rate of its own for each thing loses on new rows when it is fitted to the end: half of a
    parameter's worth each (Akaike, 1974). What a second pass goes for; the truth adds nothing to it."""
    item = rows(root, ("item_id",), ())["item_id"]
    item = item[item >= 0]
    return float(500 * len(np.unique(item)) / len(item))


def ecad(root: Path) -> float:
    """Millinats a click that are lost by one refund rate for all orders."""
    r = rows(root, ("click",), ("p_order", "p_refund"))
    order, refund = (r[n][r["click"]].astype(np.float64) for n in ("p_order", "p_refund"))
    mean = (order * refund).sum() / order.sum()
    return divergence(order * (1 - refund), order * (1 - mean))


def hdr(root: Path) -> float:
    """Millinats a click on promotion days that are lost by ordinary days' probabilities moved by one number."""
    r = rows(root, ("click", "promotion"), ("p_order", "p_order_without_promotion"))
    at = r["click"] & (r["promotion"] > 0) & (r["p_order"] > 0)
    now, plain = r["p_order"][at].astype(np.float64), r["p_order_without_promotion"][at].astype(np.float64)
    return divergence(now, shifted(plain, float(now.mean())))


def copr(root: Path) -> float:
    """Share of the ranker's first 10 by revenue that are not among the pre-ranker's first 20: 1 - HR@(10, 20)."""
    columns = ["request_id", "bid", "rank_score", "pre_score"]
    lost: list[float] = []
    for file in table_files(root / "log", "candidate"):
        table = pq.read_table(file, columns=columns)
        r = {name: table[name].to_numpy() for name in columns}
        for at in np.split(np.arange(len(r["bid"])), np.flatnonzero(np.diff(r["request_id"])) + 1):
            rank, pre = (r[name][at] * r["bid"][at] for name in ("rank_score", "pre_score"))
            lost.append(float(np.isin(np.argsort(-rank)[:FIRST], np.argsort(-pre)[:PASSED], invert=True).mean()))
    return float(np.mean(lost))


def rec4ad(root: Path) -> float:
    """Expected AUC on random rows that one loses who takes for a category's rate what selected rows show: the mean of
    what the policy knew and no log holds."""
    r = rows(root, ("policy", "is_ad", "category"), ("p_click_without_page", "intent"))
    chosen, random = (r["is_ad"] & ((r["policy"] == UNIFORM) == flag) for flag in (False, True))
    size = int(r["category"].max()) + 1
    total, many = (np.bincount(r["category"][chosen], w, size) for w in (r["intent"][chosen], None))
    mean = total / np.maximum(many, 1)
    p, category = r["p_click_without_page"][random].astype(np.float64), r["category"][random]
    return expected_auc(p, p) - expected_auc(p, np.log(p / (1 - p)) + mean[category])
