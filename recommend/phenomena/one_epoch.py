"""Rare ids (one-epoch study, 2209.06053): where most targets are seldom seen, a second pass over the data overfits."""

from __future__ import annotations

from recommend.metrics.jackknife import Estimate
from recommend.phenomena.log import GROUP, Log, estimate

RARE = 10  # rows of a log with fewer targets than that are rare


def measure(log: Log) -> Estimate:
    """Share of the rows whose item stands in fewer than 10 rows."""
    log.need("impression", "user_id", "item_id")
    sums = log.sums(
        f"SELECT {GROUP}, count(*) FILTER (many < {RARE}) AS rare, count(*) AS n FROM "
        "(SELECT user_id, count(*) OVER (PARTITION BY item_id) AS many FROM impression WHERE item_id >= 0) GROUP BY g"
    )
    return estimate(sums, lambda s: s[0] / s[1], "no rows with an item")
