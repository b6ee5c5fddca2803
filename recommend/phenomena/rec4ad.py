"""Selection that changes the order (Rec4Ad, 2306.03527): what is liked among selected rows is not what is liked."""

from __future__ import annotations

import numpy as np

from recommend.data.schema import POLICIES
from recommend.metrics.jackknife import Estimate
from recommend.phenomena.log import GROUP, GROUPS, Floats, Log, Missing, cells, estimate

KEYS, LEAST = 200, 20


def measure(log: Log) -> Estimate:
    """1 - correlation of the click rates of things (categories, or items where there are none) between selected rows
    and rows that were shown at random, chance taken off; 0: selection shifts the level alone."""
    log.need("impression", "user_id", "policy", "click")
    key = "category" if "category" in log.columns["impression"] else "item_id"
    uniform = POLICIES.index("uniform")
    found = log.arrays(
        f"SELECT {GROUP}, {key} AS key, sum(CAST(policy = {uniform} AS INTEGER)) AS nu, "
        f"sum(CAST(policy = {uniform} AND click AS INTEGER)) AS yu, sum(CAST(policy <> {uniform} AS INTEGER)) AS ns, "
        f"sum(CAST(policy <> {uniform} AND click AS INTEGER)) AS ys FROM impression GROUP BY ALL"
    )
    sums = cells(found, "key", ("nu", "yu", "ns", "ys"), KEYS)
    if not sums[..., 0].sum() or not sums[..., 2].sum():
        raise Missing("no rows that were shown at random beside selected ones")
    # Two halves of the users, so that what chance adds to a rate is not taken for its spread.
    halves = np.zeros((GROUPS, 2, *sums.shape[1:]))
    halves[np.arange(GROUPS), np.arange(GROUPS) % 2] = sums
    return estimate(halves, disagreement, "too few clicks on rows that were shown at random")


def disagreement(halves: Floats) -> float:
    """Of (2, keys, 4): rows and clicks, uniform and selected."""
    (nu1, yu1, ns1, ys1), (nu2, yu2, ns2, ys2) = np.moveaxis(halves, 2, 1)
    kept = np.min([nu1, nu2, ns1, ns2], 0) >= LEAST
    if kept.sum() < 5:
        return float("nan")
    u1, u2, s1, s2 = (y[kept] / n[kept] for y, n in ((yu1, nu1), (yu2, nu2), (ys1, ns1), (ys2, ns2)))
    weight = np.sqrt(nu1 + nu2)[kept]

    def both(a: Floats, b: Floats) -> float:
        mean = [np.average(x, weights=weight) for x in (a, b)]
        return float(np.average((a - mean[0]) * (b - mean[1]), weights=weight))

    across = (both(u1, s2) + both(u2, s1)) / 2
    within = both(u1, u2) * both(s1, s2)
    return 1 - across / float(np.sqrt(within)) if within > 0 and both(u1, u2) > 0 else float("nan")
