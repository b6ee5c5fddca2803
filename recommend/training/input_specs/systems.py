"""Rec4Ad from a log: ads and, beside them, organic impressions of the same feed.

The channel tells the systems apart and is read by nobody.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from recommend.data.batching import CutStream, interleave
from recommend.data.parquet import DataError
from recommend.data.schema import CHANNELS
from recommend.features.feature_map import FeatureMap
from recommend.features.ragged import rows_of, select_batch
from recommend.models.rec4ad import ADS, ORGANIC
from recommend.training.input_specs.spec import Given
from recommend.training.run_config import RunConfig


def features(usual: FeatureMap, run: RunConfig) -> FeatureMap:
    """The usual ones without the channel, and without the bid.

    Among ads that an auction chose by estimate times bid, high bids mean few clicks. A model that learned it would
    answer a higher bid with a lower estimate, and what it says of ads that were not chosen would be wrong.
    """
    return usual.model_copy(update={"features": tuple(f for f in usual.features if f.column != "channel")})


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
