"""Privileged signals that order a page (CLID, 2312.08727): known after the page was shown, and different within it."""

from __future__ import annotations

import numpy as np

from recommend.metrics.jackknife import Estimate
from recommend.metrics.ranks import auc_by_group
from recommend.phenomena.log import GROUP, GROUPS, Absent, Log, Missing, estimate

ROWS = 200_000


def measure(log: Log) -> Estimate:
    """GAUC within pages of a linear score of the privileged signals, fitted on half of the users and asked on the
    others; 0.5: they do not tell one row of a page from another."""
    log.need("impression", "user_id", "request_id", "privileged", "click")
    rows_of_log = log.arrays(
        f"SELECT request_id, {GROUP}, CAST(click AS INTEGER) AS y, privileged FROM (SELECT *, "
        "sum(CAST(click AS INTEGER)) OVER p AS c, count(*) OVER p AS n FROM impression WINDOW p AS "
        f"(PARTITION BY request_id)) WHERE c > 0 AND c < n ORDER BY hash(request_id), request_id LIMIT {ROWS}"
    )
    if not len(rows_of_log["y"]):
        raise Missing("no page with a click beside none")
    signals = np.stack(list(rows_of_log["privileged"])).astype(np.float64)
    if not signals.shape[1]:
        raise Absent("no privileged signals")
    _, page, many = np.unique(rows_of_log["request_id"], return_inverse=True, return_counts=True)
    mean = np.stack([np.bincount(page, weights=s) for s in signals.T], 1) / many[:, None]
    x, y = signals - mean[page], rows_of_log["y"] - (np.bincount(page, weights=rows_of_log["y"]) / many)[page]
    score, even = np.zeros(len(y)), rows_of_log["g"] % 2 == 0
    for learn in (even, ~even):
        score[~learn] = x[~learn] @ np.linalg.lstsq(x[learn], y[learn], rcond=None)[0]
    value, rows = auc_by_group(rows_of_log["y"], score, page)
    group = np.zeros(len(rows), dtype=np.int64)
    group[page] = rows_of_log["g"]
    parts = [np.bincount(group, weights=w, minlength=GROUPS) for w in (np.nan_to_num(value) * rows, rows)]
    return estimate(np.stack(parts, 1), lambda s: s[0] / s[1], "too few pages with a click")
