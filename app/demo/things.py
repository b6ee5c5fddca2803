"""What is for sale in the demo: 24 kinds of things, each thing drawn by its number, with the facts of its listing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

GRADES = ("new with tag", "new without tag", "very good", "good", "fair")
GRADE_SHARES = (0.08, 0.12, 0.35, 0.35, 0.1)
WORN = {"new with tag": 1.3, "new without tag": 1.15, "very good": 1.0, "good": 0.85, "fair": 0.6}  # of the price
LETTERS = ("XS", "S", "M", "L", "XL")
WAISTS = ("W28", "W30", "W32", "W34", "W36")
SHOES = ("37", "38", "39", "40", "41", "42", "43")
PRINTS = ("SUNDAY", "HELLO", "SLOW DOWN", "NORTH", "WILD", "GOOD DAYS", "OCEAN", "LUCKY", "MOUNTAIN", "HOME TEAM")
MUGS = ("GOOD MORNING", "TEA FIRST", "COFFEE", "HELLO", "MONDAY")
TITLES = ("THE LONG WAY", "NORTH WIND", "A QUIET HOUSE", "SALT", "THE GARDEN", "BLUE HOURS", "LOST MAPS")
GRAPHICS = ("sun", "waves", "mountain", "heart", "star")
CLOTHES_NOTES = (
    "", "", "", "Washed and ready to wear.", "From a smoke-free home.", "It no longer fits me.",
    "Worn only a few times.", "Selling because my wardrobe is full.", "A present that was not my colour.",
)  # fmt: skip
OTHER_NOTES = (
    "", "", "", "From a smoke-free home.", "We are moving and it has to go.", "I have two of them.",
    "It has stood on a shelf for years.", "Collection or post, both are fine.", "It comes well packed.",
)  # fmt: skip
CLOTHES = ("white", "black", "grey", "navy", "blue", "red", "green", "beige", "pink", "yellow", "burgundy", "olive")
BRIGHT = ("red", "blue", "green", "yellow", "orange", "pink", "white", "purple", "light-blue")


@dataclass(frozen=True)
class Kind:
    """A kind of things.

    name: which drawing it has. price: usual one, in euros. facts: attribute -> the same for all of the kind.
    patterns: what its surface may be, of which ``words``, ``graphic`` and ``striped`` are drawn. details: as in
    ``listing/observe/networks/details.yaml``.
    """

    name: str
    category: str
    price: float
    colours: tuple[str, ...]
    facts: Mapping[str, str] = field(default_factory=dict)
    patterns: tuple[str, ...] = ("solid",)
    details: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


KINDS = (
    Kind("t-shirt", "T-Shirt", 9, CLOTHES, {"sleeve": "short", "neckline": "crew", "material": "cotton"},
         ("solid", "striped", "words", "graphic", "graphic"), (), LETTERS, PRINTS),
    Kind("jumper", "Longsleeve", 18, CLOTHES, {"item_type": "jumper", "sleeve": "long", "neckline": "crew",
         "material": "wool"}, ("solid", "striped", "colour-block"), ("ribbed cuffs", "ribbed hem"), LETTERS),
    Kind("shirt", "Shirt", 15, ("white", "light-blue", "blue", "red", "green", "navy", "pink"), {"sleeve": "long",
         "material": "cotton"}, ("solid", "striped", "checked", "checked"), ("chest pocket",), LETTERS),
    Kind("hoodie", "Hoodie", 20, CLOTHES, {"sleeve": "long", "material": "cotton"}, ("solid", "words", "words"),
         ("kangaroo pocket", "drawstring hood", "ribbed cuffs"), LETTERS, PRINTS),
    Kind("jacket", "Outwear", 38, ("black", "navy", "red", "olive", "orange", "yellow", "light-blue"),
         {"item_type": "puffer jacket", "closure": "zip", "neckline": "collar", "material": "synthetic"},
         ("solid",), ("side pockets",), LETTERS),
    Kind("blazer", "Blazer", 32, ("black", "navy", "grey", "beige", "burgundy", "olive"), {"material": "wool"},
         ("solid", "solid", "checked"), ("flap pockets",), LETTERS),
    Kind("dress", "Dress", 24, ("red", "navy", "black", "pink", "yellow", "green", "light-blue", "burgundy"),
         {"item_type": "flared dress", "sleeve": "sleeveless", "neckline": "scoop", "material": "cotton"},
         ("solid", "floral", "polka-dot", "floral"), (), LETTERS),
    Kind("jeans", "Pants", 26, ("blue", "navy", "light-blue", "black", "grey"), {"item_type": "jeans",
         "material": "denim", "closure": "zip"}, ("solid",), ("five-pocket cut",), WAISTS),
    Kind("shorts", "Shorts", 12, CLOTHES[2:], {"material": "cotton", "closure": "tie"}, ("solid", "striped"),
         ("drawstring waist",), LETTERS),
    Kind("skirt", "Skirt", 16, ("black", "red", "navy", "green", "beige", "pink", "burgundy"),
         {"item_type": "pleated skirt", "material": "synthetic"}, ("solid", "checked", "polka-dot"), (), LETTERS),
    Kind("trainers", "Shoes", 34, ("white", "black", "red", "blue", "green", "grey", "navy", "pink"),
         {"item_type": "trainers", "material": "leather"}, ("solid",), ("white sole",), SHOES),
    Kind("beanie", "Hat", 9, CLOTHES[2:], {"item_type": "beanie", "material": "wool"},
         ("solid", "striped"), ("pom-pom", "folded edge")),
    Kind("mug", "Mug", 6, BRIGHT, {"material": "ceramic"}, ("solid", "words", "striped", "polka-dot"), words=MUGS),
    Kind("teapot", "Teapot", 19, ("white", "blue", "green", "red", "light-blue", "yellow"), {"material": "ceramic"},
         ("solid", "floral", "striped")),
    Kind("vase", "Vase", 14, ("white", "blue", "green", "orange", "pink", "black", "beige"), {"material": "ceramic"},
         ("solid", "striped", "polka-dot")),
    Kind("lamp", "Table lamp", 22, ("white", "red", "yellow", "green", "beige", "blue", "pink"),
         {"works": "works fully"}),
    Kind("chair", "Chair", 35, ("brown", "white", "black", "green", "blue", "yellow", "red"),
         {"material": "wood", "dimensions": "44 x 48 x 84 cm"}),
    Kind("clock", "Clock", 16, ("white", "red", "black", "yellow", "light-blue", "green"),
         {"works": "works fully"}),
    Kind("cushion", "Cushion", 11, (*BRIGHT, "grey", "beige"), {"material": "cotton", "dimensions": "40 x 40 cm"},
         ("solid", "striped", "checked", "floral", "polka-dot")),
    Kind("backpack", "Backpack", 28, ("navy", "black", "red", "green", "yellow", "grey", "olive")),
    Kind("book", "Book", 5, (*BRIGHT, "navy", "burgundy"), words=TITLES, patterns=("words",)),
    Kind("teddy", "Soft toy", 10, ("brown", "beige", "grey", "white", "pink")),
    Kind("guitar", "Guitar", 85, ("brown", "orange", "red", "black", "beige")),
    Kind("camera", "Camera", 60, ("black", "brown", "silver"), {"works": "works fully"}),
)  # fmt: skip
GARMENTS = 12  # of ``KINDS``, the first ones


@dataclass(frozen=True)
class Thing:
    """A thing by its number. ``words``: printed on it; ``graphic``: what is drawn on it; either may be empty."""

    number: int
    kind: Kind
    colour: str
    colour2: str
    pattern: str
    words: str
    graphic: str
    size: str
    grade: str
    price: float
    note: str
    seed: int

    @property
    def facts(self) -> dict[str, str]:
        """What its seller says of it: attribute -> value."""
        facts = {"colour": self.colour, "colour2": self.colour2, **self.kind.facts}
        if self.kind in KINDS[:GARMENTS] and not self.words:  # words are told as such
            facts["pattern"] = self.pattern
        if self.kind.name != "book":
            facts["text"] = self.words
        facts |= {"size": self.size, "condition_grade": self.grade}
        return {name: value for name, value in facts.items() if value}

    @property
    def title(self) -> str:
        """What its seller calls it; empty where the title is written from the facts."""
        return f"“{self.words.title()}”, hardback" if self.kind.name == "book" else ""

    @property
    def details(self) -> tuple[str, ...]:
        """What its photos show beyond the facts."""
        shown = {"sun": (), "heart": ("heart print",), "star": ("star print",)}.get(self.graphic, ())
        return (*self.kind.details, *shown)


def thing(number: int, seed: int) -> Thing:
    """The thing of that number; equal for equal seed. Kinds come in turn."""
    rng = np.random.default_rng([seed, number])
    kind = KINDS[number % len(KINDS)]
    colour, pattern = str(rng.choice(kind.colours)), str(rng.choice(kind.patterns))
    second = [c for c in ("white", "navy", "red", "yellow", "black", "grey") if c != colour]
    worn = kind in KINDS[:GARMENTS]
    grade = str(rng.choice(GRADES, p=GRADE_SHARES) if worn else rng.choice(GRADES[2:]))
    price = kind.price * WORN[grade] * float(np.exp(0.3 * rng.standard_normal()))
    return Thing(
        number=number,
        kind=kind,
        colour=colour,
        colour2=str(rng.choice(second)) if pattern not in ("solid", "words", "graphic") else "",
        pattern=pattern,
        words=str(rng.choice(kind.words)) if pattern == "words" else "",
        graphic=str(rng.choice(GRAPHICS)) if pattern == "graphic" else "",
        size=str(rng.choice(kind.sizes)) if kind.sizes else "",
        grade=grade,
        price=max(2.0, round(price)) if price < 30 else float(5 * round(price / 5)),
        note=str(rng.choice(CLOTHES_NOTES if worn else OTHER_NOTES)),
        seed=int(rng.integers(1 << 31)),
    )
