"""Promotions that lift some things more than others (HDR, 2305.12837): a shift that one number cannot mend."""

from __future__ import annotations

import numpy as np

from recommend.metrics.jackknife import Estimate
from recommend.phenomena.log import GROUP, Floats, Log, Missing, cells, estimate

CATEGORIES, LEAST = 60, 5  # the most frequent ones, of those with so many orders on either kind of day


def measure(log: Log) -> Estimate:
    """Standard deviation over categories of the logarithm of the uplift of orders a click, beyond chance
    (DerSimonian and Laird's variance between studies); 0: one number for all."""
    log.need("impression", "user_id", "category", "promotion", "click", "order")
    found = log.arrays(
        f"SELECT {GROUP}, category, sum(CAST(promotion > 0 AND click AS INTEGER)) AS n1, "
        'sum(CAST(promotion > 0 AND click AND "order" AS INTEGER)) AS y1, '
        "sum(CAST(promotion <= 0 AND click AS INTEGER)) AS n0, "
        'sum(CAST(promotion <= 0 AND click AND "order" AS INTEGER)) AS y0 FROM impression GROUP BY ALL'
    )
    sums = cells(found, "category", ("y1", "n1", "y0", "n0"), CATEGORIES)
    if not sums[..., 1].sum():
        raise Missing("no promotion")
    return estimate(sums, spread, "too few orders on promotion days")


def spread(sums: Floats) -> float:
    """Of (categories, 4): orders and clicks on promotion days, and on others."""
    y1, n1, y0, n0 = sums[(sums[:, 0] >= LEAST) & (sums[:, 2] >= LEAST)].T
    if len(y1) < 3:
        return float("nan")
    effect = np.log(y1 / n1) - np.log(y0 / n0)
    weight = 1 / (1 / y1 - 1 / n1 + 1 / y0 - 1 / n0)
    mean = (weight * effect).sum() / weight.sum()
    excess = (weight * (effect - mean) ** 2).sum() - (len(effect) - 1)
    variance = excess / (weight.sum() - (weight**2).sum() / weight.sum())
    return float(np.sign(variance) * np.sqrt(abs(variance)))  # below 0: less than chance
