"""What no text that was written for a seller may state, by rule, in each language (``policy.yaml``); and orders."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

import yaml

from listing.languages import ENGLISH
from listing.lexicon import lower, plain, words
from listing.safety.contacts import MASK
from listing.safety.fold import fold
from listing.safety.injection import closed_up, instruction_like
from listing.say.clauses import letters

# A text for buyers describes; it gives no orders and does not speak about itself.
_ORDERS = re.compile(
    r"(?:^|[,;:!]\s*|\b(?:please|and|or|to|now|then)\s+)(?:visit|click|contact|call|text|e?-?mail|follow|"
    r"subscribe|vote|send|pay|transfer|message|dm)\b|"
    r"\b(?:add me|buy now|order now|act now|hurry|check out|go to|look at my|see my|as an ai|"
    r"language model|system prompt|instructions?|assistant|i (?:cannot|can't|am unable)|my other (?:shop|"
    r"store|listings?)|seller on|best seller|secret|password|"
    r"hacked|pwned|lorem ipsum|this listing|admin(?:istrator)?|verified seller|limited time|last chance|"
    r"gift card|crypto|bitcoin)\b|[#{}<>\\]|\bhttps?\b",
    re.I,
)
_QUOTED = re.compile(r"[\"“”'‘’«»]([^\"“”'‘’«»]{2,80})[\"“”'‘’«»]")
_SHARED = 3  # so many words in a row with an order in the data are no chance
_FUNCTION = words("function")


@lru_cache(maxsize=16)
def _patterns(language: str) -> dict[str, re.Pattern[str]]:
    """Kind -> what finds it in a text of a language; prices are found in all, as English texts write them."""
    raw = yaml.safe_load(Path(__file__).with_name("policy.yaml").read_text(encoding="utf-8"))
    found = {}
    for kind, by_language in raw.items():
        names = dict.fromkeys((*((ENGLISH,) if kind == "price" else ()), language))
        spoken = [pattern.replace("\n", "") for name in names for pattern in by_language.get(name, ())]
        found[kind] = re.compile("|".join(rf"(?<![\w])(?:{pattern})(?![\w])" for pattern in spoken) or r"(?!)")
    return found


def forbidden(text: str, language: str = ENGLISH, sizes: Iterable[str] = ()) -> str | None:
    """The kind of what a clause may not state: ``price``, ``size``, ``contact``, ...; None where it may stand.

    ``sizes``: those that a label or the seller says, which may be repeated.
    """
    if MASK in text:  # of the whole text, contact data were masked before it was cut
        return "contact"
    lowered = lower(text)
    for kind, pattern in _patterns(language).items():
        for match in pattern.finditer(lowered):
            if kind != "size" or not _stated(match[0], sizes):
                return kind
    return None


def _stated(words_: str, sizes: Iterable[str]) -> bool:
    keys = set(re.findall(r"\d+(?:[.,]\d+)?|\b(?:[2-5]?x{0,3}[sml]|small|medium|large|one size)\b", words_.lower()))
    known = set(re.findall(r"\d+(?:[.,]\d+)?|[a-z]+(?: size)?", " ".join(sizes).lower()))
    return bool(keys) and keys <= known


def is_order(sentence: str, untrusted: Sequence[str], repeatable: frozenset[str]) -> bool:
    """True if a sentence gives orders, speaks about itself, or repeats what an order in the data asked for.

    untrusted: texts from photos, notes and past listings. repeatable: words of verified facts (``word_set``).
    """
    if instruction_like(sentence) or MASK in sentence or _ORDERS.search(sentence):
        return True
    orders = [line for source in untrusted for line in source.split("\n") if instruction_like(line)]
    if not orders:
        return False
    spoken = _words(sentence)
    demanded = {run for line in orders for run in _runs(_words(line))}
    if not demanded.isdisjoint(_runs(spoken)) and sum(w not in repeatable for w in spoken) >= 2:
        return True
    # Where the data hold an order, one word of it that no fact has is enough.
    ordered = {w for line in orders for w in _words(closed_up(line)) if len(w) > 1 or "\u4e00" <= w <= "\u9fff"}
    if not (ordered - repeatable - _FUNCTION).isdisjoint(spoken):
        return True
    quoted = [q for line in orders for q in _QUOTED.findall(line) if not set(_words(q)) <= repeatable]
    return any(key in letters(sentence) for q in quoted if (key := letters(q)))


def word_set(values: Iterable[str]) -> frozenset[str]:
    """The words of some texts, in lower case."""
    return frozenset(w for value in values for w in re.findall(r"[^\W\d_]{2,}", plain(value)))


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]*\d[a-z\d]*|[a-z][a-z'’]+|[\u4e00-\u9fff]", fold(text).lower)


def _runs(spoken: Sequence[str]) -> set[tuple[str, ...]]:
    return {tuple(spoken[i : i + _SHARED]) for i in range(len(spoken) - _SHARED + 1)}
