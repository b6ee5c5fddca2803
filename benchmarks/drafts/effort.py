"""A seller's effort: what it takes to make drafts right and complete, by a simulated seller who knows the annotation.

    python -m benchmarks.drafts.effort ours=drafts.jsonl theirs=other.jsonl

Each line of a file is ``{"draft": ..., "annotation": ...}`` (a row of ``annotations.jsonl``). Costs in taps, a typed
letter counting as one: one tap confirms all marked words; a marked word that is wrong takes one tap where the right
value is among its alternatives or there is nothing to say, else 2 and its letters; a wrong word that is not marked 3,
because it must be noticed first; a fact that is missing 2, or its letters where it is free text. What the annotation
leaves open, or guessed, costs nothing.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from statistics import mean, median
from typing import Any

import yaml

from listing.lexicon import load_lexicon, plain
from listing.schema import Draft, Span
from listing.taxonomy import Taxonomy, load_taxonomy
from listing.text.claims import NAME, Claim
from listing.text.forms import DETAIL_FILE, implied
from listing.text.spans import find_spans

Row = Mapping[str, Any]
CONFIRM, UNMARKED, CHOOSE = 1, 3, 2
ATTRIBUTES = ("colour", "colour2", "pattern", "sleeve", "neckline", "closure", "material", "audience")
OPEN = (None, "", "n/a", "unknown", "none")
GOES_WITHOUT_SAYING = {("pattern", "solid"), ("pattern", "other"), ("closure", "pull-on"), ("closure", "slip-on")}


@dataclass(frozen=True)
class Effort:
    """Taps by what they are for; ``details`` are those of details, whatever was wrong with them."""

    confirm: int = 0
    marked: int = 0
    unmarked: int = 0
    missing: int = 0
    details: int = 0

    @property
    def total(self) -> int:
        """All taps."""
        return self.confirm + self.marked + self.unmarked + self.missing + self.details


class Truth:
    """What an annotation says of an item."""

    def __init__(self, row: Row, taxonomy: Taxonomy) -> None:
        self.row, self.taxonomy = row, taxonomy
        self.category: str = row["label"]
        text = f"{row['title']}. {row['description']}".lower()
        self.details = {phrase for phrase, pattern in _patterns().items() if pattern.search(text)}
        guessed = set(row.get("guess", ()))
        self.facts = {a: row[a] for a in ATTRIBUTES if row.get(a) not in OPEN and a not in guessed}
        self.free = {a: str(row[a]) for a in ("brand", "text") if row.get(a) not in OPEN}
        self.wear = set(row.get("condition") or ()) - {"none-visible"}

    def judge(self, attribute: str, value: str) -> bool | None:
        """Whether a claim is right; None where the annotation leaves it open."""
        if attribute == "category":
            return value == self.category
        if attribute == NAME:
            return self._is_called(value)
        if attribute == "detail":
            return value in self.details
        if attribute == "condition":
            return value in self.wear
        if attribute in ("brand", "text"):
            return attribute in self.free and _alike(value, self.free[attribute])
        if attribute in ("colour", "colour2"):
            return value in (self.row.get("colour"), self.row.get("colour2"))
        if attribute in self.facts:
            return bool(value == self.facts[attribute])
        return False if self.row.get(attribute) == "n/a" else None

    def right(self, attribute: str) -> str | None:
        """The right value in the place of a wrong one, or None where there is nothing to say."""
        if attribute in ("category", NAME):
            return str(self.row["item"])
        return self.facts.get(attribute) or self.free.get(attribute)

    def _is_called(self, name: str) -> bool:
        nouns, words = load_lexicon(self.taxonomy).nouns, plain(name)
        keys = (words, words.removesuffix("s"), words.split()[-1], words.split()[-1].removesuffix("s"))
        named = next((nouns[key] for key in keys if key in nouns), frozenset())
        return self.category in named or plain(str(self.row["item"])).removesuffix("s").endswith(keys[-1])


def effort(draft: Draft, row: Row, taxonomy: Taxonomy) -> Effort:
    """What it takes to make one draft right and complete."""
    truth = Truth(row, taxonomy)
    spans = draft.spans or _spans_of_plain(draft, taxonomy)
    claims = {(s.attribute or "", s.value): s for s in spans}
    confirm = marked = unmarked = missing = details = 0
    for (attribute, value), span in claims.items():
        verdict = truth.judge(attribute, value)
        if span.status == "check" and verdict is not False:
            confirm = CONFIRM
        if verdict is not False:
            continue
        cost = UNMARKED if span.status != "check" else _cost_of_marked(span, truth.right(attribute))
        if attribute == "detail":
            details += cost
        elif span.status == "check":
            marked += cost
        else:
            unmarked += cost
    corrected = {attribute for attribute, value in claims if truth.judge(attribute, value) is False}
    for attribute, value in unsaid(draft, truth, taxonomy):
        if attribute == "detail":
            details += len(value)
        elif attribute not in corrected:
            missing += len(value) if attribute in ("brand", "text", NAME) else CHOOSE
    return Effort(confirm, marked, unmarked, missing, details)


def _cost_of_marked(span: Span, right: str | None) -> int:
    return 1 if right is None or right in span.alternatives else 2 + len(right)


def unsaid(draft: Draft, truth: Truth, taxonomy: Taxonomy) -> Iterable[tuple[str, str]]:
    """What is known of the item and stands nowhere in the texts, in no words, and does not go without saying."""
    claims = {(s.attribute or "", s.value) for s in draft.spans or _spans_of_plain(draft, taxonomy)}
    text = f"{draft.title}. {draft.description}"
    said = load_lexicon(taxonomy).mentions(text)
    item_type = next((value for attribute, value in claims if attribute == NAME), None)
    node = taxonomy.categories.get(draft.category.value or "")
    silent = implied(node, item_type) if node else frozenset()
    if not any(attribute in ("category", NAME) for attribute, _ in claims):
        yield NAME, str(truth.row["item"])
    for attribute, value in truth.facts.items():
        known = {attribute, f"{attribute}={value}", f"={value}"} & silent or (attribute, value) in GOES_WITHOUT_SAYING
        spoken = value in said.get("colour" if attribute == "colour2" else attribute, ())
        if not known and not spoken and (attribute, value) not in claims:
            yield attribute, value
    for attribute, value in truth.free.items():
        claimed = any(a in ("brand", "text") and _alike(v, value) for a, v in claims)
        if not claimed and value.lower() not in text.lower():
            yield attribute, value
    for value in truth.wear:
        if value not in said.get("condition", ()):
            yield "condition", value
    written = {phrase for phrase, pattern in _patterns().items() if pattern.search(text.lower())}
    for phrase in truth.details - written - silent:
        yield "detail", phrase


def _spans_of_plain(draft: Draft, taxonomy: Taxonomy) -> list[Span]:
    """What a draft without spans claims, all of it unmarked."""
    if draft.category.value is None:
        return []
    claims = [Claim("category", draft.category.value)]
    claims += [Claim(a.name, value) for a in draft.attributes if (value := a.value or a.suggestion)]
    return find_spans({"title": draft.title, "description": draft.description}, claims, taxonomy)


def from_nothing(row: Row) -> int:
    """The letters of the annotator's own listing."""
    return len(row["title"]) + len(row["description"])


def _alike(one: str, other: str) -> bool:
    first, second = ("".join(c for c in text.lower() if c.isalnum()) for text in (one, other))
    return bool(first) and bool(second) and (first in second or second in first)


@lru_cache(maxsize=1)
def _patterns() -> dict[str, re.Pattern[str]]:
    raw = yaml.safe_load(DETAIL_FILE.read_text(encoding="utf-8"))
    return {phrase: re.compile(entry["find"]) for group in raw.values() for phrase, entry in group.items()}


def table(sets: Mapping[str, Sequence[tuple[Draft, Row]]], taxonomy: Taxonomy) -> str:
    """One line a set: mean taps in all and by kind, their median, and what writing from nothing takes."""
    head = ("drafts", "n", "taps", "median", "confirm", "marked", "unmarked", "missing", "details")
    lines = ["  ".join(f"{name:>9}" for name in head)]
    for name, pairs in sets.items():
        all_ = [effort(draft, row, taxonomy) for draft, row in pairs]
        parts = [mean(getattr(e, part) for e in all_) for part in head[4:]]
        numbers = [mean(e.total for e in all_), median(e.total for e in all_), *parts]
        lines.append("  ".join([f"{name:>9}", f"{len(all_):>9}", *(f"{n:>9.2f}" for n in numbers)]))
    rows = [row for pairs in sets.values() for _, row in pairs]
    lines.append("  ".join([f"{'nothing':>9}", f"{len(rows):>9}", f"{mean(map(from_nothing, rows)):>9.2f}"]))
    return "\n".join(lines)


def read(file: Path) -> list[tuple[Draft, Row]]:
    """Drafts with their annotations."""
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [(Draft.model_validate(line["draft"]), line["annotation"]) for line in lines]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", metavar="NAME=FILE")
    given = [entry.partition("=") for entry in parser.parse_args().sets]
    print(table({name: read(Path(file)) for name, _, file in given}, load_taxonomy()))


if __name__ == "__main__":
    main()
