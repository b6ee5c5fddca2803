"""Adversarial retrieval: every neighbour states a wrong colour and a wrong brand. What of it reaches the draft?

The rest of what neighbours say is left as it is. A wrong colour is one that the photo shows neither first nor second.
All neighbours of a photo say the same one, which is the worst case: they agree.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from finetune.evaluate.arms.material import Material, Row
from finetune.evaluate.arms.mllm import with_hints
from finetune.evaluate.arms.statement import Statement, likeliest
from finetune.evaluate.arms.system import system_statements
from finetune.evaluate.arms.yardsticks import copied, nearest_listings
from listing.observe.printed.brands import brand_names
from listing.decide.pool import best


def wrong_colour(row: Row, colours: tuple[str, ...]) -> str:
    """A colour that the annotation does not name, the same in every run."""
    others = [c for c in colours if c not in (row["colour"], row["colour2"])]
    return others[_number(row, "colour") % len(others)]


def wrong_brand(row: Row) -> str:
    """A known brand that the annotation does not name, the same in every run."""
    own = str(row["brand"] or "").casefold()
    others = [name for name in brand_names() if name.casefold() not in own or not own]
    return others[_number(row, "brand") % len(others)]


def _number(row: Row, salt: str) -> int:
    return zlib.crc32(f"{salt}:{row['image'].rpartition('/')[2]}".encode())


def poisoned_hints(material: Material, row: Row, category: str) -> dict[str, list[str]]:
    """What neighbours of that category hint at, with one wrong colour in the place of theirs."""
    found = material.neighbourhood.found(row, category)
    colours = material.taxonomy.attributes["colour"].values
    return replace(found, votes={**found.votes, "colour": {wrong_colour(row, colours): 1.0}}).hints()


def mllm(material: Material) -> list[Statement]:
    """The multimodal model by itself under poisoned hints."""
    out = []
    for row, said in zip(material.rows, material.predictions("tuned"), strict=True):
        category = best(said["mllm"]["category"])[0]
        hints = poisoned_hints(material, row, category)
        answers = with_hints(material, "tuned", row, said["mllm"], category=category, hints=hints)
        out.append(likeliest(answers["category"], answers, material.taxonomy))
    return out


def system(material: Material) -> list[Statement]:
    """The whole system under poisoned hints; a brand is only ever read, so that neighbours cannot give one."""

    def ask_again(row: Row, said: Row, category: str) -> Mapping[str, Any]:
        hints = poisoned_hints(material, row, category)
        return with_hints(material, "tuned", row, said["mllm"], category=category, hints=hints)

    return system_statements(material, ask_again, neighbours=True)


def copy_nearest(material: Material) -> list[Statement]:
    """The copier under poisoned neighbours."""
    colours = material.taxonomy.attributes["colour"].values
    out = []
    for row, near in zip(material.rows, nearest_listings(material), strict=True):
        statement = copied(near["nearest"])
        facts = {**statement.facts, "colour": wrong_colour(row, colours), "brand": wrong_brand(row)}
        out.append(Statement(statement.category, facts))
    return out
