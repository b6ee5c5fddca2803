"""A small evaluation without a model: plain photos, a model that answers as it is told, neighbours made up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from finetune.evaluate.arms.material import Material
from finetune.evaluate.cached_model import CachedModel
from listing.backends.base import ChoiceQuestion
from listing.observe.neighbours import Neighbours
from listing.schema import NeighbourRef
from listing.taxonomy import load_taxonomy
from tests.finetune.rows import annotated

SURE = 0.97


@dataclass
class ToldBackend:
    """Answers with ``answers[question]``, or with the hint where there is one; counts what it was asked."""

    answers: Mapping[str, str] = field(default_factory=dict)
    text: str = "Navy hoodie with a zip."
    follows_hints: bool = False
    asked: list[ChoiceQuestion] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    name: str = "told"
    tree: bool = False
    concurrency: int = 1

    def score(self, image: Any, questions: Sequence[ChoiceQuestion]) -> dict[str, dict[str, float]]:
        self.asked += questions
        return {q.name: self._shares(q) for q in questions}

    def _shares(self, question: ChoiceQuestion) -> dict[str, float]:
        hint = question.prompt.partition("Similar listings say ")[2].partition(";")[0].partition(" or ")[0]
        said = hint if hint and self.follows_hints else self.answers.get(question.name, question.answers[-1])
        rest = (1 - SURE) / (len(question.answers) - 1)
        return {a: SURE if a == said else rest for a in question.answers}

    def score_many(self, images: Sequence[Any], questions: Sequence[ChoiceQuestion]) -> list[Any]:
        return [self.score(image, questions) for image in images]

    def opinions(self, image: Any) -> dict[str, dict[str, float]]:
        return {"label": {"Hoodie": 0.9, "Shirt": 0.1}, "colour": {"navy": 0.8, "n/a": 0.2}}

    def write(self, images: Any, prompt: str, *, max_tokens: int = 120) -> Iterator[str]:
        self.written.append(prompt)
        yield from (self.text[i : i + 5] for i in range(0, len(self.text), 5))


class MadeUpNeighbourhood:
    """Every photo has the same neighbours."""

    def __init__(self, votes: Mapping[str, Mapping[str, float]], nearest: Mapping[str, Any]) -> None:
        self.votes, self.nearest = votes, nearest
        self.categories: list[str | None] = []

    def near(self, row: Mapping[str, Any], category: str | None) -> dict[str, Any]:
        return {"nearest": self.nearest, "neighbours": []}

    def found(self, row: Mapping[str, Any], category: str | None) -> Neighbours:
        self.categories.append(category)
        refs = [NeighbourRef(listing_id="x", score=1.0)]
        return Neighbours(refs, {"Hoodie": 1.0}, self.votes, {})


def photos(folder: Path, count: int, **changes: Any) -> list[dict[str, Any]]:
    """Rows of as many senders, each with a photo of its own."""
    rows = []
    for k in range(count):
        path = folder / f"{k}.png"
        if not path.is_file():
            Image.new("RGB", (40, 40), (30, 40, 60 + k)).save(path)
        texts = {"title": "Navy hoodie", "description": "A navy hoodie with a zip."}
        rows.append({**annotated(image=str(path), sender_id=k), **texts, **changes})
    return rows


def told_model(folder: Path, backend: ToldBackend) -> CachedModel:
    """An ``CachedModel`` around a backend that is there already."""
    model = CachedModel("told", folder, load_taxonomy())
    model.__dict__["backend"] = backend
    return model


ANSWERS = {
    "category": "hoodie", "colour": "navy", "pattern": "solid", "sleeve": "long", "neckline": "hood", "closure": "zip",
    "material": "fleece", "audience": "men", "colour2": "none", "condition": "creased",
}  # fmt: skip
NEAREST = {
    "listing_id": "x", "category": "Shirt", "attributes": {"colour": "red", "brand": "Nike", "closure": "zip"},
    "text": "Red shirt\nA red shirt by Nike.",
}  # fmt: skip


def material(folder: Path, backend: ToldBackend | None = None, count: int = 4, **changes: Any) -> Material:
    """Photos of navy hoodies, and a model that is right about them."""
    rows = photos(folder, count, **changes)
    model = told_model(folder / "store", backend or ToldBackend(ANSWERS))
    made = Material(rows, photos(folder, 3), load_taxonomy(), {"tuned": model, "base": model}, folder, folder, folder)
    seen = {"garment": 1.0, "imagenet": {}, "read": {}, "phash": "0" * 16}
    made.__dict__["image_views"] = [{**seen, "image": Path(row["image"]).name} for row in rows]
    made.__dict__["neighbourhood"] = MadeUpNeighbourhood({"colour": {"red": 1.0}, "closure": {"zip": 1.0}}, NEAREST)
    made.__dict__["vectors"] = (np.eye(3, 8, dtype=np.float32), np.eye(count, 8, dtype=np.float32))
    return made
