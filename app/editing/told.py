"""What a seller types of their thing in words of their own: known details and facts, and what stays words. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from app.editing import claims
from listing.evidence.details import load_details
from listing.facts.note import read_note
from listing.lexicon import load_lexicon, plain
from listing.schema import Draft, Offer
from listing.taxonomy import Taxonomy
from listing.text.offers import facts_to_say, searchable

_PARTS = re.compile(r"[,;\n]+|\s+(?:and|with)\s+")
_OPENING = re.compile(r"^(?:and|with|it has|they have|it is|they are|has|an?|the)\s+", re.I)


@dataclass
class Told:
    """``facts``: value by the name of the claim; ``stated``: the parts that say them; ``words``: what is left."""

    facts: dict[str, str] = field(default_factory=dict)
    stated: dict[str, set[str]] = field(default_factory=dict)  # names of the claims by the part that states them
    words: list[str] = field(default_factory=list)

    def unsaid(self, draft: Draft) -> list[str]:
        """The parts that the texts of the draft do not say, although it has their facts."""
        texts, present = f"{draft.title}\n{draft.description}".lower(), {claims.name_of(s) for s in draft.spans}
        return [p for p, names in self.stated.items() if not names & present and p.lower() not in texts]


def can_be_told(draft: Draft, taxonomy: Taxonomy) -> list[Offer]:
    """Every detail and fact that can be told of such a thing and does not stand in its texts, the likeliest first."""
    return [*searchable(draft, taxonomy), *facts_to_say(draft, taxonomy)]


def read_told(typed: str, draft: Draft, taxonomy: Taxonomy) -> Told:
    """Each part between commas is a detail or a fact as a whole, states some ("size M", "a small stain"), or words."""
    told, offers = Told(), can_be_told(draft, taxonomy)
    for part in filter(None, (_bare(p) for p in _PARTS.split(typed))):
        stated = dict(_stated(part, offers, draft, taxonomy))
        for name, value in stated.items():
            attribute = taxonomy.attributes.get(name)
            several = attribute is not None and attribute.many
            before = (told.facts.get(name) or claims.to_check(draft).get(name) or _fact(draft, name)) if several else ""
            told.facts[name] = f"{before}, {value}" if before and value not in before.split(", ") else value
        if stated:
            told.stated[part] = set(stated)
        else:
            told.words.append(part)
    return told


def _fact(draft: Draft, name: str) -> str:
    known = draft.attribute(name)
    return (known.value or "") if known is not None else ""


def _bare(part: str) -> str:
    part = part.strip(" .\t")
    while match := _OPENING.match(part):
        part = part[match.end() :]
    return part


def _stated(part: str, offers: list[Offer], draft: Draft, taxonomy: Taxonomy) -> Iterator[tuple[str, str]]:
    words = part.lower()
    meant = {p for p, pattern in load_details().patterns.items() if pattern.fullmatch(words)}
    exact = [o for o in offers if o.label == words or (o.attribute == "detail" and o.value in meant)]
    if exact:
        yield claims.name_of(exact[0]), exact[0].value
        return
    category = draft.category.value
    schema = {a.name: a for a in (taxonomy.schema(category) if category in taxonomy.categories else ())}
    named = load_lexicon(taxonomy).meanings.get(plain(part), {})
    closed = [(n, v) for n, values in named.items() if n in schema for v in values if v in schema[n].values]
    if len(closed) == 1:
        yield closed[0]
        return
    yield from ((name, value) for name, value in read_note(part).facts.items() if name in schema)
