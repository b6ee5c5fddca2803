"""A small log with promotions, on whose days twice as many clicks lead to an order. Shared by the tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recommend.data.schema import day_file

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
CLICKS, ORDERS, PROMOTED = 0.3, 0.2, 0.45  # rates of impressions, of clicks, of clicks on promotion days
ITEMS, USERS, ROWS = 120, 40, 500  # rows a day


def write_log(root: Path, days: int, promotions: dict[int, int], seed: int = 0) -> Path:
    """Write the tables that models and promotions read; no thing has a content vector.

    Args:
        promotions: day to the promotion's number.
    """
    rng = np.random.default_rng(seed)
    of_item = {
        "category": rng.integers(0, 6, ITEMS),
        "condition": rng.integers(0, 5, ITEMS),
        "price_bucket": rng.integers(0, 10, ITEMS),
        "seller_id": rng.integers(0, 20, ITEMS),
        "single": rng.random(ITEMS) < 0.7,
    }
    for day in range(days):
        item, past = rng.integers(0, ITEMS, ROWS), rng.integers(0, 4, ROWS)
        click = rng.random(ROWS) < CLICKS
        order = click & (rng.random(ROWS) < (PROMOTED if promotions.get(day) else ORDERS))
        refund = order & (rng.random(ROWS) < 0.2)
        time = day * DAY_MS + np.sort(rng.integers(0, DAY_MS - HOUR_MS, ROWS))
        row = day * ROWS + np.arange(ROWS)
        offsets, clicked = np.r_[0, past.cumsum()], rng.integers(0, ITEMS, past.sum())
        plain = {"impression_id": row, "request_id": row // 10, "time_ms": time, "day": time // DAY_MS,
                 "hour": time // HOUR_MS % 24, "user_id": rng.integers(0, USERS, ROWS), "entity": np.zeros(ROWS, int),
                 "item_id": item, "channel": np.zeros(ROWS, int), "item_age_h": rng.exponential(50, ROWS),
                 "promotion": np.full(ROWS, promotions.get(day, 0)), "click": click, "cart": order, "order": order,
                 "refund": refund, **{name: values[item] for name, values in of_item.items()}}  # fmt: skip
        lists = {"history_item": clicked, "history_category": of_item["category"][clicked]}
        ragged = {n: pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(v)) for n, v in lists.items()}
        _write(root, "impression", day, {**plain, **ragged})
        moments = {"click": time + 30_000}
        moments["order"] = moments["click"] + (rng.exponential(6, ROWS) * HOUR_MS).astype(int) + 1
        moments["refund"] = moments["order"] + (rng.exponential(6, ROWS) * HOUR_MS).astype(int) + 1
        for table, happened in (("click", click), ("order", order), ("refund", refund)):
            _write(root, table, day, {"impression_id": row[happened], "time_ms": moments[table][happened]})
    return root


def _write(root: Path, table: str, day: int, columns: dict[str, np.ndarray | pa.Array]) -> None:
    path = day_file(root, table, day)
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table(columns), path, write_page_checksum=True)
