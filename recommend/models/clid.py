"""CLID: Calibration-compatible Listwise Distillation of Privileged Features for CTR Prediction (WSDM 2024, arXiv
2312.08727).

Privileged features exist only after the page was shown (``available="after"`` in ``data/schema.py``): the teacher reads
them, what serves never does. They come as the extra column ``privileged``, so that they are no input of any
``Ranker.inputs`` and may be missing where the student serves. ``dwell_s`` is known afterwards too, but it is 0 without
a click: it *is* the label, and must not be among them.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import NonNegativeInt
from torch import Tensor, nn

from recommend.config import ConfigError, ModelConfig
from recommend.data.ragged import Batch, Ragged, rows_of
from recommend.features.feature_map import FeatureMap
from recommend.layers.activations import standardised
from recommend.losses.distillation import distillation, lists_of
from recommend.losses.pointwise import bce
from recommend.models.base import Logits, label
from recommend.models.baselines.din import DIN

PRIVILEGED = "privileged"  # extra column: (rows, n) numbers or ragged lists of n
TEACHER = "teacher"  # extra column: (rows,) probabilities of a teacher that was trained before
LIST = "request_id"  # extra column: rows of a page share it


class Privileged(nn.Module):
    """The privileged features of a batch as (rows, width), standardised over what training saw."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.norm = nn.BatchNorm1d(width, affine=False) if width else None

    def forward(self, batch: Batch) -> Tensor:
        """(rows, width); without a column (KeyError) there is no teacher: nothing is made up."""
        if self.norm is None:
            return torch.zeros(rows_of(batch), 0)
        column = batch[PRIVILEGED]
        flat = column.values if isinstance(column, Ragged) else column
        return standardised(self.norm, flat.reshape(-1, self.width).float())


class _OneTask(DIN):
    """DIN on the first label, with the privileged features at hand."""

    class Config(ModelConfig):
        """Settings of teacher and student."""

        distillation: str = "clid"  # a name in losses/distillation.py
        alpha: float = 0.5  # the student's share of the cross-entropy on clicks; the rest is the distillation's
        privileged: NonNegativeInt = 4  # numbers a row of the log's privileged column, for a teacher

    def __init__(self, features: FeatureMap, sizes: Mapping[str, int], config: ModelConfig) -> None:
        super().__init__(features, sizes, config)
        if len(features.labels) != 1:
            raise ConfigError(f"distillation of privileged features takes one label, not {', '.join(features.labels)}.")
        self.task = features.labels[0]
        self.privileged = Privileged(self.config.privileged if PRIVILEGED in features.extra else 0)


class Teacher(_OneTask):
    """DIN whose MLP reads ``[V_r; V_p]``: what is known at the request and what is known after. It never serves."""

    def __init__(self, features: FeatureMap, sizes: Mapping[str, int], config: ModelConfig) -> None:
        super().__init__(features, sizes, config)
        self.top = self.mlp(self.body_width + self.privileged.width)

    def forward(self, batch: Batch) -> Logits:
        both = torch.cat([self.body(self.inputs(batch)), self.privileged(batch)], 1)
        return {self.task: self.top(both).squeeze(1)}


class CLID(_OneTask):
    """The student: ``L = alpha CE(y, p_s) + (1 - alpha) L_d(p_t, p_s)``, with ``L_d`` from ``losses/distillation.py``.

    Of a teacher that was trained before, the map's ``extra`` names the column ``teacher`` with its probabilities.
    Otherwise a teacher is trained along: an MLP of its own on the shared ``V_r`` and the privileged features, whose
    cross-entropy adds to the loss. Its probabilities are targets without gradient, and ``predict`` leaves it out.

    Lists are the pages (``request_id`` in ``extra``), or else the rows of a batch that share the map's ``group``.

    Raises:
        ConfigError: more than one label, an unknown distillation, or an alpha outside 0..1.
    """

    extra = (LIST, PRIVILEGED)

    def __init__(self, features: FeatureMap, sizes: Mapping[str, int], config: ModelConfig) -> None:
        super().__init__(features, sizes, config)
        if not 0 <= self.config.alpha <= 1:
            raise ConfigError(f"alpha is the share of the cross-entropy, from 0 to 1, not {self.config.alpha}.")
        self.distil = distillation(self.config.distillation)
        self.list_column = LIST if LIST in features.extra else features.group
        from_log = TEACHER in features.extra
        self.teacher = None if from_log else self.mlp(self.body_width + self.privileged.width)

    def forward(self, batch: Batch) -> Logits:
        body = self.body(self.inputs(batch))
        logits = {self.task: self.top(body).squeeze(1)}
        if self.training and self.teacher is not None:
            logits[TEACHER] = self.teacher(torch.cat([body, self.privileged(batch)], 1)).squeeze(1)
        return logits

    def loss(self, logits: Logits, batch: Batch) -> Tensor:
        clicked, student = label(batch, self.task), logits[self.task]
        teacher = label(batch, TEACHER) if self.teacher is None else logits[TEACHER].sigmoid()
        order, lengths = lists_of(label(batch, self.list_column))
        distilled = self.distil(student[order], teacher.to(student.dtype)[order], lengths)
        total = self.config.alpha * bce(student, clicked) + (1 - self.config.alpha) * distilled
        return total if self.teacher is None else total + bce(logits[TEACHER], clicked)
