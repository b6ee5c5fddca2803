"""Reading a seller's words for facts: in the texts that they typed, of details, and of the item in their own words.

One truth for the title, the description, the list of facts and what is published: a fact follows the words, corrected
where they say something else, not stated any more where they deny it or say it no longer. Pure functions.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import get_args

from listing.lexicon import load_lexicon, plain
from listing.observe.details import load_details
from listing.observe.seller import read_note
from listing.say import patch, rewrite
from listing.say.ask import statable
from listing.say.claims import MAX_FACT_LENGTH, Claim
from listing.say.marks import find_spans
from listing.say.settle import contradicts, detail_forms
from listing.schema import AttributeValue, Draft, Offer, Span, TextField
from listing.taxonomy import Attribute, Taxonomy, load_taxonomy

ClaimEdits = Mapping[str, str | None]  # value by the name of a claim; None: left out
_PARTS = re.compile(r"[.!?,;\n]|\b(?:and|with|but)\b", re.I)
_DENIED = re.compile(r"\b(?:no|not|never|without|nor|cannot|is no|has no)\b|n['’]t\b", re.I)
_NOTED = ("size", "brand", "condition_grade")  # free words, which the grammar of notes reads
_HUES = ("colour", "colour2")
_LISTED = re.compile(r"(?:,(?!(?<=\d,)[\d-])|[;\n])+")  # no comma of a number: "10,5 cm", "50,-"
_JOINTS = re.compile(r"\s+(?:and|with)\s+")
_OPENING = re.compile(r"^(?:(?:and|with|it has|they have|it is|they are|has|an?|the)\s+)+")
_SMALL = frozenset(("a", "an", "and", "are", "at", "has", "have", "is", "it", "the", "they", "with"))
_MAKE = ("closure", "sleeve", "neckline")
Pair = tuple[str, str]  # the name of a claim and its value


@dataclass
class Mentions:
    """Values that a text mentions by attribute, those that it denies, and the details that it denies."""

    values: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    denied: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    without: set[str] = field(default_factory=set)
    text: str = ""


def words_of(texts: Iterable[str]) -> Mentions:
    """The mentions of closed facts and details, part by part between commas."""
    words = Mentions(text="\n".join(texts))
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
    """Details in a part of a text, and pairs (attribute, value); "zip pockets" say nothing of how the item closes."""
    details, lexicon = load_details().read(part), load_lexicon()
    says = ((n, v) for detail in details for n, values in detail_forms()[detail].says.items() for v in values)
    phrases = () if details else lexicon.phrases.finditer(part)
    meant = ((n, v) for match in phrases for n, values in lexicon.meaning(match[0]).items() for v in values)
    return frozenset(details), frozenset((*says, *meant))


def by_words(
    draft: Draft, program_texts: Mapping[TextField, str], typed: Mapping[TextField, str], settled: Iterable[str]
) -> dict[str, str | None]:
    """Changes to the draft's facts and details by the texts that the seller typed.

    Args:
        program_texts: the program's texts in their place, by field.
        typed: by field; the other texts are the program's.
        settled: names of what the seller set after they had typed.
    """
    before, now = words_of(program_texts[f] for f in typed), words_of(typed.values())
    rest = words_of(text for f, text in program_texts.items() if f not in typed)
    implied: dict[str, str | None] = {f"{rewrite.DETAIL}{d}": None for d in now.without}
    for name, attribute in _schema(draft).items():
        fact = draft.attribute(name)
        value = (fact.value or fact.suggestion) if fact is not None else None
        if value is None or name in settled:
            continue
        after = _after(attribute, value, before, now, rest)
        if after != value:
            implied[name] = after
    return implied


def _after(attribute: Attribute, value: str, before: Mentions, now: Mentions, rest: Mentions) -> str | None:
    """The fact's value by the words of now; None where they leave it out."""
    name = attribute.name
    if not attribute.values:
        return _free(name, value, before, now, rest)
    fresh = (now.values[name] - before.values[name] if name != "colour2" else set()) & set(attribute.values)
    values = value.split(", ") if attribute.many else [value]
    staying = [each for each in values if _stays(attribute, each, before, now, rest, other=bool(fresh))]
    if attribute.many:
        several = [*(k for k in staying if k not in attribute.unspoken or not fresh), *sorted(fresh)]
        return ", ".join(dict.fromkeys(several)) or None
    return value if staying else fresh.pop() if len(fresh) == 1 else None


def _stays(attribute: Attribute, value: str, before: Mentions, now: Mentions, rest: Mentions, *, other: bool) -> bool:
    """True if the words of now leave a value standing; ``other``: they say another one, which they did not before."""
    name = attribute.name
    if value in now.values[name]:
        return True
    there = value in rest.values[name]
    gone = value in before.values[name] and not there
    replaced = other and not attribute.many and not (there and name in _HUES)
    return not (value in now.denied[name] or gone or replaced)


def _free(name: str, value: str, before: Mentions, now: Mentions, rest: Mentions) -> str | None:
    noted = read_note(now.text).facts.get(name) if name in _NOTED else None
    if noted is not None and noted.lower() != value.lower() and noted != read_note(before.text).facts.get(name):
        return noted
    pattern = re.compile(rf"(?<!\w){re.escape(value)}(?!\w)", re.I)
    gone = pattern.search(before.text) and not pattern.search(f"{now.text}\n{rest.text}")
    return None if gone else value


def by_details(draft: Draft, edits: ClaimEdits, facts: Sequence[AttributeValue]) -> dict[str, str | None]:
    """Changes by the seller's word on details to facts that nobody stated: "no elastic waist" is not pulled on."""
    named = {n.removeprefix(rewrite.DETAIL): v for n, v in edits.items() if n.startswith(rewrite.DETAIL)}
    present = {d.phrase for d in draft.details if d.phrase not in named} | {p for p, v in named.items() if v}
    after: dict[str, str | None] = {}
    for fact in facts:
        value = fact.value or fact.suggestion
        if value is None or fact.name in edits or "seller" in {e.source for e in fact.evidence}:
            continue
        still = any(value in _values_by(phrase, fact.name) for phrase in present)
        for phrase, stated in named.items():
            values = _values_by(phrase, fact.name)
            if stated is None and value in values and not still:
                after[fact.name] = None
            elif stated and _excludes(phrase, fact.name, value):
                after[fact.name] = values[0] if len(values) == 1 else None
    return after


def _values_by(phrase: str, name: str) -> tuple[str, ...]:
    """The values of an attribute that a detail states along: "full zip" that it closes with a zip."""
    form = detail_forms().get(phrase)
    return form.says.get(name, ()) if form else ()


def _excludes(phrase: str, name: str, value: str) -> bool:
    """True if a detail that the seller named says something else of a fact and leaves no room for it."""
    values = _values_by(phrase, name)
    other = bool(values) and value not in values
    return other and contradicts(name, Claim(name, value), Claim("detail", phrase, "seller"))


def spans_of(draft: Draft, edits: ClaimEdits, typed: Mapping[TextField, str], others: Sequence[Span]) -> list[Span]:
    """Where the texts that the seller typed say what they corrected, none of the other spans being there."""
    facts = [Claim(n, v, "seller") for n, v in edits.items() if v is not None and not n.startswith(rewrite.DETAIL)]
    named = Claim("category", draft.category.value or "")
    if not facts or not named.value:
        return []
    fields: dict[TextField, str] = {name: typed.get(name, "") for name in get_args(TextField)}
    spans = [s for s in find_spans(fields, [named, *facts], load_taxonomy()) if s.attribute != "category"]
    return [s for s in spans if not any(o.field == s.field and o.start < s.end and s.start < o.end for o in others)]


def _schema(draft: Draft) -> dict[str, Attribute]:
    taxonomy = load_taxonomy()
    node = taxonomy.node(draft.category.value)
    return {a.name: a for a in taxonomy.schema_of(node)} if draft.category.value else {}


@dataclass
class SellerStatement:
    """``facts``: value by the name of the claim, None where it is denied; ``stated``: the parts that say them.

    ``words``: what is left.

    ``partly``: those parts that say more than the facts.
    """

    facts: dict[str, str | None] = field(default_factory=dict)
    stated: dict[str, list[Pair]] = field(default_factory=dict)
    partly: set[str] = field(default_factory=set)
    words: list[str] = field(default_factory=list)

    def description(self, draft: Draft) -> str:
        """The draft's description with what its texts do not say yet, in our words where there are some for a fact."""
        texts = f"{draft.title}\n{draft.description}"
        for part, pairs in self.stated.items():
            if patch.says(texts, part):
                continue
            for claim in rewrite.unsaid(draft, {name: self.facts[name] for name, _ in sorted(pairs)}):
                draft = rewrite.add(draft, claim)
            if not self._covered(draft, part):
                draft = draft.model_copy(update={"description": rewrite.with_words(draft.description, part)})
        text = draft.description
        for part in self.words:
            text = rewrite.with_words(text, part)
        return text

    def _covered(self, draft: Draft, part: str) -> bool:
        """True if the texts say the part's facts or have its words, and what it says beyond the facts."""
        pairs = self.stated[part]
        if part not in self.partly and {(rewrite.name_of(s), s.value) for s in draft.spans} >= set(pairs):
            return True
        required = set(re.findall(r"\w+", part.lower())) - _SMALL - {name for name, _ in pairs}
        return required <= set(re.findall(r"\w+", f"{draft.title}\n{draft.description}".lower()))


def read_statement(typed: str, draft: Draft, taxonomy: Taxonomy) -> SellerStatement:
    """Each part between commas is a detail or a fact as a whole, states some ("size M", "a small stain"), or words."""
    statement, offers, schema = SellerStatement(), statable(draft, taxonomy), _schema(draft)
    for part in filter(None, (p.strip(" .\t") for p in _LISTED.split(typed))):
        listed = [_match(each, offers, schema) for each in (part, *_JOINTS.split(part))]
        matches = listed[:1] if listed[0] else listed[1:]
        pairs, whole = [pair for pair in matches if pair], all(matches)
        if not whole:
            pairs = [(name, value) for name, value in _noted(part).items() if name in schema]
        pairs = _two_colours(statement.facts, pairs or _how(part, schema), schema)
        facts = _along(statement.facts, pairs, draft, schema)
        if not pairs or facts is None:
            statement.facts = {**_denied(part, draft), **statement.facts}
            statement.words.append(part)
            continue
        statement.facts, statement.stated[part] = facts, pairs
        if not whole:
            statement.partly.add(part)
    return statement


def _how(part: str, schema: Mapping[str, Attribute]) -> list[Pair]:
    """Facts that a part states in a sentence of its own of how the item is made: "it closes with buttons"."""
    stated = words_of([part])
    stated_values = {name: stated.values[name] & set(schema[name].values) for name in _MAKE if name in schema}
    return [
        (name, min(values))
        for name, values in stated_values.items()
        if len(values) == 1 and not load_details().read(part.lower())
    ]


def _denied(part: str, draft: Draft) -> dict[str, None]:
    """The claims of the draft that a part denies: "no elastic waist"."""
    stated = words_of([part])
    names = [rewrite.name_of(s) for s in draft.spans if s.value in (stated.denied[s.attribute or ""] | stated.without)]
    return dict.fromkeys(name for name in names if name != "category")


def _two_colours(facts: Mapping[str, str | None], pairs: Sequence[Pair], schema: Mapping[str, Attribute]) -> list[Pair]:
    """The pairs; a further colour is the second one."""
    first = next((value for name, value in (*facts.items(), *pairs) if name == "colour"), "")
    second = "colour2" if "colour2" in schema else "colour"
    return [(second if name == "colour" and value != first else name, value) for name, value in pairs]


def _along(
    facts: Mapping[str, str | None], pairs: Sequence[Pair], draft: Draft, schema: Mapping[str, Attribute]
) -> dict[str, str | None] | None:
    """The facts and these beside them; None when one would get lost, so that only words can say it."""
    both = dict(facts)
    for name, value in pairs:
        between = "; " if name == "defects" else ", " if name in schema and schema[name].many else ""
        if between:
            before = stated.split(between) if (stated := both.get(name)) else _present(draft, name, between)
            both[name] = between.join(dict.fromkeys([*before, value]))
        elif both.get(name) not in (None, value):
            return None
        else:
            both[name] = value
        if len(both[name] or "") > MAX_FACT_LENGTH:
            return None
    return both


def _noted(text: str) -> dict[str, str]:
    """Facts that a note states; a flaw in the seller's words says its kind of wear as well."""
    facts = read_note(text).facts
    return {name: value for name, value in facts.items() if name != "condition" or "defects" not in facts}


def _present(draft: Draft, name: str, between: str) -> list[str]:
    """The values of a fact that has several: those that it has, or that the texts say."""
    fact = draft.attribute(name)
    in_text = [span.value for span in draft.spans if span.attribute == name]
    values = [v for v in ((fact.value or "").split(between) if fact is not None else []) if v] or in_text
    return [v for v in values if rewrite.sayable(name, v)]


def _match(part: str, offers: list[Offer], schema: Mapping[str, Attribute]) -> tuple[str, str] | None:
    """The name and the value of the one detail or closed fact that the words stand for as a whole."""
    words = _OPENING.sub("", part.lower())
    meant = {p for p, pattern in load_details().patterns.items() if pattern.fullmatch(words)}
    exact = [o for o in offers if o.label == words or (o.attribute == "detail" and o.value in meant)]
    exact.sort(key=lambda offer: offer.label != words)  # "leather" is no "leather look"
    if exact:
        return rewrite.name_of(exact[0]), exact[0].value
    named = load_lexicon(load_taxonomy()).meanings.get(plain(words), {})
    closed = [(n, v) for n, values in named.items() if n in schema for v in values if v in schema[n].values]
    if any(n == "condition" and plain(v) != plain(words) for n, v in closed) and "defects" in _noted(words):
        return None  # "a small stain" is more than a stain
    return closed[0] if len(closed) == 1 else None
