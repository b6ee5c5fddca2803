"""What every source says of every annotated photo, in one file that calibration and evaluation read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from listing import prompts
from listing.backends.base import ChoiceQuestion
from listing.backends.local import LocalBackend
from listing.colour import pixel_view
from listing.taxonomy import Attribute, Taxonomy


def seen_attributes(taxonomy: Taxonomy) -> list[Attribute]:
    """Closed attributes of the tuned categories that a photo can show."""
    names = {name for c in taxonomy.tuned() for name in taxonomy.categories[c].attributes}
    return [a for a in taxonomy.attributes.values() if a.name in names and a.values and a.can_be("seen")]


def all_questions(taxonomy: Taxonomy) -> list[ChoiceQuestion]:
    """The category question and one about each attribute with all its values; schemas narrow them afterwards."""
    asked = [ChoiceQuestion("category", prompts.CATEGORY, tuple(prompts.category_answers(taxonomy).values()))]
    return asked + [ChoiceQuestion(a.name, prompts.attribute_question(a), a.answers) for a in seen_attributes(taxonomy)]


def collect(
    rows: Sequence[dict[str, Any]], backend: LocalBackend, taxonomy: Taxonomy, cache: Path, batch: int = 4
) -> list[dict[str, Any]]:
    """One row per photo ``{image, mllm, classifier, pixels}``; what the cache holds is not asked again."""
    done = {row["image"]: row for row in read(cache)}
    names = {words: name for name, words in prompts.category_answers(taxonomy).items()}
    todo = [row for row in rows if Path(row["image"]).name not in done]
    asked = all_questions(taxonomy)
    cache.parent.mkdir(parents=True, exist_ok=True)
    with cache.open("a", encoding="utf-8") as file:
        for start in range(0, len(todo), batch):
            part = todo[start : start + batch]
            photos = [_open(row["image"]) for row in part]
            for row, photo, answers in zip(part, photos, backend.score_many(photos, asked), strict=True):
                answers["category"] = {names[words]: p for words, p in answers["category"].items()}
                made = {
                    "image": Path(row["image"]).name,
                    "mllm": answers,
                    "classifier": backend.opinions(photo),
                    "pixels": {"colour": dict(pixel_view(photo, 0).shares)},
                }
                done[made["image"]] = made
                file.write(json.dumps(made) + "\n")
            file.flush()
    return [done[Path(row["image"]).name] for row in rows]


def read(cache: Path) -> Iterator[dict[str, Any]]:
    """Rows of a cache file; a torn last line is left out."""
    if not cache.is_file():
        return
    for line in cache.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            return


def _open(path: str) -> Image.Image:
    with Image.open(path) as photo:
        return photo.convert("RGB")
