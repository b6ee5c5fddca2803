"""The seller's changes laid over what the model wrote: pure functions, the generated draft itself never changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from listing.decide.attributes import seller_fact
from listing.decide.category import choose
from listing.intake.quality import assess
from listing.lexicon import lower
from listing.say import rewrite, seller_words
from listing.say.ask import open_offers
from listing.say.claims import NAME
from listing.say.patch import moved, nearest
from listing.schema import (
    AttributeValue,
    Draft,
    Evidence,
    Flag,
    Quality,
    Question,
    Span,
    TextField,
)  # fmt: skip
from listing.taxonomy import load_taxonomy

Kind = Literal["set", "drop", "undo", "confirm"]
TEXTS: tuple[TextField, ...] = get_args(TextField)
FIELDS = (*TEXTS, "price", "category")


@dataclass(frozen=True)
class Edit:
    """One change, in the order in which they were made."""

    kind: Kind
    field: str
    value: str | None = None


@dataclass(frozen=True)
class Changes:
    """The outcome of the edits: values set by field, fields left out, words that the seller confirmed.

    ``by_words``: what texts and details make of the facts, see ``settled``.
    """

    values: Mapping[str, str | None]
    dropped: frozenset[str]
    confirmed: frozenset[tuple[str, str]]
    by_words: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def locked(self) -> frozenset[str]:
        """Fields that the seller touched."""
        return frozenset(self.values) | self.dropped

    @property
    def facts(self) -> dict[str, str]:
        """Attribute values that the seller stated."""
        stated = {**self.values, **self.by_words}
        of_attributes = ((name, value) for name, value in stated.items() if not name.startswith(rewrite.DETAIL))
        return {name: value for name, value in of_attributes if name not in FIELDS and value is not None}

    @property
    def claim_edits(self) -> dict[str, str | None]:
        """The seller's values for the texts' claims, by the claim's name; None: left out."""
        edits = {name: value for name, value in self.values.items() if name not in (*TEXTS, "price")}
        return {**edits, **dict.fromkeys(sorted(self.dropped)), **self.by_words}


def changes(edits: Iterable[Edit]) -> Changes:
    """Fold the edits into their outcome; the last word on a field counts."""
    values: dict[str, str | None] = {}
    dropped: set[str] = set()
    confirmed: set[tuple[str, str]] = set()
    for edit in edits:
        if edit.kind == "confirm":
            confirmed.add((edit.field, edit.value or ""))
            continue
        if edit.field in TEXTS and edit.kind == "set":  # words that were changed are not confirmed any more
            confirmed -= {c for c in confirmed if c[0] == edit.field and nearest(edit.value or "", c[1], 0) < 0}
        values.pop(edit.field, None)
        dropped.discard(edit.field)
        if edit.kind == "set":
            values[edit.field] = edit.value
        elif edit.kind == "drop":
            dropped.add(edit.field)
    return Changes(values, frozenset(dropped), frozenset(confirmed))


def settled(draft: Draft, edited: Changes) -> Changes:
    """The changes, and what the texts that the seller typed and the details that they told of make of the facts."""
    edited, typed = replace(edited, by_words={}), _typed(edited)
    implied: dict[str, str | None] = {}
    if typed and draft.spans:
        order = [*edited.values]
        last = max(map(order.index, typed))
        later = {*order[last:], *edited.dropped}
        followed = rewrite.followed(draft, edited.claim_edits)
        present = draft.model_copy(update={"attributes": [_fact(a, edited) for a in draft.attributes]})
        implied = seller_words.by_words(present, followed.texts, typed, later)
    implied |= seller_words.by_details(draft, {**edited.claim_edits, **implied}, draft.attributes)
    return replace(edited, by_words=implied)


def _typed(edited: Changes) -> dict[TextField, str]:
    """The texts that the seller typed, by field."""
    return {f: edited.values[f] or "" for f in TEXTS if f in edited.values}


def apply(draft: Draft, edited: Changes) -> Draft:
    """The draft as its seller sees it."""
    edited = settled(draft, edited)
    attributes = [_fact(a, edited) for a in draft.attributes]
    present = {a.name for a in draft.attributes}
    attributes += [seller_fact(name, value) for name, value in edited.facts.items() if name not in present]
    followed = rewrite.followed(draft, edited.claim_edits)
    typed = _typed(edited)
    texts = {**followed.texts, **typed}
    placed = _placed(followed, texts)
    update: dict[str, Any] = {
        "title": texts["title"],
        "description": texts["description"],
        "spans": [*placed, *seller_words.spans_of(followed, edited.by_words, typed, placed)],
        "details": followed.details,
        "attributes": attributes,
        "questions": open_questions(draft.questions, edited),
        "flags": _flags(draft, edited, {f: text for f, text in texts.items() if text != getattr(draft, f)}),
    }
    chosen = edited.values.get("category")
    if chosen:
        has = load_taxonomy().node(chosen).attributes
        update["category"] = choose(draft.category, chosen)
        update["attributes"] = [a for a in attributes if a.name in has or a.locked or a.name in edited.facts]
    edited_draft = draft.model_copy(update=update)
    if not edited.locked:
        return edited_draft
    left = [o for o in open_offers(edited_draft, load_taxonomy()) if rewrite.name_of(o) not in edited.locked]
    return edited_draft.model_copy(update={"quality": _quality(edited_draft, followed), "offers": left})


def _quality(edited_draft: Draft, program_draft: Draft) -> Quality:
    """How good the draft is with what the seller changed; what was found in the photos stays as it is."""
    taxonomy, category = load_taxonomy(), edited_draft.category.value
    expected = taxonomy.expected(taxonomy.node(category))
    return assess(
        attributes=edited_draft.attributes,
        title=edited_draft.title,
        description=edited_draft.description,
        photos=edited_draft.quality,
        flags=edited_draft.flags,
        expected=expected,
        generated=(program_draft.title, program_draft.description),
    )


def follow(written: Draft, earlier: Sequence[Edit], edit: Edit) -> list[Edit]:
    """Edits that follow from an edit after the ``earlier`` ones, by what it does to the texts that the seller typed.

    The program's own texts follow by themselves (``apply``).
    """
    if edit.kind not in ("set", "drop") or edit.field in (*TEXTS, "price"):
        return []
    present = settled(written, changes(earlier))
    current = apply(written, present)
    renamed = edit.field == "category" and edit.value is not None and rewrite.renamed(current, edit.value)
    along = [Edit("drop", NAME)] if renamed and NAME not in present.locked else []
    if not any(field in present.values for field in TEXTS):
        return along
    later = settled(written, changes([*earlier, edit, *along]))
    before, after = (rewrite.followed(written, each.claim_edits) for each in (present, later))
    texts = rewrite.typed_along(before, after, current, edit.field, edit.value)
    typed = [(f, texts[f]) for f in texts if f in present.values and texts[f] != getattr(current, f)]
    return [*along, *(Edit("set", field, text) for field, text in typed)]


def open_questions(questions: Sequence[Question], edited: Changes) -> list[Question]:
    """The questions that the seller has not answered or put aside."""
    return [q for q in questions if q.attribute not in edited.locked]


def _fact(attribute: AttributeValue, edited: Changes) -> AttributeValue:
    name, by_words = attribute.name, edited.by_words
    if name in by_words and by_words[name] is None:
        return AttributeValue(name=name, status="unknown", evidence=[Evidence(source="seller")])
    if name in edited.dropped:
        return AttributeValue(name=name, status="unknown", locked=True)
    value = edited.facts.get(name)
    return attribute if value is None else seller_fact(name, value, locked=name not in by_words)


def _flags(draft: Draft, edited: Changes, texts: Mapping[str, str]) -> list[Flag]:
    """Flags whose words still stand in the text, at the place where they now stand, and were not confirmed."""
    flags: list[Flag] = []
    for flag in draft.flags:
        if flag.field not in TEXTS or flag.span is None:
            flags.append(flag)
            continue
        written = getattr(draft, flag.field)
        words = written[slice(*flag.span)]
        if (flag.field, words) in edited.confirmed:
            continue
        if flag.field in texts:
            text = texts[flag.field]
            start = moved(written, text, words, flag.span[0])
            start = start if start >= 0 else nearest(text, words, flag.span[0])
            placed = flag.model_copy(update={"span": (start, start + len(words))})
            if start >= 0 and placed not in flags:
                flags.append(placed)
        else:
            flags.append(flag)
    return flags


def _placed(draft: Draft, texts: Mapping[TextField, str]) -> list[Span]:
    """The spans of the draft where their words stand in what the seller typed instead; others go."""
    spans: list[Span] = []
    for span in draft.spans:
        written, text = lower(getattr(draft, span.field)), lower(texts[span.field])  # "Navy" moved behind "My"
        words = written[span.start : span.end]
        start = moved(written, text, words, span.start) if text != written else span.start
        start = start if start >= 0 else nearest(text, words, span.start)
        free = all(s.field != span.field or start >= s.end or start + len(words) <= s.start for s in spans)
        if start >= 0 and free:
            spans.append(span.model_copy(update={"start": start, "end": start + len(words)}))
    return spans


def regenerated(new: Draft, old: Draft | None, edited: Changes) -> Draft:
    """The draft to keep as *generated* after the text was written again.

    The pipeline hands back what the seller locked; in these places the model's own earlier words stay, so that the
    seller's text is never counted as the model's.
    """
    if old is None or not edited.locked:
        return new
    typed, locked = edited.values.keys(), edited.locked | settled(old, edited).by_words.keys()
    earlier = {a.name: a for a in old.attributes}
    update: dict[str, Any] = {f: getattr(old, f) for f in TEXTS if f in typed}
    update["attributes"] = [
        earlier.get(a.name, AttributeValue(name=a.name)) if a.name in locked else a for a in new.attributes
    ]
    asked = [q for q in old.questions if q.attribute in edited.locked and q not in new.questions]
    update["questions"] = [*new.questions, *asked]
    update["flags"] = [f for f in new.flags if f.field not in typed]
    update["spans"] = [s for d in (old, new) for s in d.spans if (s.field in typed) == (d is old)]
    update["category"] = old.category if "category" in typed else new.category
    return new.model_copy(update=update)


def proven(draft: Draft) -> Draft:
    """The draft without the facts that are only a guess and that nobody confirmed: none of these is published."""
    marked = rewrite.to_check(draft)
    return draft.model_copy(
        update={"attributes": [_proven(fact, marked.get(fact.name, "")) for fact in draft.attributes]}
    )


def _proven(fact: AttributeValue, marked: str) -> AttributeValue:
    """A fact without the values that the texts mark, or that a photo alone cannot settle."""
    attribute = load_taxonomy().attributes.get(fact.name)
    if fact.value is None or attribute is None:
        return fact
    settled = bool({e.source for e in fact.evidence} & {"ocr", "seller"})
    values, guesses = (load_taxonomy().values_in(fact.name, text) for text in (fact.value, marked))
    left = ", ".join(v for v in values if v not in guesses and (settled or v not in attribute.unsettled))
    if left == fact.value:
        return fact
    update = {"value": left or None, "suggestion": fact.value, "status": "supported" if left else "unsupported"}
    return fact.model_copy(update=update)
