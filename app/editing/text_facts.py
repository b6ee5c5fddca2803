"""What texts and taps say of facts: one truth for the title, the description, the list of facts and what is published.

A fact follows the words: corrected where they say something else, not stated any more where they deny it or say it no
longer. Pure functions.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import get_args

from app.editing import claims
from listing.lexicon import load_lexicon
from listing.observe.networks.details import load_details
from listing.observe.note import read_note
from listing.say.claims import Claim
from listing.say.forms import detail_forms
from listing.say.settle import contradicts
from listing.say.spans import find_spans
from listing.schema import AttributeValue, Draft, Span, TextField
from listing.taxonomy import Attribute, load_taxonomy

Said = Mapping[str, str | None]  # value by the name of a claim; None: left out
_PARTS = re.compile(r"[.!?,;\n]|\b(?:and|with|but)\b", re.I)
_DENIED = re.compile(r"\b(?:no|not|never|without|nor|cannot|is no|has no)\b|n['’]t\b", re.I)
_NOTED = ("size", "brand", "condition_grade")  # free words, which the grammar of notes reads
_HUES = ("colour", "colour2")


@dataclass
class Words:
    """What a text says: values by attribute, those that it denies, and the details that it denies."""

    values: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    denied: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    without: set[str] = field(default_factory=set)
    text: str = ""


def words_of(texts: Iterable[str]) -> Words:
    """What these texts say of closed facts and details, part by part between commas."""
    words = Words(text="\n".join(texts))
    for part in _PARTS.split(words.text.lower()):
        denial = bool(_DENIED.search(part))
        details, pairs = _part(part)
        words.without |= details if denial else set()
        for name, value in pairs:
            (words.denied if denial else words.values)[name].add(value)
    words.values["colour2"] = words.values["colour"]
    return words


@lru_cache(maxsize=4096)  # most parts of a text stay when something is changed in it
def _part(part: str) -> tuple[frozenset[str], frozenset[tuple[str, str]]]:
    """Details in a part of a text, and pairs (attribute, value); "zip pockets" say nothing of how the thing closes."""
    details, lexicon = load_details().read(part), load_lexicon()
    says = ((n, v) for detail in details for n, values in detail_forms()[detail].says.items() for v in values)
    phrases = () if details else lexicon.phrases.finditer(part)
    meant = ((n, v) for match in phrases for n, values in lexicon.meaning(match[0]).items() for v in values)
    return frozenset(details), frozenset((*says, *meant))


def by_words(
    draft: Draft, own: Mapping[str, str], typed: Mapping[str, str], settled: Iterable[str]
) -> dict[str, str | None]:
    """What the texts that the seller typed make of the draft's facts and details.

    Args:
        own: the program's texts in their place, by field.
        typed: by field; the other texts are the program's.
        settled: names of what the seller set after they had typed.
    """
    before, now = words_of(own[f] for f in typed), words_of(typed.values())
    rest = words_of(text for f, text in own.items() if f not in typed)
    said: dict[str, str | None] = {f"{claims.DETAIL}{d}": None for d in now.without}
    for name, attribute in _schema(draft).items():
        fact = draft.attribute(name)
        value = (fact.value or fact.suggestion) if fact is not None else None
        if value is None or name in settled:
            continue
        after = _after(attribute, value, before, now, rest)
        if after != value:
            said[name] = after
    return said


def _after(attribute: Attribute, value: str, before: Words, now: Words, rest: Words) -> str | None:
    """The fact's value by the words of now; None where they leave it out."""
    name = attribute.name
    if not attribute.values:
        return _free(name, value, before, now, rest)
    fresh = (now.values[name] - before.values[name] if name != "colour2" else set()) & set(attribute.values)
    kept = []
    for each in value.split(", ") if attribute.many else [value]:
        here, there = each in now.values[name], each in rest.values[name]
        gone = each in before.values[name] and not there
        other = bool(fresh) and not attribute.many and not (there and name in _HUES)
        if here or not (each in now.denied[name] or gone or other):
            kept.append(each)
    if attribute.many:
        return (
            ", ".join(dict.fromkeys([*(k for k in kept if k not in attribute.unspoken or not fresh), *sorted(fresh)]))
            or None
        )
    return value if kept else fresh.pop() if len(fresh) == 1 else None


def _free(name: str, value: str, before: Words, now: Words, rest: Words) -> str | None:
    noted = read_note(now.text).facts.get(name) if name in _NOTED else None
    if noted is not None and noted.lower() != value.lower() and noted != read_note(before.text).facts.get(name):
        return noted
    pattern = re.compile(rf"(?<!\w){re.escape(value)}(?!\w)", re.I)
    gone = pattern.search(before.text) and not pattern.search(f"{now.text}\n{rest.text}")
    return None if gone else value


def by_details(draft: Draft, said: Said, facts: Sequence[AttributeValue]) -> dict[str, str | None]:
    """What the seller's word on details makes of facts that nobody stated: "no elastic waist" is not pulled on."""
    forms = detail_forms()
    named = {n.removeprefix(claims.DETAIL): v for n, v in said.items() if n.startswith(claims.DETAIL)}
    left = {d.phrase for d in draft.details if named.get(d.phrase, d.phrase) is not None} | {
        p for p, v in named.items() if v
    }
    after: dict[str, str | None] = {}
    for fact in facts:
        value = fact.value or fact.suggestion
        if value is None or fact.name in said or any(e.source == "seller" for e in fact.evidence):
            continue
        for phrase, told in named.items():
            values = forms[phrase].says.get(fact.name, ()) if phrase in forms else ()
            if (
                told is None
                and value in values
                and not any(value in forms[p].says.get(fact.name, ()) for p in left & forms.keys())
            ):
                after[fact.name] = None
            detail = Claim("detail", phrase, "seller")
            if told and values and value not in values and contradicts(fact.name, Claim(fact.name, value), detail):
                after[fact.name] = values[0] if len(values) == 1 else None
    return after


def spans_of(draft: Draft, said: Said, typed: Mapping[str, str], others: Sequence[Span]) -> list[Span]:
    """Where the texts that the seller typed say what they corrected, none of the other spans being there."""
    facts = [Claim(n, v, "seller") for n, v in said.items() if v is not None and not n.startswith(claims.DETAIL)]
    named = Claim("category", draft.category.value or "")
    if not facts or named.value not in load_taxonomy().categories:
        return []
    fields: dict[TextField, str] = {name: typed.get(name, "") for name in get_args(TextField)}
    found = [s for s in find_spans(fields, [named, *facts], load_taxonomy()) if s.attribute != "category"]
    return [s for s in found if not any(o.field == s.field and o.start < s.end and s.start < o.end for o in others)]


def proven(draft: Draft) -> Draft:
    """The draft without the facts that are only a guess and that nobody confirmed: none of these is published."""
    marked = claims.to_check(draft)
    return draft.model_copy(
        update={"attributes": [_proven(fact, marked.get(fact.name, "")) for fact in draft.attributes]}
    )


def _proven(fact: AttributeValue, marked: str) -> AttributeValue:
    """A fact without the values that the texts mark, or that a photo alone cannot settle."""
    attribute = load_taxonomy().attributes.get(fact.name)
    if fact.value is None or attribute is None:
        return fact
    settled = bool({e.source for e in fact.evidence} & {"ocr", "seller"})
    values = fact.value.split(", ") if attribute.many else [fact.value]
    guesses = marked.split(", ") if attribute.many else [marked]
    left = ", ".join(v for v in values if v not in guesses and (settled or v not in attribute.unsettled))
    if left == fact.value:
        return fact
    update = {"value": left or None, "suggestion": fact.value, "status": "supported" if left else "unsupported"}
    return fact.model_copy(update=update)


def _schema(draft: Draft) -> dict[str, Attribute]:
    taxonomy = load_taxonomy()
    category = draft.category.value or ""
    return {a.name: a for a in taxonomy.schema(category)} if category in taxonomy.categories else {}
