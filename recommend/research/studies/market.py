"""A world in memory, encoded as a user's own log would be: what the studies train on, and the truth that judges."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from recommend.config import ModelConfig, TrainConfig
from recommend.data.memory import MemoryStream
from recommend.data.oracle import no_oracle, open_oracle
from recommend.data.ragged import Batch, Column, Ragged, array_of, concat_batches, select_batch, tensor_of
from recommend.features.counts import Counts
from recommend.features.encoders import Encoders
from recommend.features.feature_map import Feature, FeatureMap, count
from recommend.metrics.ranks import auc as expected_auc
from recommend.metrics.report import share_of_way
from recommend.models.base import Ranker
from recommend.models.registry import build_model
from recommend.models.training_log import Stream
from recommend.research.world.read import Histories, WorldStream, world_map
from recommend.training.baselines import smoothed_rates
from recommend.training.trainer import train

RAW_COLUMNS = (
    "item_id", "post_id", "category", "request_id", "user_id", "is_ad", "policy", "channel", "single", "click", "day"
)  # fmt: skip
PRIOR, ASKED_ROWS, MIN_COUNT = 50.0, 4_096, 10
Where = Callable[[dict[str, np.ndarray]], np.ndarray]
Change = Callable[[dict[str, Column]], dict[str, Column]]


COUNTED = (("user_id",), ("item_id",), ("category",), ("brand",), ("user_id", "category"), ("user_id", "brand"))
UNMATCHED = ("single",)  # of which a match would say how much of the history is of limited stock


def competent(features: FeatureMap, counts: bool = True) -> FeatureMap:
    """A map with what an import declares of itself: a match for each history, and counts of ids and pairs of ids."""
    ids = {f.column for f in features.features if f.kind == "id" and f.role != "history"}
    matched = [
        Feature(column=f"{f.match} in {f.column}", role="context", kind="match", inputs=(f.column,))
        for f in features.role("history", "id")
        if f.match not in UNMATCHED
    ]
    counted = [count(*columns) for columns in COUNTED if counts and ids.issuperset(columns)]
    return features.model_copy(update={"features": (*features.features, *matched, *counted)})


@dataclass(frozen=True)
class Market:
    """A world's rows, split by time.

    Attributes:
        train, test: encoded columns of the features, of labels and extra, in the order of time.
        learned, raw: raw columns (``RAW_COLUMNS``) of both.
        truth: (rows,) columns of the truth of the test rows.
    """

    root: Path
    features: FeatureMap
    encoders: Encoders
    train: dict[str, Column]
    test: dict[str, Column]
    learned: dict[str, np.ndarray]
    raw: dict[str, np.ndarray]
    truth: dict[str, np.ndarray]

    def fit(self, model: Ranker | ModelConfig, config: TrainConfig, stream: Stream | None = None) -> Ranker:
        """A model after training, on all training rows unless a stream is given; it cannot see the truth."""
        if isinstance(model, ModelConfig):
            model = self.started(build_model(self.features, self.encoders.sizes(), model, config.seed))
        with no_oracle():
            train(model, stream or MemoryStream(self.train, config.batch_rows), config)
        return model

    def build(
        self,
        kind: Callable[..., Ranker],
        config: ModelConfig,
        seed: int,
        features: FeatureMap | None = None,
        **more: object,
    ) -> Ranker:
        """A fresh model of a class; equal seeds give equal weights."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.started(kind(features or self.features, self.encoders.sizes(), config, **more))

    def started(self, model: Ranker) -> Ranker:
        """The model, which begins at the mean rates of the training rows."""
        model.start_at({name: float(tensor_of(self.train[name]).float().mean()) for name in model.features.labels})
        return model

    def ask(self, model: Ranker, rows: Batch | None = None) -> np.ndarray:
        """(rows,) probabilities of the first label, of the test rows unless others are given."""
        with no_oracle():
            batches: Iterable[Batch] = MemoryStream(self.test if rows is None else rows, ASKED_ROWS)
            return np.concatenate([model.predict(b)[self.features.labels[0]].numpy() for b in batches])

    def popularity(self) -> np.ndarray:
        """(rows,) click rate of each test row's thing in training, its category's as a prior."""
        item, asked = (np.where(r["item_id"] >= 0, r["item_id"], -2 - r["post_id"]) for r in (self.learned, self.raw))
        overall = np.full(len(asked), float(self.learned["click"].mean()))
        click = self.learned["click"]
        of_category = smoothed_rates(self.learned["category"], click, self.raw["category"], overall, PRIOR)
        return smoothed_rates(item, click, asked, of_category, PRIOR)

    def share(self, p: np.ndarray, rows: np.ndarray | slice = slice(None)) -> float:
        """The share of the way from popularity (0) to the oracle (1), by expected AUC."""
        true, best = self.truth["p_click"][rows], self.truth["p_click_without_page"][rows]
        floor, ceiling = (expected_auc(true, x) for x in (self.popularity()[rows], best))
        return share_of_way(expected_auc(true, p[rows]), floor, ceiling)


def open_market(
    root: Path,
    features: FeatureMap | None = None,
    test_days: int = 3,
    where: Where | None = None,
    learn: Where | None = None,
    change: Change | None = None,
    channels: Sequence[int] | None = None,
    encoders: Encoders | None = None,
    min_count: int = MIN_COUNT,
    uncounted: int | None = None,
) -> Market:
    """Read a world's impressions.

    Args:
        where, learn: of raw columns (``RAW_COLUMNS``) the rows that are kept at all, and of those the ones that train.
        change: raw columns of a day to others, for controls.
        channels: whose clicks the histories hold; None: all.
        encoders: of another market; None: fitted on the training rows.
        min_count: rows in training that give an id a table row of its own.
        uncounted: a policy whose rows no count feature counts.
    """
    features = features or competent(world_map(cross=True))
    log = root / "log"
    counts = Counts.read(log, features, None if uncounted is None else ("policy", uncounted))
    days = json.loads((root / "manifest.json").read_text(encoding="utf-8"))["config"]["days"]
    columns = list(dict.fromkeys([*features.columns, *RAW_COLUMNS]))
    stream = WorldStream(log, (0, days - 1), columns, Histories(log, channels))
    last = range(days - test_days, days)

    def read(day: int) -> tuple[dict[str, Column], np.ndarray]:
        rows = stream.day(day)
        raw = {name: array_of(rows[name]) for name in RAW_COLUMNS}
        selected = np.ones(len(raw["click"]), dtype=bool) if where is None else where(raw)
        if learn is not None and day not in last:
            selected &= learn(raw)
        at = torch.from_numpy(np.flatnonzero(selected))
        batch = select_batch(rows, at)
        return counts(batch if change is None else change(batch)), selected

    learned = concat_batches([read(day)[0] for day in range(days - test_days)])
    parts = [read(day) for day in last]
    truths = [
        (open_oracle(root, f"impression/day={d:03d}"), selected) for d, (_, selected) in zip(last, parts, strict=True)
    ]
    asked = concat_batches([rows for rows, _ in parts])
    encoders = encoders or Encoders.fit(features, [learned], min_count)
    inputs = [*(f.column for f in features.features), *features.labels, *features.extra]
    rows_in, test = ({n: e[n] for n in dict.fromkeys(inputs)} for e in (encoders(learned), encoders(asked)))
    learned_raw, raw = ({name: array_of(rows[name]) for name in RAW_COLUMNS} for rows in (learned, asked))
    truth = {name: np.concatenate([t[name][selected] for t, selected in truths]) for name in truths[0][0]}
    return Market(root, features, encoders, rows_in, test, learned_raw, raw, truth)


def of_items(raw: dict[str, np.ndarray]) -> np.ndarray:
    """No posts, which have other fields."""
    return raw["item_id"] >= 0


def read_clicks(root: Path, columns: Sequence[str]) -> tuple[list[dict[str, Column]], dict[str, np.ndarray]]:
    """The view of clicks: raw columns by day, and (clicks,) columns of the truth, for the judge alone."""
    days = json.loads((root / "manifest.json").read_text(encoding="utf-8"))["config"]["click_days"]
    stream = WorldStream(root / "log", (0, days - 1), list(dict.fromkeys(columns)), Histories(root / "log"))
    truths = [open_oracle(root, f"impression/day={day:03d}") for day in range(days)]
    truth = {name: np.concatenate([t[name] for t in truths]).astype(np.float64) for name in truths[0]}
    return [stream.day(day) for day in range(days)], truth


def coin(rows: dict[str, Column]) -> dict[str, Column]:
    """The rows with a stock flag that is a coin, the same for a thing wherever it stands: it tells nothing."""

    def flag(ids: torch.Tensor) -> torch.Tensor:
        return (ids.long() * 2_654_435_761 >> 13) % 2 == 1

    item, past = rows["item_id"], rows["history_item"]
    assert isinstance(item, torch.Tensor)
    assert isinstance(past, Ragged)
    return {**rows, "single": flag(item) & (item >= 0), "history_single": past.with_values(flag(past.values).long())}
