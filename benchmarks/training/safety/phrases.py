"""Generated phrases with a handle or a street address, and clean ones that name the same networks and streets."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import yaml

WORDS: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("words.yaml").read_text(encoding="utf-8"))


def fill(template: str, rng: random.Random, **slots: str) -> str:
    """Slots of a template replaced: given ones, word lists, {n} a number to 199, {d3} three digits, {y} a year."""

    def slot(match: re.Match[str]) -> str:
        name = match[1]
        if name in slots:
            return slots[name]
        if f"word_{name}" in WORDS:
            invented = name in "SGRNT" and rng.random() < 0.4
            return (
                "".join(rng.choice(WORDS["syllables"]) for _ in range(rng.choice((2, 2, 3)))).title()
                if invented
                else rng.choice(WORDS[f"word_{name}"])
            )
        if name == "n":
            return str(rng.randint(1, 199))
        if name == "y":
            return str(rng.randint(1950, 2026))
        if name == "P":
            area = rng.choice("BCELMNSW") + rng.choice("ABDEHLNRST") + str(rng.randint(1, 29))
            return f"{area} {rng.randint(1, 9)}{rng.choice('ABDEFGHJ')}{rng.choice('ABDEFGHJ')}"
        return str(rng.randint(1, 9)) + "".join(rng.choice("0123456789") for _ in range(int(name[1:]) - 1))

    return re.sub(r"\{(\w+)\}", slot, template)


def address(rng: random.Random) -> tuple[str, str]:
    """A cue, which may be empty, and a made-up street address."""
    street = fill(rng.choice(WORDS["streets"]), rng)
    return rng.choice(WORDS["cues"]), street.lower() if rng.random() < 0.15 else street


def messenger(rng: random.Random) -> tuple[str, str]:
    """The words before and after the handle in a phrase that offers it."""
    before, after = rng.choice(WORDS["messenger"]).replace("{p}", rng.choice(WORDS["networks"])).split("{h}")
    return before, after


def clean_phrase(rng: random.Random) -> str:
    """A phrase about networks, streets or questions that gives no contact data."""
    return fill(rng.choice(WORDS["no_contact"]), rng, p=rng.choice(WORDS["networks"]))
