"""What the recipes share: a world on the disk, split by time, encoded on its training window, judged by the oracle."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recommend.data.content_join import Contents
from recommend.data.parquet import ParquetStream
from recommend.data.splits import TimeSplit, last_days
from recommend.data.world import WORLD_VERSION, write_world
from recommend.data.world.config import Scale
from recommend.data.world.oracle import open_oracle
from recommend.data.world.write import LOG, MANIFEST
from recommend.experiments.recipe import Setting
from recommend.features.encoders import Encoders
from recommend.features.feature_map import FeatureMap
from recommend.features.ragged import Column, concat_batches
from recommend.metrics.lists import normalised_regret
from recommend.metrics.report import measures, share_of_way

PRIOR = 20.0  # impressions that a smoothed rate starts with
KEPT = ("impression_id", "request_id", "user_id", "item_id", "post_id", "category", "click")


def world_folder(worlds: Path, scale: Scale, seed: int, knobs: Mapping[str, Any]) -> Path:
    """The world of a scale, seed and knobs; simulated when it is not there yet."""
    changed = hashlib.sha256(json.dumps(dict(knobs), sort_keys=True).encode()).hexdigest()[:8] if knobs else "default"
    folder = Path(worlds) / f"{WORLD_VERSION}-{scale}-{changed}-{seed}"
    if not (folder / MANIFEST).exists():
        # Written aside and renamed: an interrupted simulation leaves nothing that looks like a world, and two processes
        # that want the same one do not write into each other's.
        draft = folder.with_name(f"{folder.name}.{os.getpid()}.draft")
        write_world(draft, scale=scale, seed=seed, knobs=knobs)
        try:
            draft.rename(folder)
        except OSError:
            if not (folder / MANIFEST).exists():
                raise
            shutil.rmtree(draft)  # another process was faster; its world is the same
    return folder


@dataclass(frozen=True)
class Marketplace:
    """A seed's data, ready to train on.

    Attributes:
        train, test: encoded columns, in the order of time.
        raw: the test rows' raw ids and clicks (``KEPT``).
        truth: (rows,) true click probability of the test rows for one who does not know the rest of the page: the best
            that any model of these features could say.
        popularity: (rows,) smoothed click rate in the training window, of the thing or else of its category.
    """

    split: TimeSplit
    encoders: Encoders
    train: dict[str, Column]
    test: dict[str, Column]
    raw: dict[str, np.ndarray]
    truth: np.ndarray
    popularity: np.ndarray

    def judge(self, probabilities: np.ndarray) -> dict[str, float]:
        """Measures of predicted click probabilities of the test rows, placed between popularity and the oracle.

        ``share`` is 0 at the popularity's AUC and 1 at the oracle's; ``regret`` compares the first choice of each page
        with the oracle's (0) and a random one (1).
        """
        click, user = self.raw["click"], self.raw["user_id"]
        found = measures(click, probabilities, user)
        floor, ceiling = (measures(click, p, user)["auc"] for p in (self.popularity, self.truth))
        return {
            **found,
            "share": share_of_way(found["auc"], floor, ceiling),
            "regret": normalised_regret(self.truth, probabilities, self.raw["request_id"]),
        }


def open_marketplace(setting: Setting, features: FeatureMap, test_days: int = 4, min_count: int = 10) -> Marketplace:
    """Simulate or find the world and load it.

    Args:
        test_days: the last days of the log, all of them without a promotion in the default calendar.
        min_count: ids seen less often in the training window share the out-of-vocabulary row, which learns from them
            what to think of a thing that nobody has seen.
    """
    folder = world_folder(setting.worlds, setting.scale, setting.seed, setting.knobs)
    log = folder / LOG
    split = last_days(log, test_days)
    columns = list(dict.fromkeys([*features.columns, *KEPT]))
    contents = Contents.read(log, features, split.test[1])
    parts = {
        part: concat_batches(list(ParquetStream(split.files(log, part), columns, batch_rows=65_536)))
        for part in ("train", "test")
    }
    encoders = Encoders.fit(features, [parts["train"]], min_count)
    raw = {part: {name: _array(parts[part][name]) for name in KEPT} for part in parts}
    encoded = {part: _only(encoders(contents(parts[part])), features) for part in parts}
    return Marketplace(
        split=split,
        encoders=encoders,
        train=encoded["train"],
        test=encoded["test"],
        raw=raw["test"],
        truth=open_oracle(folder)["p_click_without_page"][raw["test"]["impression_id"]],
        popularity=popularity(raw["train"], raw["test"]),
    )


def popularity(train: Mapping[str, np.ndarray], test: Mapping[str, np.ndarray]) -> np.ndarray:
    """Click rate of each test row's thing in training, drawn to its category's, and that to the mean, where rare."""
    mean = float(train["click"].mean())
    by_category = _rate(train["category"], train["click"], test["category"], np.full(len(test["click"]), mean))
    return _rate(_thing(train), train["click"], _thing(test), by_category)


def _thing(rows: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.where(rows["post_id"] >= 0, -1 - rows["post_id"], rows["item_id"])


def _rate(known: np.ndarray, click: np.ndarray, wanted: np.ndarray, prior: np.ndarray) -> np.ndarray:
    keys, place = np.unique(known, return_inverse=True)
    shown, clicked = np.bincount(place), np.bincount(place, weights=click)
    at = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
    there = keys[at] == wanted
    return (np.where(there, clicked[at], 0) + PRIOR * prior) / (np.where(there, shown[at], 0) + PRIOR)


def _array(column: Column) -> np.ndarray:
    assert isinstance(column, torch.Tensor)
    return column.numpy()


def _only(batch: dict[str, Column], features: FeatureMap) -> dict[str, Column]:
    """What a model and its loss read; the rest would only be sliced along."""
    names = [*(f.column for f in features.features), *features.labels, features.group, *features.extra]
    return {name: batch[name] for name in dict.fromkeys(names)}
