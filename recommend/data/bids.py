"""Bids of a log's things, filled in for those that are no ads."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from recommend.data.parquet import ParquetStream
from recommend.data.schema import table_files
from recommend.features.ragged import Ragged, concat_batches, tensor_of

LOWEST = 0.01  # what counts as bid at least: the logarithm of nothing is no number


def log_bids(bid: Tensor) -> Tensor:
    """(n,) logarithm of bids, as a model reads them."""
    return bid.float().clamp(min=LOWEST).log()


def filled_bids(log: Path, things: Tensor, last_day: int | None = None) -> Tensor:
    """(n,) bids of (n,) things; what is no ad gets that of the advertised thing of its category of nearest content.

    A mark such as "no bid" would tell ads from the rest. -1, and a thing that the log does not know, get the first
    thing's; without a single ad all bids are 0.

    Args:
        last_day: things listed until then; None: all.
    """
    names = ["item_id", "category", "bid", "content"]
    items = concat_batches(list(ParquetStream(table_files(log, "item", 0, last_day), names, 65_536)))
    content = items["content"]
    assert isinstance(content, Ragged)
    vectors = functional.normalize(content.values.reshape(len(content), -1), dim=1)
    category, bid = tensor_of(items["category"]), tensor_of(items["bid"]).clone()
    advertised = bid > 0
    for number in category.unique() if bool(advertised.any()) else ():
        of_category = category == number
        ads, others = ((of_category & which).nonzero().squeeze(1) for which in (advertised, ~advertised))
        if not len(ads):
            ads = advertised.nonzero().squeeze(1)
        bid[others] = bid[ads[(vectors[others] @ vectors[ads].T).argmax(1)]]
    known, order = tensor_of(items["item_id"]).sort()
    return bid[order[torch.searchsorted(known, things.clamp(min=0)).clamp(max=len(known) - 1)]]
