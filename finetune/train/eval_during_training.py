"""Evaluation during the language stage, on a fixed sample of the validation senders; training goes on undisturbed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch

from finetune.data.packing import Batch, collate, pack
from finetune.data.photosets import letterbox
from finetune.data.tasks import LessonPlan, visual, written
from finetune.embedded.tower import normalise
from finetune.evaluate.measures import attribute_scores
from finetune.evaluate.predictions import all_questions
from finetune.train.collator import Encoded, opened
from finetune.train.samples import say_samples, spread, still
from listing.backends.local import LocalBackend
from listing.backends.turns import answer, find_turns, question
from listing.facts.ensemble import best
from listing.facts.questions import within
from listing.prompts import UNKNOWN, category_answers
from listing.taxonomy import Taxonomy

PLAN = LessonPlan(hint_share=0.0, claim_share=0.0, second_colour_share=1.0, untuned_share=0.0, drop_fact=0.0)
Loss = Callable[[Batch, torch.Tensor], torch.Tensor]  # (batch, pixels [b, 3, h, w]) -> mean loss


class Watch:
    """Loss, category accuracy and attribute F1 of ``rows``; what the model says to ``fixed`` of them is written out."""

    def __init__(
        self, rows: Sequence[dict[str, Any]], fixed: int, model: Any, backend: LocalBackend, taxonomy: Taxonomy
    ) -> None:
        self.rows, self.model, self.backend, self.taxonomy = rows, model, backend, taxonomy
        self.fixed = [_turns(row, number, taxonomy, backend) for number, row in enumerate(spread(rows, fixed))]
        self.packed = [pack(visual(row, taxonomy, PLAN, Random(k)), backend) for k, row in enumerate(rows)]

    def __call__(self, loss_of: Loss, batch_size: int) -> dict[str, float]:
        """The numbers of this moment."""
        starts = range(0, len(self.rows), batch_size)
        with still(self.model):
            losses = [self._loss(loss_of, slice(start, start + batch_size)) for start in starts]
            said = [s for start in starts for s in self._say(self.rows[start : start + batch_size])]
        right = [row["label"] == category for row, (category, _) in zip(self.rows, said, strict=True)]
        scores = attribute_scores(self.rows, [facts for _, facts in said])
        return {
            "eval_loss": round(float(np.mean(losses)), 4),
            "category_accuracy": round(sum(right) / len(right), 4),
            "attribute_f1": round(float(scores["micro_f1"]), 4),
        }

    def write_samples(self, file: Path) -> None:
        """JSONL ``{images, prompt, wanted, said}``: greedy answers to the fixed samples."""
        file.parent.mkdir(parents=True, exist_ok=True)
        said = say_samples(self.model, self.backend.processor, self.fixed)
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in said)
        file.write_text(lines, encoding="utf-8")

    def _loss(self, loss_of: Loss, part: slice) -> float:
        photos = np.stack([letterbox(row["image"], 256)[16:-16, 16:-16] for row in self.rows[part]])
        batch = collate(self.packed[part], self.backend.tokenizer.eos_token_id)
        return float(loss_of(batch, normalise(photos)).item())

    def _say(self, rows: Sequence[dict[str, Any]]) -> list[tuple[str, dict[str, str | None]]]:
        """(category, stated attributes) of each photo: the likeliest of the closed choices."""
        photos = [opened([Path(row["image"])])[0] for row in rows]
        names = {words: name for name, words in category_answers(self.taxonomy).items()}
        out = []
        for answers in self.backend.score_many(photos, all_questions(self.taxonomy)):
            category = names[best(answers["category"])[0]]
            facts: dict[str, str | None] = {}
            for attribute in self.taxonomy.schema(category):
                if attribute.values and attribute.name in answers:
                    value, _ = best(within(answers[attribute.name], attribute))
                    facts[attribute.name] = None if value in (UNKNOWN, attribute.absent) else value
            out.append((category, facts))
        return out


def _turns(row: dict[str, Any], number: int, taxonomy: Taxonomy, backend: LocalBackend) -> Encoded:
    """Every other sample is a text from facts, the rest a question about the photo, in turn."""
    rng = Random(number)
    if number % 2:
        (lesson,) = written(row, taxonomy, PLAN, rng)
    else:
        lessons = visual(row, taxonomy, PLAN, rng)
        lessons.sort(key=lambda lesson: (lesson.family != "category", lesson.family))
        lesson = lessons[number // 2 % len(lessons)]
    messages = (question(lesson.prompt, int(lesson.photo)), answer(lesson.answer))
    turns = find_turns(backend.processor, messages)
    return Encoded(turns, (Path(row["image"]),) if lesson.photo else (), len(turns.ids), messages)
