"""Starved ids (MSNet, 2403.06747): ids of limited stock are shown too seldom to learn, but stand in histories."""

from __future__ import annotations

import numpy as np

from recommend.metrics.jackknife import Estimate
from recommend.phenomena.log import GROUP, Log, Missing, estimate


def measure(log: Log) -> Estimate:
    """How often a clicked limited thing was shown, over a clicked other one; geometric means. 1: nothing is starved."""
    log.need("impression", "item_id", "single", "click")
    sums = log.sums(
        f"SELECT {GROUP}, sum(ln(many)) FILTER (single) AS a, count(*) FILTER (single) AS na, "
        "sum(ln(many)) FILTER (NOT single) AS b, count(*) FILTER (NOT single) AS nb FROM (SELECT user_id, click, "
        "CAST(single AS BOOLEAN) AS single, count(*) OVER (PARTITION BY item_id) AS many "
        "FROM impression WHERE item_id >= 0) WHERE click GROUP BY g"
    )
    if not sums[:, 1].sum() or not sums[:, 3].sum():
        raise Missing("all clicked things are of one stock type")
    return estimate(sums, lambda s: float(np.exp(s[0] / s[1] - s[2] / s[3])), "too few clicks")
