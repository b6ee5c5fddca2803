"""Evaluation during the language stage, on a fixed sample of the validation senders; training goes on undisturbed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch

from finetune.data.packing import Batch, collate, pack
from finetune.data.photosets import letterbox, open_photo
from finetune.data.tasks import TaskPlan, photo_tasks, text_tasks
from finetune.embedded.tower import normalise
from finetune.evaluate.arms.statement import Statement, single_source
from finetune.evaluate.measures import attribute_scores
from finetune.evaluate.questions import all_questions, named
from finetune.train.collator import Encoded
from finetune.train.samples import evaluating, spread, write_samples
from listing.backends.local import LocalBackend
from listing.backends.turns import answer, find_turns, question
from listing.taxonomy import Taxonomy

PLAN = TaskPlan(hint_share=0.0, claim_share=0.0, second_colour_share=1.0, untuned_share=0.0, drop_fact=0.0)
Loss = Callable[[Batch, torch.Tensor], torch.Tensor]  # (batch, pixels [b, 3, h, w]) -> mean loss


class Evaluator:
    """Loss, category accuracy and attribute F1 of ``rows``; what the model says to ``fixed`` of them is written out."""

    def __init__(
        self, rows: Sequence[dict[str, Any]], fixed: int, model: Any, backend: LocalBackend, taxonomy: Taxonomy
    ) -> None:
        self.rows, self.model, self.backend, self.taxonomy = rows, model, backend, taxonomy
        self.fixed = [_turns(row, number, taxonomy, backend) for number, row in enumerate(spread(rows, fixed))]
        self.packed = [pack(photo_tasks(row, taxonomy, PLAN, Random(k)), backend) for k, row in enumerate(rows)]

    def __call__(self, loss_of: Loss, batch_size: int) -> dict[str, float]:
        """The numbers of this moment."""
        starts = range(0, len(self.rows), batch_size)
        with evaluating(self.model):
            losses = [self._loss(loss_of, slice(start, start + batch_size)) for start in starts]
            statements = [s for start in starts for s in self._statements(self.rows[start : start + batch_size])]
        right = [row["label"] == said.category for row, said in zip(self.rows, statements, strict=True)]
        scores = attribute_scores(self.rows, [dict(said.facts) for said in statements])
        return {
            "eval_loss": round(float(np.mean(losses)), 4),
            "category_accuracy": round(sum(right) / len(right), 4),
            "attribute_f1": round(float(scores["micro_f1"]), 4),
        }

    def write_samples(self, file: Path) -> None:
        """Greedy answers to the fixed samples."""
        write_samples(file, self.model, self.backend.processor, self.fixed)

    def _loss(self, loss_of: Loss, part: slice) -> float:
        photos = np.stack([letterbox(row["image"], 256)[16:-16, 16:-16] for row in self.rows[part]])
        batch = collate(self.packed[part], self.backend.tokenizer.eos_token_id)
        return float(loss_of(batch, normalise(photos)).item())

    def _statements(self, rows: Sequence[dict[str, Any]]) -> list[Statement]:
        """The likeliest of the closed choices about each photo."""
        answers = self.backend.score_many([open_photo(row["image"]) for row in rows], all_questions(self.taxonomy))
        return [single_source({"mllm": named(each, self.taxonomy)}, "mllm", self.taxonomy) for each in answers]


def _turns(row: dict[str, Any], number: int, taxonomy: Taxonomy, backend: LocalBackend) -> Encoded:
    """Every other sample is a text from facts, the rest a question about the photo, in turn."""
    rng = Random(number)
    if number % 2:
        (task,) = text_tasks(row, taxonomy, PLAN, rng)
    else:
        tasks = photo_tasks(row, taxonomy, PLAN, rng)
        tasks.sort(key=lambda task: (task.name != "category", task.name))
        task = tasks[number // 2 % len(tasks)]
    messages = (question(task.prompt, int(task.photo)), answer(task.answer))
    turns = find_turns(backend.processor, messages)
    return Encoded(turns, (Path(row["image"]),) if task.photo else (), len(turns.ids), messages)
