"""What a pre-ranker cannot see (COPR, 2306.03516): the auction's order is not that of the ranking score."""

from __future__ import annotations

from recommend.metrics.jackknife import Estimate
from recommend.phenomena.log import GROUP, Log, estimate

FIRST = 10


def measure(log: Log) -> Estimate:
    """Share of each request's first 10 by score times bid that are not among its first 10 by score; 0: bids change
    nothing. Requests with more than 20 candidates that have a bid."""
    log.need("candidate", "request_id", "user_id", "rank_score", "bid")
    sums = log.sums(
        "WITH c AS (SELECT *, count(*) OVER (PARTITION BY request_id) AS n, row_number() OVER (PARTITION BY request_id "
        "ORDER BY rank_score * bid DESC, item_id) AS a, row_number() OVER (PARTITION BY request_id ORDER BY rank_score "
        f"DESC, item_id) AS b FROM candidate WHERE bid > 0) SELECT {GROUP}, "
        f"count(*) FILTER (b > {FIRST}) AS lost, count(*) AS n FROM c WHERE n > {2 * FIRST} AND a <= {FIRST} GROUP BY g"
    )
    return estimate(sums, lambda s: s[0] / s[1], "no requests with more than 20 candidates that have a bid")
