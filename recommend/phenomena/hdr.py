"""Promotions that lift some things more than others (HDR, 2305.12837): a shift that one number cannot mend."""

from __future__ import annotations

import numpy as np

from recommend.metrics.jackknife import Estimate
from recommend.phenomena.log import GROUP, Absent, Floats, Log, cells, estimate

CELLS, MIN_ORDERS = 300, 5  # the most frequent ones, of those with so many orders on either kind of day


def measure(log: Log) -> Estimate:
    """Standard deviation over categories (of each kind of promotion, where the log knows kinds) of the logarithm of the
    uplift of orders a click, beyond chance (DerSimonian and Laird's variance between studies); 0: one number for all.
    """
    log.need("impression", "user_id", "category", "promotion", "click", "order")
    kind = "promotion_kind" if "promotion_kind" in log.columns["impression"] else "CAST(promotion > 0 AS INTEGER) - 1"
    rows = log.arrays(
        f'SELECT {GROUP}, category, {kind} AS kind, count(*) AS n, sum(CAST("order" AS INTEGER)) AS y '
        "FROM impression WHERE click GROUP BY ALL"
    )
    plain = rows["kind"] < 0
    parts = []
    for k in np.unique(rows["kind"][~plain]):  # each kind's days beside the days without promotion
        on = rows["kind"] == k
        both = {name: values[on | plain] for name, values in rows.items()}
        for name, which in (("1", both["kind"] == k), ("0", both["kind"] < 0)):
            both["y" + name], both["n" + name] = both["y"] * which, both["n"] * which
        parts.append(cells(both, "category", ("y1", "n1", "y0", "n0"), CELLS))
    if not parts:
        raise Absent("no promotion")
    sums = np.concatenate(parts, 1)
    if not sums[..., 1].sum():
        raise Absent("no promotion")
    return estimate(sums, spread, "too few orders on promotion days")


def spread(sums: Floats) -> float:
    """Spread over (categories, 4) sums: orders and clicks on promotion days, and on others."""
    y1, n1, y0, n0 = sums[(sums[:, 0] >= MIN_ORDERS) & (sums[:, 2] >= MIN_ORDERS)].T
    if len(y1) < 3:
        return float("nan")
    effect = np.log(y1 / n1) - np.log(y0 / n0)
    weight = 1 / (1 / y1 - 1 / n1 + 1 / y0 - 1 / n0)
    mean = (weight * effect).sum() / weight.sum()
    excess = (weight * (effect - mean) ** 2).sum() - (len(effect) - 1)
    variance = excess / (weight.sum() - (weight**2).sum() / weight.sum())
    return float(np.sign(variance) * np.sqrt(abs(variance)))  # below 0: less than chance
