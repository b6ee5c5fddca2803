"""Selection that changes the order (Rec4Ad, 2306.03527): what is liked among selected rows is not what is liked."""

from __future__ import annotations

from recommend.data.schema import POLICIES
from recommend.metrics.jackknife import Estimate
from recommend.phenomena.hdr import spread
from recommend.phenomena.log import GROUP, Log, Missing, cells, estimate

KEYS = 200
UNIFORM = POLICIES.index("uniform")


def measure(log: Log) -> Estimate:
    """Standard deviation over classes of things of the logarithm of the click rate among selected rows over that among
    rows shown at random, beyond chance (as in ``hdr``); of ads, where the log tells them. 0: selection shifts the level
    alone.

    Classes are categories, where the log has them, else items.
    """
    log.need("impression", "user_id", "policy", "click")
    names = log.columns["impression"]
    key = "category" if "category" in names else "item_id"
    items = log.arrays(
        f"SELECT {GROUP}, {key} AS key, sum(CAST(policy = {UNIFORM} AS INTEGER)) AS n0, "
        f"sum(CAST(policy = {UNIFORM} AND click AS INTEGER)) AS y0, sum(CAST(policy <> {UNIFORM} AS INTEGER)) AS n1, "
        f"sum(CAST(policy <> {UNIFORM} AND click AS INTEGER)) AS y1 FROM impression "
        f"WHERE {'is_ad' if 'is_ad' in names else 'true'} GROUP BY ALL"
    )
    if not items["n0"].sum() or not items["n1"].sum():
        raise Missing("no rows that were shown at random beside selected ones")
    return estimate(cells(items, "key", ("y1", "n1", "y0", "n0"), KEYS), spread, "too few clicks on random rows")
