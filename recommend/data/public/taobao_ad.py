"""Ali_Display_Ad_Click (Tianchi 56; used in DIN's paper): 26 million ad impressions of 8 days, ads, users, behaviours.

A folder with ``raw_sample.csv``, ``ad_feature.csv``, ``user_profile.csv`` and ``behavior_log.csv``, all with headers.
The usual split trains on the first seven days (6 to 12 May 2017, UTC+8) and tests on the eighth. The behaviour log has
700 million rows of 22 days and is read in blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recommend.data.public import source
from recommend.data.public.source import Column

BEHAVIOURS = ("pv", "cart", "fav", "buy")
START_S = 1_494_000_000  # 2017-05-06 00:00 UTC+8: day 0 of the impressions; behaviours start before it
IMPRESSIONS = (
    Column("user_id", pa.int64(), "who"),
    Column("item_id", pa.int64(), "the ad (adgroup)"),
    Column("time_ms", pa.int64(), "milliseconds since 2017-05-06 00:00 UTC+8"),
    Column("day", pa.int32(), "time_ms // 86,400,000: 0..7"),
    Column("scene", pa.string(), "place of the ad (pid)"),
    Column("click", pa.bool_(), "clicked", "label"),
)
ADS = (
    Column("item_id", pa.int64(), "the ad (adgroup)"),
    Column("category", pa.int64(), "of the advertised thing"),
    Column("campaign_id", pa.int64(), "the campaign"),
    Column("seller_id", pa.int64(), "the advertiser (customer)"),
    Column("brand", pa.int64(), "or -1"),
    Column("price", pa.float64(), "of the thing"),
)
PROFILE = (
    "cms_segid",
    "cms_group_id",
    "final_gender_code",
    "age_level",
    "pvalue_level",
    "shopping_level",
    "occupation",
    "new_user_class_level",
)
USERS = (
    Column("user_id", pa.int64(), "who"),
    *(Column(name, pa.int64(), "code of the log, or -1 where it is empty") for name in PROFILE),
)
EVENTS = (
    Column("user_id", pa.int64(), "who"),
    Column("time_ms", pa.int64(), "as in IMPRESSIONS; negative before the first impression's day"),
    Column("behaviour", pa.int32(), "code of BEHAVIOURS"),
    Column("category", pa.int64(), "of the thing; the log does not name the thing itself"),
    Column("brand", pa.int64(), "of the thing, or -1"),
)


def read(folder: Path) -> Iterator[pa.Table]:
    """``IMPRESSIONS`` in blocks, in the file's order (which is not that of time)."""
    path = Path(folder) / "raw_sample.csv"
    kinds = dict.fromkeys(("user", "time_stamp", "adgroup_id", "clk"), pa.int64()) | {"pid": pa.string()}
    for block in source.stream_csv(path, kinds):
        time = _time(block)
        data = {
            "user_id": block["user"],
            "item_id": block["adgroup_id"],
            "time_ms": time,
            "day": time // source.DAY_MS,
            "scene": block["pid"],
            "click": np.asarray(block["clk"]) > 0,
        }
        yield source.typed(IMPRESSIONS, data, path)


def read_ads(folder: Path) -> pa.Table:
    """``ADS``."""
    path = Path(folder) / "ad_feature.csv"
    kinds = dict.fromkeys(("adgroup_id", "cate_id", "campaign_id", "customer", "brand"), pa.int64())
    table = source.read_csv(path, kinds | {"price": pa.float64()}, renamed={"customer_id": "customer"})
    data = {
        "item_id": table["adgroup_id"],
        "category": table["cate_id"],
        "campaign_id": table["campaign_id"],
        "seller_id": table["customer"],
        "brand": source.filled(table["brand"]),
        "price": table["price"],
    }
    return source.typed(ADS, data, path)


def read_users(folder: Path) -> pa.Table:
    """``USERS``."""
    path = Path(folder) / "user_profile.csv"
    table = source.read_csv(path, dict.fromkeys(("userid", *PROFILE), pa.int64()))
    data = {"user_id": table["userid"]} | {name: source.filled(table[name]) for name in PROFILE}
    return source.typed(USERS, data, path)


def read_behaviours(folder: Path) -> Iterator[pa.Table]:
    """``EVENTS`` in blocks, in the file's order."""
    path = Path(folder) / "behavior_log.csv"
    kinds = dict.fromkeys(("user", "time_stamp", "cate", "brand"), pa.int64()) | {"btag": pa.string()}
    for block in source.stream_csv(path, kinds):
        code = source.filled(pc.index_in(block["btag"], pa.array(("ipv", *BEHAVIOURS[1:]))))
        code = np.where(np.asarray(pc.equal(block["btag"], "pv")), 0, code)  # both spellings of a view are about
        if (code < 0).any():
            raise source.DataError(f"{path} holds a behaviour that is none of {', '.join(BEHAVIOURS)}.")
        data = {
            "user_id": block["user"],
            "time_ms": _time(block),
            "behaviour": code,
            "category": source.filled(block["cate"]),
            "brand": source.filled(block["brand"]),
        }
        yield source.typed(EVENTS, data, path)


def _time(block: pa.Table) -> np.ndarray:
    return (np.asarray(block["time_stamp"]).astype(np.int64) - START_S) * 1000
