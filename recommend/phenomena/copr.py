"""Things that suit others by the pre-ranker than by the ranker (COPR, 2306.03516): an order that one cannot tell."""

from __future__ import annotations

from recommend.metrics.jackknife import Estimate
from recommend.phenomena.log import GROUP, Log, estimate

MANY = 40  # candidates of a request: of fewer nobody needs a pre-ranker


def measure(log: Log) -> Estimate:
    """Mean over requests of the standard deviation of the ranker's log-odds about the line through the pre-ranker's,
    both less their thing's mean; 0: what suits whom, and not only what is liked, is in the pre-ranker's order.

    Of requests with more than 40 candidates that have a bid, and of things that are candidates of two or more.
    """
    log.need("candidate", "request_id", "user_id", "item_id", "rank_score", "pre_score", "bid")
    odds = "ln(greatest({0}, 1e-6) / greatest(1 - {0}, 1e-6))"
    less = "{0} - avg({0}) OVER (PARTITION BY request_id) AS {0}"
    # A thing's mean over m rows takes 1/m of their variance with it.
    own = "({0} - avg({0}) OVER t) * sqrt(count(*) OVER t / (count(*) OVER t - 1)) AS {0}"
    sums = log.sums(
        f"WITH c AS (SELECT *, {odds.format('rank_score')} AS x, {odds.format('pre_score')} AS y FROM candidate "
        f"WHERE bid > 0 QUALIFY count(*) OVER (PARTITION BY request_id) > {MANY}), "
        f"d AS (SELECT user_id, request_id, item_id, {less.format('x')}, {less.format('y')} FROM c), "
        f"e AS (SELECT user_id, request_id, {own.format('x')}, {own.format('y')} FROM d "
        "WINDOW t AS (PARTITION BY item_id) QUALIFY count(*) OVER t > 1), "
        "f AS (SELECT user_id, var_pop(x) * greatest(1 - coalesce(regr_r2(x, y), 0), 0) AS v FROM e "
        f"GROUP BY request_id, user_id) SELECT {GROUP}, sum(sqrt(v)) AS sd, count(*) AS n FROM f GROUP BY g"
    )
    few = f"no things that are candidates of two requests with more than {MANY} that have a bid"
    return estimate(sums, lambda s: s[0] / s[1], few)
