"""What the arms are made from; each piece is worked out when the first arm asks for it, and kept on the disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from finetune.evaluate.cached_model import CachedModel
from finetune.evaluate.calibrate import cross_fitted
from finetune.evaluate.image_cache import features, image_views
from finetune.evaluate.neighbours import Neighbourhood
from listing.observe.neighbours import Neighbours
from listing.decide.pool import Calibration
from listing.taxonomy import Taxonomy

Row = dict[str, Any]


@dataclass
class Material:
    """Photos, models and caches of one evaluation."""

    rows: list[Row]  # the photos that are judged
    train: list[Row]  # photos of other senders, for probes and exemplars
    taxonomy: Taxonomy
    models: dict[str, CachedModel]  # ``tuned`` and ``base``, as far as they are wanted
    folder: Path  # the tuned model's
    home: Path  # where the text encoder is
    store: Path  # where everything is kept
    _predictions: dict[str, list[Row]] = field(default_factory=dict)

    def predictions(self, model: str) -> list[Row]:
        """What a model and its tower's heads say of each photo, without neighbours."""
        if model not in self._predictions:
            self._predictions[model] = self.models[model].predictions(self.rows)
        return self._predictions[model]

    @cached_property
    def rules(self) -> list[Calibration]:
        """Weights and thresholds for each photo, fitted on the other half's senders."""
        return cross_fitted(self.rows, self.predictions("tuned"), self.taxonomy, near=self.near)

    @cached_property
    def near(self) -> list[Neighbours]:
        """Past listings by photo, for a model that fills in forms: how good their vote is beside it is measured."""
        encoders = self.folder.is_dir() and (self.home / "models" / "minilm").is_dir()
        if not encoders or not any(said.get("form") for said in self.predictions("tuned")):
            return []
        return [self.neighbourhood.found(row, None) for row in self.rows]

    @cached_property
    def image_views(self) -> list[Row]:
        """What is seen and read without a multimodal model."""
        return image_views(self.rows, self.folder, self.taxonomy, self.store / "seen.jsonl")

    @cached_property
    def neighbourhood(self) -> Neighbourhood:
        """Past listings."""
        return Neighbourhood(self.folder, self.home / "models" / "minilm", self.store, self.taxonomy)

    @cached_property
    def vectors(self) -> tuple[np.ndarray, np.ndarray]:
        """Tower features of (training photos, judged photos)."""
        encoders = self.neighbourhood.encoders
        cache = self.store / f"features-{encoders.info.image.revision}.npz"
        both = features([*self.train, *self.rows], encoders, cache)
        return both[: len(self.train)], both[len(self.train) :]
