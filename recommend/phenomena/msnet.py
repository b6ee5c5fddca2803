"""Starved ids (MSNet, 2403.06747): ids of limited stock are shown too seldom to learn, but stand in histories."""

from __future__ import annotations

import numpy as np

from recommend.metrics.jackknife import Estimate
from recommend.phenomena.log import GROUPS, Floats, Log, Missing, estimate

OF_ITEM = f"CAST(hash(item_id) % {GROUPS} AS INTEGER) AS g"


def measure(log: Log) -> Estimate:
    """Probability that a clicked limited thing was shown less often than a clicked other one, ties half (Mann-Whitney).

    0.5: stock says nothing about how well an id is learned; 1: every limited id is rarer. How rare, ``one_epoch`` says.
    The interval is over groups of things, since these are what the number could have had others of.
    """
    log.need("impression", "item_id", "single", "click")
    items = log.arrays(
        f"SELECT {OF_ITEM}, many, count(*) FILTER (single) AS a, count(*) FILTER (NOT single) AS b FROM "
        "(SELECT item_id, click, CAST(single AS BOOLEAN) AS single, count(*) OVER (PARTITION BY item_id) AS many "
        "FROM impression WHERE item_id >= 0) WHERE click GROUP BY ALL"
    )
    if not items["a"].sum() or not items["b"].sum():
        raise Missing("all clicked things are of one stock type")
    many, place = np.unique(items["many"], return_inverse=True)
    sums = np.zeros((GROUPS, len(many), 2))
    np.add.at(sums, (items["g"], place), np.stack([items["a"], items["b"]], 1))
    return estimate(sums, rarer, "too few clicks")


def rarer(sums: Floats) -> float:
    """Share of (counts, 2) sums: limited and other clicks by how often the thing was shown, ascending."""
    limited, other = sums.T
    above = other.sum() - np.cumsum(other) + other / 2
    return float((limited * above).sum() / (limited.sum() * other.sum()))
