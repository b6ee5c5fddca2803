"""Rec4Ad from a log: ads and, beside them, organic impressions of the same feed.

The channel tells the systems apart and is read by nobody. The bid, which ads alone have, is filled in for the others.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from recommend.data.bids import filled_bids, log_bids
from recommend.data.cuts import CutStream, interleave
from recommend.data.parquet import DataError
from recommend.data.schema import CHANNELS
from recommend.features.feature_map import Feature, FeatureMap
from recommend.features.ragged import Batch, Column, rows_of, select_batch
from recommend.models.rec4ad import ADS, ORGANIC
from recommend.training.forms.form import Given
from recommend.training.run_config import RunConfig

OWN = "log_bid"


def features(usual: FeatureMap, run: RunConfig) -> FeatureMap:
    """The usual ones without the channel, and the bid for the branches alone."""
    kept = tuple(f for f in usual.features if f.column != "channel")
    own = Feature(column=OWN, role="raw", kind="number", joined_by=("item_id",))
    return usual.model_copy(update={"features": (*kept, own)})


def bids(log: Path, run: RunConfig) -> Callable[[Batch], dict[str, Column]]:
    """Adds the logarithm of the bid, filled in for what is no ad."""

    def join(rows: Batch) -> dict[str, Column]:
        things = rows["item_id"]
        assert isinstance(things, Tensor)
        return {**rows, OWN: log_bids(filled_bids(log, things))}

    return join


def stream(given: Given) -> CutStream:
    """Batches of as many ads each, with their share of organic rows: ``organic`` of the model's config for each ad.

    Raises:
        DataError: the log holds no ads.
    """
    rows = given.shown("is_ad", "channel")
    is_ad, channel = rows.pop("is_ad"), rows.pop("channel")
    assert isinstance(is_ad, Tensor)
    assert isinstance(channel, Tensor)
    rows["system"] = torch.where(is_ad.bool(), ADS, ORGANIC)
    # Retrieved are organic rows of the feed, where the ads are; search and posts are other places with other wishes.
    feed = ~is_ad.bool() & (channel == CHANNELS.index("feed"))
    ads, organic = (select_batch(rows, which.nonzero().squeeze(1)) for which in (is_ad.bool(), feed))
    if not rows_of(ads):
        raise DataError(f"nobody saw an ad on the days {given.days} in {given.log}; rec4ad needs ads to learn from.")
    ratio = given.run.model.organic
    wanted = min(round(ratio * rows_of(ads)), rows_of(organic))
    drawn = np.sort(np.random.default_rng(given.run.train.seed).permutation(rows_of(organic))[:wanted])
    batch = max(round(given.run.train.batch_rows / (1 + ratio)), 1)
    return interleave(ads, select_batch(organic, torch.from_numpy(drawn)), batch, np.ones(wanted, dtype=np.int64))
