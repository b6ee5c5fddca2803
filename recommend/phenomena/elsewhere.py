"""Clicks on one side of a log as a sign of clicks on another: shared by MKT (entities) and KEEP (channels)."""

from __future__ import annotations

from recommend.metrics.jackknife import Estimate
from recommend.phenomena.log import GROUP, Log, Missing, estimate

MIN_ROWS = 500  # rows of a side


def lift(log: Log, side: str, only: str = "true") -> Estimate:
    """The factor by which a click on the smallest side is likelier after a click on that category on another side.

    Only rows whose category the user has not clicked on the small side itself. Compared within users, each category's
    own rate taken off, and as a share of the click rate; 0: the other sides say nothing.

    Args:
        side: the column that parts the log.
        only: an expression; other rows do not count.
    """
    log.need("impression", "user_id", "time_ms", "category", "click", side)
    many = log.arrays(f"SELECT {side} AS side, count(*) AS n FROM impression WHERE {only} GROUP BY 1 ORDER BY n, side")
    sides = [int(s) for s, n in zip(many["side"], many["n"], strict=True) if n >= MIN_ROWS]
    if len(sides) < 2:
        raise Missing(f"one {side} only")
    small = sides[0]
    sums = log.sums(
        f"WITH first AS (SELECT user_id, category, min(time_ms) FILTER ({side} = {small}) AS own, "
        f"min(time_ms) FILTER ({side} <> {small}) AS other FROM impression WHERE click AND {only} GROUP BY ALL), "
        "r AS (SELECT i.user_id, CAST(click AS DOUBLE) AS click, "
        "CAST(click AS DOUBLE) - avg(CAST(click AS DOUBLE)) OVER (PARTITION BY i.category) AS y, "
        "CAST(coalesce(first.other < time_ms, false) AS DOUBLE) AS x, "
        "coalesce(first.own < time_ms, false) AS known FROM impression i LEFT JOIN first USING (user_id, category) "
        f"WHERE {side} = {small} AND {only}), "
        "w AS (SELECT user_id, y, click, x - avg(x) OVER (PARTITION BY user_id) AS x FROM r WHERE NOT known) "
        f"SELECT {GROUP}, sum(x * y) AS xy, sum(x * x) AS xx, sum(click) AS clicks, count(*) AS n FROM w GROUP BY g"
    )
    return estimate(sums, lambda s: s[0] / s[1] / (s[2] / s[3]), f"too few clicks of the smallest {side}")
