"""Goods that are not listed: rules from ``goods.yaml``, with the contexts in which the same words are harmless."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from listing.safety.fold import fold

# A harmless thing beside the goods ('bag of ...', '... and a cap') does not make the goods harmless.
_NO_LINK = r"(?!(?:and|with|in|of|for|to|full)\b)"
DEFAULT_FILE = Path(__file__).with_name("goods.yaml")


@dataclass(frozen=True)
class Refusal:
    """Why a listing is refused: a stable ``code`` and a ``message`` for the seller."""

    code: str
    message: str


@dataclass(frozen=True)
class GoodsRule:
    """One kind of goods; see the head of ``goods.yaml``."""

    code: str
    message: str
    terms: re.Pattern[str]
    unless: re.Pattern[str] | None
    needs: re.Pattern[str] | None
    hard: bool
    categories: re.Pattern[str] | None


@dataclass(frozen=True)
class GoodsRules:
    """All rules, contexts that excuse a term, and words of categories whose things only show or hold the goods."""

    safe: re.Pattern[str]
    media: re.Pattern[str]
    playthings: re.Pattern[str]
    sold_itself: re.Pattern[str]
    keeps_for: re.Pattern[str]
    decor_after: re.Pattern[str]
    decor_before: re.Pattern[str]
    drawn_after: re.Pattern[str]
    garments: re.Pattern[str]
    offered: re.Pattern[str]
    rules: tuple[GoodsRule, ...]


def _unfold(pattern: str) -> str:
    """A pattern that the file spreads over several lines, on one line again."""
    return pattern.replace("\n", "")


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-])(?:{_unfold(pattern)})(?![\w-])")


@lru_cache(maxsize=4)
def load_rules(path: Path = DEFAULT_FILE) -> GoodsRules:
    """Rules of a file, compiled once per path."""
    raw: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    decor = _unfold(raw["decor"])
    rules = tuple(
        GoodsRule(
            code=rule["code"],
            message=rule["message"],
            terms=_words(rule["terms"]),
            unless=re.compile(_unfold(rule["unless"])) if "unless" in rule else None,
            needs=_words(rule["needs"]) if "needs" in rule else None,
            hard=rule.get("hard", False),
            categories=_words(rule["categories"]) if "categories" in rule else None,
        )
        for rule in raw["rules"]
    )
    return GoodsRules(
        safe=_words("|".join(raw["safe"])),
        media=_words(raw["media"]),
        playthings=_words(raw["playthings"]),
        sold_itself=_words(raw["sold_itself"]),
        keeps_for=re.compile(_unfold(raw["keeps_for"])),
        decor_after=re.compile(rf"[\s'’-]+(?:{_NO_LINK}\w+[\s-]+)?(?:{decor})(?!\w)"),
        decor_before=re.compile(rf"(?<!\w)(?:{decor})[\s-]+(?:{_NO_LINK}\w+[\s-]+)?$"),
        drawn_after=re.compile(rf"[-\s]free(?!\w)|\s(?:and|&|n)\s\w+\s(?:{_unfold(raw['drawn'])})(?!\w)"),
        garments=_words(raw["garments"]),
        offered=re.compile(rf"(?:{_unfold(raw['offered'])})$"),
        rules=rules,
    )


def _excused(rules: GoodsRules, rule: GoodsRule, text: str, found: re.Match[str]) -> bool:
    around = text[max(0, found.start() - 30) : found.end() + 30]
    if rule.unless and rule.unless.search(around):
        return True
    if rule.hard:
        return False
    if rules.drawn_after.match(text, found.end()):
        return True
    if rules.keeps_for.search(text[max(0, found.start() - 36) : found.start()]):
        return True
    return bool(rules.decor_after.match(text, found.end()) or rules.decor_before.search(text[: found.start()]))


def _shown_only(rules: GoodsRules, rule: GoodsRule, category: str, text: str) -> bool:
    """Whether the listing is a book, film, game, toy or costume: there the word is a title or a plaything.

    Never for copies of brands and the like (``hard``), nor when the text says that the thing itself is sold.
    """
    if rule.hard or rules.sold_itself.search(text):
        return False
    return bool(rules.media.search(category) or rules.playthings.search(category) or rules.media.search(text))


def _names_a_garment(rules: GoodsRules, rule: GoodsRule, category: str, text: str, found: re.Match[str]) -> bool:
    """Whether the word only names a garment or scent ('Guns purple t-shirt'): nothing offers the goods beside it."""
    if rule.hard or not rules.garments.search(category) or rules.sold_itself.search(text):
        return False
    named = rules.garments.search(text[len(category) + 1 :])
    return bool(named) and not rules.offered.search(text[max(0, found.start() - 24) : found.start()])


def check_goods(category: str | None, text: str) -> Refusal | None:
    """A refusal when the category's name or the title and description offer goods that may not be listed, else None."""
    rules = load_rules()
    lowered = fold(f"{category or ''}. {text}").lower.replace("’", "'")
    kind = fold(category or "").lower
    masked = rules.safe.sub(lambda m: "_" * len(m[0]), lowered)
    for rule in rules.rules:
        if rule.categories and rule.categories.fullmatch(kind):
            return Refusal(rule.code, rule.message)
        if rule.needs and not rule.needs.search(masked):
            continue
        if not (kind and rule.terms.search(kind)) and _shown_only(rules, rule, kind, lowered):
            continue
        if any(
            not _excused(rules, rule, masked, found) and not _names_a_garment(rules, rule, kind, masked, found)
            for found in rule.terms.finditer(masked)
        ):
            return Refusal(rule.code, rule.message)
    return None
