"""The base of all rankers: logits by task, a loss, and ``predict``.

A model's class is its one declaration: what it predicts, what it reads of a log, what it is trained on. Whoever uses a
trained one calls ``predict`` only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from recommend.config import ModelConfig
from recommend.data.ragged import Batch, on_device, tensor_of
from recommend.features.feature_map import FeatureMap
from recommend.layers.inputs import InputLayer
from recommend.layers.mlp import MLP
from recommend.losses.pointwise import bce
from recommend.models.run_config import RunConfig
from recommend.models.training_log import Encode, Stream, Train, TrainingLog

Logits = dict[str, Tensor]


class Ranker(nn.Module):
    """Base of the models.

    Args:
        features: what is read; ``features.labels`` are the tasks.
        sizes: rows of the embedding tables (``Encoders.sizes()``).
        config: sizes of the layers.

    Attributes:
        Config: sizes, and settings of its own.
        usual: labels that are predicted unless something else is asked.
        only: column that says of which rows of a log the predictions are; empty: of all.
        stock: reads which things of the history were listed with one piece.
        extra: columns of the log that the loss reads; never inputs that serve.
        needs: what else it reads of a log to be trained, as ``table.column``.
        published: trained with published knowledge, on the days after its moment.
    """

    Config: ClassVar[type[ModelConfig]] = ModelConfig
    usual: ClassVar[tuple[str, ...]] = ("click",)
    only: ClassVar[str] = ""
    stock: ClassVar[bool] = False
    extra: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[tuple[str, ...]] = ()
    published: ClassVar[bool] = False

    def __init__(self, features: FeatureMap, sizes: Mapping[str, int], config: ModelConfig) -> None:
        super().__init__()
        self.features = features
        self.config = self.configured(config)
        self.inputs = InputLayer(features, sizes, config)

    @classmethod
    def configured(cls, config: ModelConfig) -> Any:
        """A config with the model's own settings (defaults where it has none), without those of other models."""
        if isinstance(config, cls.Config):
            return config
        return cls.Config.of(
            {n: v for n, v in config.model_dump(exclude_unset=True).items() if n in cls.Config.model_fields}
        )

    @classmethod
    def reads(cls, usual: FeatureMap, run: RunConfig) -> FeatureMap:
        """The features that the model reads, of the usual ones."""
        return usual

    @classmethod
    def join(cls, log: Path, run: RunConfig) -> Encode | None:
        """Adds the columns of the features that are made from others (``joined_by``); content vectors come anyway."""
        return None

    @classmethod
    def joins(cls) -> bool:
        """True where it reads columns that ``join`` makes."""
        return "join" in {name for base in cls.__mro__[: cls.__mro__.index(Ranker)] for name in vars(base)}

    def first_stage(self, source: TrainingLog, out: Path, train: Train) -> None:
        """Trains a part of the model by ``train`` before the rest, with a folder for its checkpoint."""

    def stream(self, source: TrainingLog) -> Stream | None:
        """The rows to train on; None: the impressions, read from the disk, also by several processes."""
        return None

    def fit(self, source: TrainingLog, seed: int) -> tuple[int, float] | None:
        """Fits a model that is not trained by steps, on all rows at once: rows and mean loss; None: it is trained."""
        return None

    @property
    def body_width(self) -> int:
        """Width of context, target and one vector a history together, as most models join them."""
        i = self.inputs
        return i.context_width + i.target_width + sum(i.history_widths.values())

    def mlp(self, inputs: int, out: int = 1) -> MLP:
        """The config's tower."""
        c = self.config
        return MLP(inputs, c.mlp, out, c.activation, c.dropout, c.batch_norm, c.layer_norm)

    def start_at(self, rates: Mapping[str, float]) -> None:
        """Let the tower's biases begin at the log-odds of the labels' rates, where it has an output a label."""
        tower = getattr(self, "top", None)
        last = tower.layers[-1] if isinstance(tower, MLP) and len(tower.layers) else None
        if isinstance(tower, MLP) and isinstance(last, nn.Linear) and last.out_features == len(self.features.labels):
            tower.start_at([rates[n] for n in self.features.labels])

    def forward(self, batch: Batch) -> Logits:
        """(rows,) logits of each task."""
        raise NotImplementedError

    def by_task(self, out: Tensor) -> Logits:
        """The columns of a (rows, tasks) output by the names of the tasks."""
        return dict(zip(self.features.labels, out.unbind(1), strict=True))

    def loss(self, logits: Logits, batch: Batch) -> Tensor:
        """Sum of the tasks' cross-entropies, each over all rows."""
        return torch.stack([bce(logits[name], label(batch, name)) for name in self.features.labels]).sum()

    def measured(self) -> dict[str, tuple[str, str | None]]:
        """The measure of each prediction: its label and, if it is a conditional probability, the label
        of the rows to which it applies."""
        return {name: (name, None) for name in self.features.labels}

    def predicted(self, batch: Batch) -> dict[str, Tensor]:
        """(rows,) probabilities of each task."""
        return {name: value.float().sigmoid() for name, value in self(batch).items()}

    @torch.no_grad()
    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """``predicted``, in evaluation mode, on the processor."""
        device = next(self.parameters()).device
        with evaluating(self):
            return {name: value.cpu() for name, value in self.predicted(on_device(batch, device)).items()}


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while; a model that is in it already is left as it is, since the walk over its layers costs
    milliseconds and other threads may be using it."""
    if not model.training:
        yield
        return
    model.eval()
    try:
        yield
    finally:
        model.train()


def label(batch: Batch, name: str) -> Tensor:
    """A label column as (rows,) numbers."""
    return tensor_of(batch[name])
