"""Open Bandit (Saito et al., NeurIPS 2021 data track; ZOZOTOWN): impressions of two policies with their propensities.

Folder ``open_bandit_small``: 60,000 impressions of 2019-11-24 to 30 in ``obd.parquet`` and ``item_context_*.csv``.
Item ids of two campaigns are unrelated; user features are hashes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recommend.data.public import source
from recommend.data.public.source import Column

NAME = "open_bandit_small"
POLICIES = ("random", "bts")  # uniform, and Bernoulli Thompson sampling
CAMPAIGNS = {"all": 80, "men": 34, "women": 46}  # with their number of items
START_S = 1_574_553_600  # 2019-11-24 00:00 UTC
USER = tuple(f"user_feature_{i}" for i in range(4))
IMPRESSIONS = (
    Column("policy", pa.int32(), "code of POLICIES"),
    Column("campaign", pa.int32(), "code of CAMPAIGNS, in their order"),
    Column("time_ms", pa.int64(), "milliseconds since 2019-11-24 00:00 UTC"),
    Column("day", pa.int32(), "time_ms // 86,400,000"),
    Column("item_id", pa.int64(), "within the campaign"),
    Column("position", pa.int32(), "1..3, left to right"),
    Column("propensity", pa.float64(), "probability with which the policy shows this item at this position"),
    *(Column(name, pa.string(), "hashed attribute of the user") for name in USER),
    Column("affinity", pa.list_(pa.float64()), "past clicks of the user on each item of the campaign"),
    Column("click", pa.bool_(), "clicked", "label"),
)
ITEMS = (
    Column("item_id", pa.int64(), "within the campaign"),
    Column("feature", pa.float64(), "a number, standardised"),
    *(Column(f"item_feature_{i}", pa.string(), "hashed attribute of the item") for i in (1, 2, 3)),
)
ITEM_FILE = {"item_id": pa.int64(), "item_feature_0": pa.float64()} | {
    f"item_feature_{i}": pa.string() for i in (1, 2, 3)
}


def read(root: Path | None = None) -> pa.Table:
    """``IMPRESSIONS`` of both policies and all campaigns, by policy, campaign and time."""
    path = source.folder(NAME, root) / "obd.parquet"
    plain = ("policy", "campaign", "timestamp", "item_id", "position", "click", "propensity_score", *USER)
    table = source.read_parquet(path, (*plain, *_affinities(max(CAMPAIGNS.values()))))
    parts = []
    for policy in POLICIES:
        for campaign in CAMPAIGNS:
            chosen = table.filter(pc.and_(pc.equal(table["policy"], policy), pc.equal(table["campaign"], campaign)))
            parts.append(source.in_time(_impressions(chosen, policy, campaign, path), "time_ms"))
    return pa.concat_tables(parts)


def read_items(campaign: str, root: Path | None = None) -> pa.Table:
    """``ITEMS`` of a campaign of the small log."""
    if campaign not in CAMPAIGNS:
        raise source.DataError(f"the log has no campaign '{campaign}'; campaigns: {', '.join(CAMPAIGNS)}.")
    path = source.folder(NAME, root) / f"item_context_{campaign}.csv"
    table = source.read_csv(path, ITEM_FILE)
    data = {name: table[name] for name in ITEM_FILE} | {"feature": table["item_feature_0"]}
    return source.typed(ITEMS, data, path)


def _impressions(table: pa.Table, policy: str, campaign: str, path: Path) -> pa.Table:
    try:
        stamp = pc.cast(pc.utf8_slice_codeunits(table["timestamp"], 0, 19), pa.timestamp("s"))
    except pa.ArrowInvalid as error:
        raise source.broken(path, error) from error
    # The fraction of the second is dropped: the log's rows stay in order, and nothing here needs it.
    time = (np.asarray(stamp.cast(pa.int64())) - START_S) * 1000
    rows, items = table.num_rows, CAMPAIGNS[campaign]
    affinity = np.stack([np.asarray(table[n]) for n in _affinities(items)], 1) if rows else np.empty((0, items))
    offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * items)
    data = {name: table[name] for name in (*USER, "item_id", "position")}
    data |= {
        "policy": np.full(rows, POLICIES.index(policy)),
        "campaign": np.full(rows, list(CAMPAIGNS).index(campaign)),
        "time_ms": time,
        "day": time // source.DAY_MS,
        "propensity": table["propensity_score"],
        "affinity": pa.ListArray.from_arrays(offsets, pa.array(affinity.ravel())),
        "click": np.asarray(table["click"]) > 0,
    }
    return source.typed(IMPRESSIONS, data, path)


def _affinities(items: int) -> tuple[str, ...]:
    return tuple(f"user-item_affinity_{i}" for i in range(items))
