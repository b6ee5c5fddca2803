"""Goods of the demo: real photos of used clothes (``photos/``), and what a seller may say of each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

PHOTOS = Path(__file__).with_name("photos")
GRADES = ("new with tag", "new without tag", "very good", "good", "fair")
GRADE_SHARES = (0.0, 0.15, 0.35, 0.4, 0.1)  # a tag would be in the photo
PRICE_BY_GRADE = {"new with tag": 1.3, "new without tag": 1.15, "very good": 1.0, "good": 0.85, "fair": 0.6}
USUAL_PRICES = {  # in euros, by category
    "Blazer": 32, "Blouse": 14, "Body": 10, "Dress": 24, "Hat": 9, "Hoodie": 20, "Longsleeve": 18, "Outwear": 38,
    "Pants": 26, "Polo": 12, "Shirt": 15, "Shoes": 34, "Shorts": 12, "Skirt": 16, "T-Shirt": 9, "Top": 9,
}  # fmt: skip
LETTERS = ("XS", "S", "M", "L", "XL")
KIDS_SIZES = ("98", "104", "110", "116", "122", "128")
SIZES = {"Pants": ("W28", "W30", "W32", "W34"), "Shoes": ("37", "38", "39", "40", "41"), "Hat": ("one size",)}
NOTES = (
    "", "", "", "Washed and ready to wear.", "From a smoke-free home.", "It no longer fits me.",
    "Worn only a few times.", "Selling because my wardrobe is full.", "A present that was not my colour.",
)  # fmt: skip
ADVERTISED = 1 / 12  # share of the offers


@dataclass(frozen=True)
class Item:
    """A photo with its annotation. facts: attribute -> value. details: as in ``observe/details.yaml``."""

    photo: Path
    category: str
    title: str
    description: str
    facts: Mapping[str, str]
    details: tuple[str, ...]


@cache
def items() -> tuple[Item, ...]:
    """Everything in ``photos/``."""
    lines = (PHOTOS / "items.jsonl").read_text(encoding="utf-8").splitlines()
    return tuple(_item(json.loads(line)) for line in lines)


def _item(row: Mapping[str, Any]) -> Item:
    texts = (row["category"], row["title"], row["description"])
    return Item(PHOTOS / row["photo"], *texts, facts=row["facts"], details=tuple(row["details"]))


@dataclass(frozen=True)
class Offer:
    """An item as somebody sells it."""

    number: int
    item: Item
    size: str
    grade: str
    price: float
    note: str
    advertised: bool

    @property
    def facts(self) -> dict[str, str]:
        """What its seller says of it: attribute -> value."""
        return {**self.item.facts, "size": self.size, "condition_grade": self.grade}


def offer(number: int, seed: int) -> Offer:
    """The offer of that number; equal for equal seed. Items come in turn, in an order that the seed draws."""
    every = items()
    item = every[int(np.random.default_rng(seed).permutation(len(every))[number % len(every)])]
    rng = np.random.default_rng([seed, number])
    tagged = item.facts.get("condition") == "tag-attached"
    grade = GRADES[0] if tagged else str(rng.choice(GRADES, p=GRADE_SHARES))
    sizes = KIDS_SIZES if item.facts.get("audience") == "kids" else SIZES.get(item.category, LETTERS)
    price = USUAL_PRICES[item.category] * PRICE_BY_GRADE[grade] * float(np.exp(0.3 * rng.standard_normal()))
    return Offer(
        number=number,
        item=item,
        size=str(rng.choice(sizes)),
        grade=grade,
        price=max(2.0, round(price)) if price < 30 else float(5 * round(price / 5)),
        note=str(rng.choice(NOTES)),
        advertised=bool(rng.random() < ADVERTISED),
    )
