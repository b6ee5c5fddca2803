"""What a pre-ranker cannot order (COPR, 2306.03516): its first ones by expected revenue are not those of the ranker."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from recommend.data.oracle import open_oracle
from recommend.data.schema import table_files
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


def headroom(root: Path) -> float:
    """Share of the true expected revenue of the ranker's first 10 of all that is lost when it sees the pre-ranker's
    first 20 alone."""
    columns = ["request_id", "bid", "rank_score", "pre_score"]
    achieved = everything = 0.0
    for file in table_files(root / "log", "candidate"):
        table = pq.read_table(file, columns=columns)
        r = {name: table[name].to_numpy() for name in columns}
        day = int(file.parent.name.removeprefix("day="))
        worth = open_oracle(root, f"candidate/day={day:03d}")["p_click_without_page"] * r["bid"]
        for at in np.split(np.arange(len(worth)), np.flatnonzero(np.diff(r["request_id"])) + 1):
            rank, pre = (r[name][at] * r["bid"][at] for name in ("rank_score", "pre_score"))
            passed = np.argsort(-pre)[:PASSED]
            everything += float(worth[at][np.argsort(-rank)[:FIRST]].sum())
            achieved += float(worth[at][passed[np.argsort(-rank[passed])[:FIRST]]].sum())
    return 1 - achieved / everything
