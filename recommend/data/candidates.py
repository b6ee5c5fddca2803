"""The ranking stage's candidates in a log, with the features that an impression on the same page would have had.

What stands in the log of a candidate is the page, the thing, the score and the bid. The rest is joined: what all rows
of a page share from the page's impressions, what the listing says from the table of things.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from recommend.data.parquet import DataError, read_table
from recommend.data.ragged import Column, rows_of, select_batch, tensor_of
from recommend.data.schema import CHANNELS, HOUR_MS, POLICIES

OF_PAGE = ("hour", "promotion", "history_item", "history_category")  # columns that all rows of a page share
OF_ITEM = ("category", "condition", "price_bucket", "seller_id", "single")
LISTED = ("request_id", "time_ms", "user_id", "item_id", "policy", "rank_score", "bid", "rank", "shown")


def read_listed(log: Path, first: int, last: int) -> dict[str, Column]:
    """Raw columns of the candidates of some days (both ends included), page by page in the order of time.

    Beside those that a model reads: ``LISTED``. The channel is that in which the candidate was to be shown.

    Raises:
        DataError: the log holds no candidates of these days.
    """
    rows = read_table(log, "candidate", LISTED, first, last)
    if not rows_of(rows):
        raise DataError(f"{log} holds no ranking candidates of the days {first}..{last}.")
    items = read_table(log, "item", ("item_id", "listed_ms", *OF_ITEM))
    pages = read_table(log, "impression", ("request_id", *OF_PAGE), first, last)
    listed = _place(items, rows, "item_id", log)
    of_item = select_batch({n: items[n] for n in ("listed_ms", *OF_ITEM)}, listed)
    of_page = select_batch({n: pages[n] for n in OF_PAGE}, _place(pages, rows, "request_id", log))
    organic = tensor_of(rows["policy"]) == POLICIES.index("organic")
    return {
        **rows,
        **of_page,
        **of_item,
        "post_id": torch.full((rows_of(rows),), -1),
        "channel": torch.where(organic, CHANNELS.index("feed"), CHANNELS.index("ads")),
        "item_age_h": (tensor_of(rows["time_ms"]) - tensor_of(of_item["listed_ms"])).float() / HOUR_MS,
    }


def _place(table: dict[str, Column], rows: dict[str, Column], key: str, log: Path) -> Tensor:
    """For each row the first row of the table with the same key."""
    keys, sought = tensor_of(table[key]), tensor_of(rows[key])
    order = keys.argsort(stable=True)
    place = torch.searchsorted(keys[order], sought).clamp(max=max(len(keys) - 1, 0))
    if not len(keys) or bool((keys[order][place] != sought).any()):
        raise DataError(f"{log} has candidates whose {key} stands in no other table; write the log again.")
    return order[place]
