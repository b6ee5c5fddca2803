"""Models trained on a world's impressions, within the guard of the truth: for candidate sets and competence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recommend.config import ModelConfig, TrainConfig
from recommend.data.oracle import no_oracle
from recommend.data.ragged import Batch
from recommend.features.encoders import Encoders
from recommend.models.base import Ranker
from recommend.models.registry import build_model
from recommend.research.world.read import Histories, WorldStream, world_map
from recommend.training.scoring import predictions
from recommend.training.trainer import Summary, train

TOWERS = ("two_tower", "copr")  # user and thing apart until the end


@dataclass(frozen=True)
class Trained:
    """A model with what encodes rows for it."""

    model: Ranker
    encoders: Encoders
    summary: Summary

    def predict(self, batches: Iterable[Batch]) -> np.ndarray:
        """(rows,) probabilities of the first label."""
        with no_oracle():
            return predictions(self.model, batches, self.encoders)[f"p_{self.model.features.labels[0]}"]


def train_on(
    root: Path,
    days: tuple[int, int],
    model: ModelConfig,
    config: TrainConfig,
    histories: Histories | None = None,
) -> Trained:
    """One pass over days of a world in the order of time.

    Args:
        days: first and last, both included; encoders are fitted on them as well.
        histories: of the log, where they are read already.
    """
    log, features = root / "log", world_map(cross=model.name not in TOWERS)
    stream = WorldStream(log, days, features.columns, histories or Histories(log), config.batch_rows)
    with no_oracle():
        encoders = Encoders.fit(features, stream, 10)
        net = build_model(features, encoders.sizes(), model, config.seed)
        summary = train(net, stream, config, encoders)
    return Trained(net, encoders, summary)
