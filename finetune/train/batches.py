"""Batches of the language stage: everything random follows from (seed, step, number), in whatever process it is made.

So a resumed run goes on as if nothing had happened, and two processes see what one sees with twice the accumulation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import torch

from finetune.data.mixing import blend, relabel
from finetune.data.packing import Batch, collate, pack
from finetune.data.tasks import photo_tasks, text_tasks
from finetune.embedded.tower import augment, sampling_weights
from finetune.train.configs import TuneConfig
from listing.backends.local import LocalBackend
from listing.taxonomy import Taxonomy

See = Callable[[torch.Tensor], torch.Tensor]  # pixels [b, 3, h, w] -> feature maps [b, channels, h', w']


@dataclass(frozen=True)
class DrawnBatch:
    """A batch with its feature maps [b, channels, h, w] (None: nothing was short enough), and how many were dropped."""

    batch: Batch | None
    maps: torch.Tensor
    dropped: int


class BatchSampler:
    """Draws photos by class and sender, and tasks about them. ``photos``: uint8 [rows, side, side, 3]."""

    def __init__(
        self, rows: Sequence[dict[str, Any]], photos: np.ndarray, backend: LocalBackend, taxonomy: Taxonomy, see: See
    ) -> None:
        self.rows, self.photos, self.backend, self.taxonomy, self.see = rows, photos, backend, taxonomy, see
        self.shares = sampling_weights(list(rows), 0.5, 0.25)

    def __call__(self, cfg: TuneConfig, step: int, number: int = 0) -> DrawnBatch:
        """Batch ``number`` of a step; seeds torch too, for dropout."""
        rng, task_rng = _random(cfg.seed, step, number)
        writing = task_rng.random() < cfg.plan.text_share
        size = max(1, cfg.batch_size // 2) if writing else cfg.batch_size
        drawn = rng.choice(len(self.rows), size, p=self.shares)
        maps, blended = blend(self.see(augment(self.photos[drawn], 224, rng)), cfg.blend_share, rng)
        packed = []
        for k, i in enumerate(drawn):
            row: Mapping[str, Any] = self.rows[i]
            soft = None
            if blended[k] and self.backend.heads is not None:
                pooled = maps[k : k + 1].float().mean((2, 3)).cpu()
                row, soft = relabel(row, self.backend.heads, pooled, self.taxonomy, task_rng)
            tasks = photo_tasks(row, self.taxonomy, cfg.plan, task_rng, soft)
            if writing:
                tasks += text_tasks(self.rows[i], self.taxonomy, cfg.plan, task_rng)
            packed.append(pack(tasks, self.backend))
        keep = [k for k, p in enumerate(packed) if len(p.tree.ids) <= cfg.max_tokens]
        batch = collate([packed[k] for k in keep], self.backend.tokenizer.eos_token_id) if keep else None
        return DrawnBatch(batch, maps[keep], len(packed) - len(keep))


def _random(seed: int, step: int, number: int) -> tuple[np.random.Generator, Random]:
    """Sources of one batch; a step's first batch has the same ones whether others follow or not."""
    first = seed * 1_000_003 + step
    torch.manual_seed(first + 1_000_000_007 * number)
    if number:
        return np.random.default_rng((seed, step, number)), Random(f"{first}:{number}")
    return np.random.default_rng((seed, step)), Random(first)
