"""The seller is a source: what a request holds of their word, and each later press of theirs, as observations.

A press sets a field, leaves it out, or undoes what was said of it. What is left out is an observation
without a value, by which it is withdrawn; a detail that is not there has the probability 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from listing.observe.note import read_note
from listing.observe.source import Context, Source
from listing.request import DraftRequest, Photo
from listing.schema import ANSWER, DETAIL, NOTE, TYPED, Observation, TextField

# "along": a typed text as a later press changed it; "confirm": of earlier versions, it changes nothing
Kind = Literal["set", "along", "drop", "undo", "confirm"]
TEXTS: tuple[TextField, ...] = get_args(TextField)
FIELDS = (*TEXTS, "price", "category")
ClaimEdits = Mapping[str, str | None]  # value by the name of a claim; None: left out


class Seller(Source):
    """Answers (source ``seller``) and what the note states (source ``note``)."""

    name = ANSWER

    def observe(self, photos: Sequence[Photo], context: Context) -> Iterator[Observation]:
        """All that the request holds of the seller's word."""
        return seller_observations(context.request)


def seller_observations(request: DraftRequest) -> Iterator[Observation]:
    """The seller's word in a request; every statement is sure."""
    answers = {**({"category": request.category} if request.category else {}), **request.facts}
    for source, statements in ((ANSWER, answers), (NOTE, read_note(request.note).facts)):
        yield from (observation(source, question, value) for question, value in statements.items())


def observation(source: str, name: str, value: str | None) -> Observation:
    """The seller's word on one field; None withdraws it."""
    if name.startswith(DETAIL):
        phrase = name.removeprefix(DETAIL)
        return Observation(source=source, question="detail", probabilities={phrase: 0.0 if value is None else 1.0})
    stated = {} if value is None else {value: 1.0}
    return Observation(source=source, question=name, probabilities=stated, text=value)


def is_seller(observation: Observation) -> bool:
    """True if an observation is the seller's word, in whatever form."""
    return observation.source in (ANSWER, NOTE, TYPED)


@dataclass(frozen=True)
class Edit:
    """One press, in the order in which they were made."""

    kind: Kind
    field: str
    value: str | None = None


@dataclass(frozen=True)
class SellerWord:
    """The outcome of all presses: values set by field, and fields left out.

    read: what the texts that they typed make of facts and details, by the name of a claim.
    when_typed: the word as it was when they typed a text, by field; what was pressed since changes no reading of it.
    aside: whenever they typed a text again: the fields that they had set since, and their texts as they stood then.
    """

    values: Mapping[str, str | None]
    dropped: frozenset[str]
    read: ClaimEdits = field(default_factory=dict)
    when_typed: Mapping[str, SellerWord] = field(default_factory=dict)
    aside: tuple[tuple[frozenset[str], str], ...] = ()

    @property
    def locked(self) -> frozenset[str]:
        """Fields that the seller touched."""
        return frozenset(self.values) | self.dropped

    @property
    def typed(self) -> dict[TextField, str]:
        """The texts that the seller typed, by field."""
        return {f: self.values[f] or "" for f in TEXTS if f in self.values}

    @property
    def facts(self) -> dict[str, str]:
        """Attribute values that the seller stated."""
        stated = {**self.values, **self.read}
        return {n: v for n, v in stated.items() if n not in FIELDS and not n.startswith(DETAIL) and v is not None}

    @property
    def claims(self) -> dict[str, str | None]:
        """Their values for the texts' claims, in the order in which they were told."""
        told = {name: value for name, value in self.values.items() if name not in (*TEXTS, "price")}
        return {**told, **dict.fromkeys(sorted(self.dropped)), **self.read}

    def observations(self) -> list[Observation]:
        """All of it as observations."""
        return [observation(TYPED if n in self.read else ANSWER, n, v) for n, v in self.claims.items()]


def word_of(edits: Iterable[Edit]) -> SellerWord:
    """The outcome of the presses; the last word on a field counts."""
    values: dict[str, str | None] = {}
    dropped: set[str] = set()
    when_typed: dict[str, SellerWord] = {}
    aside: tuple[tuple[frozenset[str], str], ...] = ()
    for edit in edits:
        if edit.kind == "confirm":
            continue
        if edit.kind == "along" and edit.field in values:
            values[edit.field] = edit.value
            continue
        if edit.kind == "set" and edit.field in TEXTS and edit.field in values:
            last = max(map([*values].index, when_typed))
            stood = "\n".join(values[f] or "" for f in TEXTS if f in values)
            aside = (*aside, (frozenset([*values][last + 1 :]), stood))
        values.pop(edit.field, None)
        when_typed.pop(edit.field, None)
        dropped.discard(edit.field)
        if edit.kind == "set":
            values[edit.field] = edit.value
            if edit.field in TEXTS:
                when_typed[edit.field] = SellerWord({**values}, frozenset(dropped), aside=aside)
        elif edit.kind == "drop":
            dropped.add(edit.field)
    return SellerWord(values, frozenset(dropped), when_typed=when_typed)
