"""What a seller types of their thing in words of their own: known details and facts, and what stays words. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app.editing import claims, edits
from app.editing.text_facts import words_of
from listing.lexicon import load_lexicon, plain
from listing.observe.networks.details import load_details
from listing.observe.note import read_note
from listing.say import spans
from listing.say.offers import facts_to_say, searchable
from listing.schema import Draft, Offer
from listing.taxonomy import Attribute, Taxonomy, load_taxonomy

_PARTS = re.compile(r"(?:,(?!(?<=\d,)[\d-])|[;\n])+")  # no comma of a number: "10,5 cm", "50,-"
_JOINTS = re.compile(r"\s+(?:and|with)\s+")
_OPENING = re.compile(r"^(?:(?:and|with|it has|they have|it is|they are|has|an?|the)\s+)+")
_SMALL = frozenset(("a", "an", "and", "are", "at", "has", "have", "is", "it", "the", "they", "with"))
_MAKE = ("closure", "sleeve", "neckline")
Pair = tuple[str, str]  # the name of a claim and its value


@dataclass
class Told:
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
            if edits.says(texts, part):
                continue
            for claim in claims.unsaid(draft, {name: self.facts[name] for name, _ in sorted(pairs)}):
                draft = spans.add(draft, claim)
            if not self._said(draft, part):
                draft = draft.model_copy(update={"description": edits.with_sentence(draft.description, part)})
        text = draft.description
        for part in self.words:
            text = edits.with_sentence(text, part)
        return text

    def _said(self, draft: Draft, part: str) -> bool:
        """Whether the texts say the part's facts or have its words, and what it says beyond the facts."""
        pairs = self.stated[part]
        if part not in self.partly and {(claims.name_of(s), s.value) for s in draft.spans} >= set(pairs):
            return True
        wanted = set(re.findall(r"\w+", part.lower())) - _SMALL - {name for name, _ in pairs}
        return wanted <= set(re.findall(r"\w+", f"{draft.title}\n{draft.description}".lower()))


def can_be_told(draft: Draft, taxonomy: Taxonomy) -> list[Offer]:
    """Every detail and fact that can be told of such a thing and does not stand in its texts, the likeliest first."""
    return [*searchable(draft, taxonomy), *facts_to_say(draft, taxonomy)]


def read_told(typed: str, draft: Draft, taxonomy: Taxonomy) -> Told:
    """Each part between commas is a detail or a fact as a whole, states some ("size M", "a small stain"), or words."""
    told, offers, schema = Told(), can_be_told(draft, taxonomy), _schema(draft, taxonomy)
    for part in filter(None, (p.strip(" .\t") for p in _PARTS.split(typed))):
        listed = [_known(each, offers, schema) for each in (part, *_JOINTS.split(part))]
        known = listed[:1] if listed[0] else listed[1:]
        pairs, whole = [pair for pair in known if pair], all(known)
        if not whole:
            pairs = [(name, value) for name, value in _noted(part).items() if name in schema]
        pairs = _two_colours(told.facts, pairs or _how(part, schema), schema)
        facts = _along(told.facts, pairs, draft, schema)
        if not pairs or facts is None:
            told.facts = {**_denied(part, draft), **told.facts}
            told.words.append(part)
            continue
        told.facts, told.stated[part] = facts, pairs
        if not whole:
            told.partly.add(part)
    return told


def _how(part: str, schema: Mapping[str, Attribute]) -> list[Pair]:
    """What a part says in a sentence of its own of how the thing is made: "it closes with buttons"."""
    said = words_of([part])
    found = {name: said.values[name] & set(schema[name].values) for name in _MAKE if name in schema}
    return [
        (name, min(values))
        for name, values in found.items()
        if len(values) == 1 and not load_details().read(part.lower())
    ]


def _denied(part: str, draft: Draft) -> dict[str, None]:
    """The claims of the draft that a part denies: "no elastic waist"."""
    said = words_of([part])
    names = [claims.name_of(s) for s in draft.spans if s.value in (said.denied[s.attribute or ""] | said.without)]
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
            before = told.split(between) if (told := both.get(name)) else _present(draft, name, between)
            both[name] = between.join(dict.fromkeys([*before, value]))
        elif both.get(name) not in (None, value):
            return None
        else:
            both[name] = value
        if len(both[name] or "") > edits.FACT_LENGTH:
            return None
    return both


def _noted(text: str) -> dict[str, str]:
    """What a note states; a flaw in the seller's words says its kind of wear as well."""
    facts = read_note(text).facts
    return {name: value for name, value in facts.items() if name != "condition" or "defects" not in facts}


def _schema(draft: Draft, taxonomy: Taxonomy) -> dict[str, Attribute]:
    return {a.name: a for a in taxonomy.schema_of(taxonomy.node(draft.category.value))}


def _present(draft: Draft, name: str, between: str) -> list[str]:
    """The values of a fact that has several: those that it has, or that the texts say."""
    known = draft.attribute(name)
    said = [span.value for span in draft.spans if span.attribute == name]
    values = [v for v in ((known.value or "").split(between) if known is not None else []) if v] or said
    return [v for v in values if claims.sayable(name, v)]


def _known(part: str, offers: list[Offer], schema: Mapping[str, Attribute]) -> tuple[str, str] | None:
    """The name and the value of the one detail or closed fact that the words stand for as a whole."""
    words = _OPENING.sub("", part.lower())
    meant = {p for p, pattern in load_details().patterns.items() if pattern.fullmatch(words)}
    exact = [o for o in offers if o.label == words or (o.attribute == "detail" and o.value in meant)]
    if exact:
        return claims.name_of(exact[0]), exact[0].value
    named = load_lexicon(load_taxonomy()).meanings.get(plain(words), {})
    closed = [(n, v) for n, values in named.items() if n in schema for v in values if v in schema[n].values]
    if any(n == "condition" and plain(v) != plain(words) for n, v in closed) and "defects" in _noted(words):
        return None  # "a small stain" is more than a stain
    return closed[0] if len(closed) == 1 else None
