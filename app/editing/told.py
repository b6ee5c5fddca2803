"""What a seller types of their thing in words of their own: known details and facts, and what stays words. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from app.editing import claims, edits
from listing.evidence.details import load_details
from listing.facts.note import read_note
from listing.lexicon import load_lexicon, plain
from listing.schema import Draft, Offer
from listing.taxonomy import Attribute, Taxonomy, load_taxonomy
from listing.text import spans
from listing.text.offers import facts_to_say, searchable

_PARTS, _JOINTS = re.compile(r"[,;\n]+"), re.compile(r"\s+(?:and|with)\s+")
_OPENING = re.compile(r"^(?:(?:and|with|it has|they have|it is|they are|has|an?|the)\s+)+")


@dataclass
class Told:
    """``facts``: value by the name of the claim; ``stated``: the parts that say them; ``words``: what is left."""

    facts: dict[str, str] = field(default_factory=dict)
    stated: dict[str, set[str]] = field(default_factory=dict)  # names of the claims by the part that states them
    words: list[str] = field(default_factory=list)

    def description(self, draft: Draft) -> str:
        """The draft's description with what its texts do not say yet, in our words where there are some for a fact."""
        texts, present = f"{draft.title}\n{draft.description}".lower(), {claims.name_of(s) for s in draft.spans}
        for part, names in self.stated.items():
            if names & present or part.lower() in texts:
                continue
            before = draft.description
            for claim in claims.unsaid(draft, {name: self.facts[name] for name in sorted(names)}):
                draft = spans.add(draft, claim)
            if draft.description == before:
                draft = draft.model_copy(update={"description": edits.with_sentence(before, part)})
        text = draft.description
        for part in self.words:
            text = edits.with_sentence(text, part)
        return text


def can_be_told(draft: Draft, taxonomy: Taxonomy) -> list[Offer]:
    """Every detail and fact that can be told of such a thing and does not stand in its texts, the likeliest first."""
    return [*searchable(draft, taxonomy), *facts_to_say(draft, taxonomy)]


def read_told(typed: str, draft: Draft, taxonomy: Taxonomy) -> Told:
    """Each part between commas is a detail or a fact as a whole, states some ("size M", "a small stain"), or words."""
    told, noted, offers, schema = Told(), list[str](), can_be_told(draft, taxonomy), _schema(draft, taxonomy)
    for part in filter(None, (p.strip(" .\t") for p in _PARTS.split(typed))):
        listed = [_known(each, offers, schema) for each in (part, *_JOINTS.split(part))]
        known = listed[:1] if listed[0] else listed[1:]
        stated = _noted(part).keys() & schema.keys()
        if all(known):
            told.facts |= dict(pair for pair in known if pair)
            told.stated[part] = {pair[0] for pair in known if pair}
        elif stated:
            noted.append(part)
            told.stated[part] = set(stated)
        else:
            told.words.append(part)
    together = _noted(". ".join(noted))  # several flaws are one fact
    told.facts |= {name: value for name, value in together.items() if name in schema}
    for name in (n for n in told.facts.keys() & schema.keys() if schema[n].many):
        told.facts[name] = ", ".join(dict.fromkeys([*_present(draft, name), *told.facts[name].split(", ")]))
    return told


def _noted(text: str) -> dict[str, str]:
    """What a note states; a flaw in the seller's words says its kind of wear as well."""
    facts = read_note(text).facts
    return {name: value for name, value in facts.items() if name != "condition" or "defects" not in facts}


def _schema(draft: Draft, taxonomy: Taxonomy) -> dict[str, Attribute]:
    category = draft.category.value
    return {a.name: a for a in (taxonomy.schema(category) if category in taxonomy.categories else ())}


def _present(draft: Draft, name: str) -> list[str]:
    """The values of a fact that has several: those that it has, or that the texts say."""
    known = draft.attribute(name)
    said = [span.value for span in draft.spans if span.attribute == name]
    values = [v for v in ((known.value or "").split(", ") if known is not None else []) if v] or said
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
    return closed[0] if len(closed) == 1 else None
