"""Candidates in a pre-ranker's order (COPR, 2306.03516): its first ones by revenue are not those of the ranker."""

from __future__ import annotations

from recommend.metrics.jackknife import Estimate
from recommend.phenomena.log import GROUP, Log, estimate

FIRST, PASSED = 10, 20


def measure(log: Log) -> Estimate:
    """Share of each request's first 10 by ranking score times bid that are not among its first 20 by the pre-ranker's
    score times bid: 1 - HR@(10, 20). Requests with more than 40 candidates that have a bid."""
    log.need("candidate", "request_id", "user_id", "rank_score", "pre_score", "bid")
    order = "row_number() OVER (PARTITION BY request_id ORDER BY {} * bid DESC, item_id)"
    sums = log.sums(
        f"WITH c AS (SELECT *, count(*) OVER (PARTITION BY request_id) AS n, {order.format('rank_score')} AS a, "
        f"{order.format('pre_score')} AS b FROM candidate WHERE bid > 0) SELECT {GROUP}, "
        f"count(*) FILTER (b > {PASSED}) AS lost, count(*) AS n FROM c WHERE n > {2 * PASSED} AND a <= {FIRST} "
        "GROUP BY g"
    )
    return estimate(sums, lambda s: s[0] / s[1], f"no requests with more than {2 * PASSED} candidates that have a bid")
