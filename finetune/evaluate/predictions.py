"""What every source says of every annotated photo, in one file that calibration and evaluation read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from finetune.data.photosets import open_photo
from finetune.evaluate.row_cache import RowCache
from listing import prompts
from listing.backends.base import ChoiceQuestion
from listing.evidence.colour import pixel_view
from listing.taxonomy import Attribute, Taxonomy


class ManyPhotos(Protocol):
    """What is needed of a backend here; ``listing.backends.local.LocalBackend`` has it."""

    name: str

    def score_many(
        self, images: Sequence[Image.Image], questions: Sequence[ChoiceQuestion]
    ) -> list[dict[str, dict[str, float]]]:
        """The same questions about several photos."""
        ...

    def opinions(self, image: Image.Image) -> dict[str, dict[str, float]]:
        """What the vision tower's own heads say."""
        ...


def seen_attributes(taxonomy: Taxonomy) -> list[Attribute]:
    """Closed attributes of the tuned categories that a photo can show."""
    names = {name for c in taxonomy.tuned() for name in taxonomy.categories[c].attributes}
    return [a for a in taxonomy.attributes.values() if a.name in names and a.values and a.can_be("seen")]


def all_questions(taxonomy: Taxonomy) -> list[ChoiceQuestion]:
    """The category question and one about each attribute with all its values; schemas narrow them afterwards."""
    asked = [ChoiceQuestion("category", prompts.CATEGORY, tuple(prompts.category_answers(taxonomy).values()))]
    return asked + [ChoiceQuestion(a.name, prompts.attribute_question(a), a.answers) for a in seen_attributes(taxonomy)]


def named(answers: dict[str, dict[str, float]], taxonomy: Taxonomy) -> dict[str, dict[str, float]]:
    """Answers with the category's words replaced by its name."""
    names = {words: name for name, words in prompts.category_answers(taxonomy).items()}
    if "category" not in answers:
        return answers
    return {**answers, "category": {names[words]: p for words, p in answers["category"].items()}}


def collect(
    rows: Sequence[dict[str, Any]], backend: ManyPhotos, taxonomy: Taxonomy, cache: Path, batch: int = 4
) -> list[dict[str, Any]]:
    """One row per photo ``{image, mllm, classifier, pixels}``; what the cache holds is not asked again."""
    kept = RowCache(cache, lambda row: str(row["image"]))
    todo = [row for row in rows if Path(row["image"]).name not in kept]
    asked = all_questions(taxonomy)
    for start in range(0, len(todo), batch):
        part = todo[start : start + batch]
        photos = [open_photo(row["image"]) for row in part]
        for row, photo, answers in zip(part, photos, backend.score_many(photos, asked), strict=True):
            kept.put(
                {
                    "image": Path(row["image"]).name,
                    "mllm": named(answers, taxonomy),
                    "classifier": backend.opinions(photo),
                    "pixels": {"colour": dict(pixel_view(photo, 0).shares)},
                }
            )
    return [kept[Path(row["image"]).name] for row in rows]
