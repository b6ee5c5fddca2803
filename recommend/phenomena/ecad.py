"""Orders that come back (ECAD, 2308.04768): where refunds are many, a conversion is not yet a sale."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from recommend.metrics.jackknife import LEVEL, Estimate
from recommend.phenomena.log import GROUP, Log, Missing, estimate


def measure(log: Log) -> Estimate:
    """Refunds of known orders for each order."""
    log.need("order", "user_id")
    if "refund" not in log.columns:
        raise Missing("no refund column")
    orders = log.sums(f'SELECT {GROUP}, count(*) AS n FROM "order" GROUP BY g')
    refunds = log.sums(f"SELECT {GROUP}, count(*) AS n FROM refund WHERE delay_ms >= 0 GROUP BY g")
    rate = estimate(np.concatenate([refunds, orders], 1), lambda s: s[0] / s[1], "no orders")
    if refunds.any():
        return rate
    # Leaving out users tells nothing where no order came back: the exact upper end (Clopper and Pearson, 1934).
    return replace(rate, high=1 - ((1 - LEVEL) / 2) ** (1 / orders.sum()))
