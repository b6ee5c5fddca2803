"""The seller's changes laid over what the model wrote: pure functions, the generated draft itself never changes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from app.editing import claims, text_facts
from app.editing.word_removal import cut
from app.views import TEXT_FIELDS, AppError, Changed, DraftView, field_text, field_version
from listing.intake.quality import WEIGHTS, assess
from listing.safety.contacts import scrub
from listing.safety.injection import instruction_like
from listing.say.claims import NAME
from listing.say.offers import open_offers
from listing.schema import AttributeValue, Candidate, Category, Draft, Evidence, Flag, Quality, Question, Span
from listing.taxonomy import load_taxonomy

Kind = Literal["set", "drop", "undo", "confirm"]
# What somebody was shown: a field's version (text), the whole draft's (a number), or None: whatever stands there now.
Version = str | int | None
FIELDS = (*TEXT_FIELDS, "price", "category")
# Most characters of what a seller writes.
TITLE_LENGTH, DESCRIPTION_LENGTH, FACT_LENGTH, NOTE_LENGTH, CATEGORY_LENGTH = 120, 4000, 80, 2000, 40
# Control characters but tab and newline, halves of surrogate pairs, and marks that reverse the reading direction.
_NOT_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufffe\uffff]")


@dataclass(frozen=True)
class Edit:
    """One change, in the order in which they were made."""

    kind: Kind
    field: str
    value: str | None = None


@dataclass(frozen=True)
class Changes:
    """What the edits amount to: values set by field, fields left out, words that the seller confirmed.

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
        own = ((name, value) for name, value in stated.items() if not name.startswith(claims.DETAIL))
        return {name: value for name, value in own if name not in FIELDS and value is not None}

    @property
    def said(self) -> dict[str, str | None]:
        """What the seller said of the texts' claims, by the claim's name; None: left out."""
        said = {name: value for name, value in self.values.items() if name not in (*TEXT_FIELDS, "price")}
        return {**said, **dict.fromkeys(sorted(self.dropped)), **self.by_words}


def changes(edits: Iterable[Edit]) -> Changes:
    """Fold the edits into their outcome; the last word on a field counts."""
    values: dict[str, str | None] = {}
    dropped: set[str] = set()
    confirmed: set[tuple[str, str]] = set()
    for edit in edits:
        if edit.kind == "confirm":
            confirmed.add((edit.field, edit.value or ""))
            continue
        if edit.field in TEXT_FIELDS and edit.kind == "set":  # words that were changed are not confirmed any more
            confirmed -= {c for c in confirmed if c[0] == edit.field and nearest(edit.value or "", c[1], 0) < 0}
        values.pop(edit.field, None)
        dropped.discard(edit.field)
        if edit.kind == "set":
            values[edit.field] = edit.value
        elif edit.kind == "drop":
            dropped.add(edit.field)
    return Changes(values, frozenset(dropped), frozenset(confirmed))


def check_version(seen: DraftView, version: Version, field: str = "") -> None:
    """Raises Changed (409) when the draft, or the field of it, is not what was shown any more."""
    if isinstance(version, int) and version != seen.version:
        raise Changed("draft")
    if isinstance(version, str) and version != seen.field_version(field):
        raise Changed(field, seen.value(field))


def holds(seen: DraftView, edit: Edit, version: Version) -> bool:
    """Whether the field that changed since it was shown holds what is wanted already."""
    price = edit.field == "price" and edit.value is not None
    wanted = field_text(float(edit.value or 0)) if price else edit.value
    same = edit.kind in ("set", "drop") and field_version(wanted) == seen.field_version(edit.field)
    if same and isinstance(version, str) and version != seen.field_version(edit.field):
        return True
    check_version(seen, version, edit.field)
    return False


def settled(draft: Draft, edited: Changes) -> Changes:
    """The changes, and what the texts that the seller typed and the details that they told of make of the facts."""
    edited, typed = replace(edited, by_words={}), _typed(edited)
    said: dict[str, str | None] = {}
    if typed and draft.spans:
        order = [*edited.values]
        last = max(map(order.index, typed))
        later = {*order[last:], *edited.dropped}
        followed = claims.followed(draft, edited.said)
        present = draft.model_copy(update={"attributes": [_fact(a, edited) for a in draft.attributes]})
        said = text_facts.by_words(present, {f: getattr(followed, f) for f in TEXT_FIELDS}, typed, later)
    said |= text_facts.by_details(draft, {**edited.said, **said}, draft.attributes)
    return replace(edited, by_words=said)


def _typed(edited: Changes) -> dict[str, str]:
    """The texts that the seller typed, by field."""
    return {f: edited.values[f] or "" for f in TEXT_FIELDS if f in edited.values}


def apply(draft: Draft, edited: Changes) -> Draft:
    """The draft as its seller sees it."""
    edited = settled(draft, edited)
    attributes = [_fact(a, edited) for a in draft.attributes]
    present = {a.name for a in draft.attributes}
    attributes += [stated(name, value) for name, value in edited.facts.items() if name not in present]
    followed = claims.followed(draft, edited.said)
    typed = _typed(edited)
    texts = {f: typed.get(f, getattr(followed, f)) for f in TEXT_FIELDS}
    placed = _placed(followed, texts)
    update: dict[str, Any] = {
        **texts,
        "spans": [*placed, *text_facts.spans_of(followed, edited.by_words, typed, placed)],
        "details": followed.details,
        "attributes": attributes,
        "questions": open_questions(draft.questions, edited),
        "flags": _flags(draft, edited, {f: text for f, text in texts.items() if text != getattr(draft, f)}),
    }
    chosen = edited.values.get("category")
    if chosen:
        update["category"] = _chosen(draft.category, chosen)
    seen = draft.model_copy(update=update)
    if not edited.locked:
        return seen
    left = [o for o in open_offers(seen, load_taxonomy()) if claims.name_of(o) not in edited.locked]
    return seen.model_copy(update={"quality": _quality(seen, followed), "offers": left})


def _quality(seen: Draft, own: Draft) -> Quality:
    """How good the draft is with what the seller changed; what was found in the photos stays as it is."""
    known, category = load_taxonomy(), seen.category.value
    expected = known.seller_order(a.name for a in known.schema_of(known.node(category)))
    fresh = assess(
        attributes=seen.attributes,
        title=seen.title,
        description=seen.description,
        photos=[],
        flags=seen.flags,
        expected=expected,
        own=(own.title, own.description),
    )
    parts = {**fresh.parts, "photos": seen.quality.parts.get("photos", 0.0)}
    about_photos = [tip for tip in seen.quality.tips if "hoto" in tip]
    score = round(100 * sum(WEIGHTS[name] * share for name, share in parts.items()))
    return Quality(score=score, parts=parts, tips=[*fresh.tips, *about_photos])


def follow(written: Draft, made: Sequence[Edit], edit: Edit) -> list[Edit]:
    """What an edit after those that were ``made`` does to the texts that the seller typed.

    The program's own texts follow by themselves (``apply``).
    """
    if edit.kind not in ("set", "drop") or edit.field in (*TEXT_FIELDS, "price"):
        return []
    present = settled(written, changes(made))
    seen = apply(written, present)
    renamed = edit.field == "category" and edit.value is not None and claims.renamed(seen, edit.value)
    along = [Edit("drop", NAME)] if renamed and NAME not in present.locked else []
    if not any(field in present.values for field in TEXT_FIELDS):
        return along
    before, after = (
        claims.followed(written, each.said) for each in (present, settled(written, changes([*made, edit, *along])))
    )
    texts = claims.typed_along(before, after, seen, edit.field, edit.value)
    typed = [(f, texts[f]) for f in texts if f in present.values and texts[f] != getattr(seen, f)]
    return [*along, *(Edit("set", field, text) for field, text in typed)]


def open_questions(questions: Sequence[Question], edited: Changes) -> list[Question]:
    """The questions that the seller has not answered or put aside."""
    return [q for q in questions if q.attribute not in edited.locked]


def stated(name: str, value: str) -> AttributeValue:
    """A fact that the seller stated."""
    evidence = [Evidence(source="seller", text=value)]
    return AttributeValue(name=name, value=value, status="supported", confidence=1.0, evidence=evidence, locked=True)


def _fact(attribute: AttributeValue, edited: Changes) -> AttributeValue:
    name, told = attribute.name, edited.by_words
    if name in told and told[name] is None:
        return AttributeValue(name=name, status="unknown", evidence=[Evidence(source="seller")])
    if name in edited.dropped:
        return AttributeValue(name=name, status="unknown", locked=True)
    value = edited.facts.get(name)
    return attribute if value is None else stated(name, value).model_copy(update={"locked": name not in told})


def _chosen(category: Category, value: str) -> Category:
    candidates = [Candidate(value=value, confidence=1.0), *(c for c in category.candidates if c.value != value)]
    return category.model_copy(update={"value": value, "confidence": 1.0, "candidates": candidates[:3]})


def _flags(draft: Draft, edited: Changes, texts: Mapping[str, str]) -> list[Flag]:
    """Flags whose words still stand in the text, at the place where they now stand, and were not confirmed."""
    kept: list[Flag] = []
    for flag in draft.flags:
        if flag.field not in TEXT_FIELDS or flag.span is None:
            kept.append(flag)
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
            if start >= 0 and placed not in kept:
                kept.append(placed)
        else:
            kept.append(flag)
    return kept


def _placed(draft: Draft, texts: Mapping[str, str]) -> list[Span]:
    """The spans of the draft where their words stand in what the seller typed instead; others go."""
    kept: list[Span] = []
    for span in draft.spans:
        written, text = _lower(getattr(draft, span.field)), _lower(texts[span.field])  # "Navy" moved behind "My"
        words = written[span.start : span.end]
        start = moved(written, text, words, span.start) if text != written else span.start
        start = start if start >= 0 else nearest(text, words, span.start)
        free = all(s.field != span.field or start >= s.end or start + len(words) <= s.start for s in kept)
        if start >= 0 and free:
            kept.append(span.model_copy(update={"start": start, "end": start + len(words)}))
    return kept


def _lower(text: str) -> str:
    """In lower case, every character still at its place."""
    lowered = text.lower()
    if len(lowered) == len(text):  # as nearly always
        return lowered
    return "".join(low if len(low := c.lower()) == 1 else c for c in text)


def _pattern(words: str) -> re.Pattern[str]:
    """Finds the words as whole words: "new" does not stand in "newer"."""
    left, right = (r"(?<!\w)" if words[:1].isalnum() else ""), (r"(?!\w)" if words[-1:].isalnum() else "")
    return re.compile(left + re.escape(words) + right)


def nearest(text: str, words: str, start: int) -> int:
    """Where ``words`` stand in ``text`` nearest to ``start``; -1 when they do not."""
    if not words:
        return -1
    if text.startswith(words, start):
        return start
    return min((m.start() for m in _pattern(words).finditer(text)), key=lambda at: abs(at - start), default=-1)


def moved(old: str, new: str, words: str, start: int) -> int:
    """Where the ``words`` at ``start`` of ``old`` stand in ``new``; -1 when they changed, or might be others there."""
    end = start + len(words)
    if not words or old[start:end] != words:
        return -1
    matches = [m.start() for m in _pattern(words).finditer(new)]
    if len(matches) == 1 and len(_pattern(words).findall(old)) == 1:
        return matches[0]
    same = _common(old, new)
    same_end = _common(old[same:][::-1], new[same:][::-1])
    at = start if end <= same else start + len(new) - len(old) if start >= len(old) - same_end else -1
    return at if at in matches else -1


def _common(one: str, other: str) -> int:
    """How many characters both begin with."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def without(text: str, words: str, start: int) -> str:
    """``text`` without ``words`` (the place nearest to ``start``); a sentence that would break goes as a whole."""
    at = nearest(text, words, start)
    return text if at < 0 else cut(text, at, at + len(words))


def regenerated(new: Draft, old: Draft | None, edited: Changes) -> Draft:
    """What to keep as *generated* after the text was written again.

    The pipeline hands back what the seller locked; in these places the model's own earlier words stay, so that the
    seller's text is never counted as the model's.
    """
    if old is None or not edited.locked:
        return new
    own_words = settled(old, edited)
    update: dict[str, Any] = {f: getattr(old, f) for f in TEXT_FIELDS if f in edited.values}
    own = {a.name: a for a in old.attributes}
    update["attributes"] = [
        own.get(a.name, AttributeValue(name=a.name)) if a.name in edited.locked | own_words.by_words.keys() else a
        for a in new.attributes
    ]
    update["questions"] = new.questions + [
        q for q in old.questions if q.attribute in edited.locked and q not in new.questions
    ]
    update["flags"] = [f for f in new.flags if f.field not in edited.values]
    update["spans"] = [s for d in (old, new) for s in d.spans if (s.field in edited.values) == (d is old)]
    if "category" in edited.values:
        update["category"] = old.category
    return new.model_copy(update=update)


def says(text: str, words: str) -> bool:
    """Whether the words stand in the text, in any case, as whole words."""
    return _pattern(words.lower()).search(text.lower()) is not None


def with_sentence(text: str, words: str) -> str:
    """``text`` with the words as a sentence of its own before the note; as it is where they stand there already."""
    own, blank, note = text.partition("\n\n")
    if says(own, words):
        return text
    own = own.rstrip()
    own += "." if own[-1:].isalnum() else ""
    return f"{own} {words[:1].upper()}{words[1:]}.".lstrip() + blank + note


def clean_text(text: str, most: int, what: str, *, lines: bool = False) -> str:
    """Text as it may be stored: no control characters, trimmed, one line unless ``lines``. Markup stays as text."""
    text = _NOT_TEXT.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = text.strip() if lines else " ".join(text.split())
    if len(text) > most:
        raise AppError("too_long", f"{what} has {len(text)} characters; shorten it to at most {most}.", 422)
    return text


def clean_note(text: str) -> str:
    """A note as it may be stored."""
    return clean_text(text, NOTE_LENGTH, "The note", lines=True)


def category_name(value: str, *, listed: bool = False) -> str:
    """The category of that name, phrase or synonym; else the words by which the seller calls the item.

    Raises:
        AppError: 422 where ``listed`` asks for one of the tree, or the words name nothing.
    """
    node = load_taxonomy().find(value)
    if node is not None:
        return node.name
    if listed:
        raise AppError("bad_category", f"There is no category {value[:60]!r}; choose one of the list.", 422)
    words = clean_text(value, CATEGORY_LENGTH, "What it is")
    if not any(c.isalpha() for c in words) or scrub(words) != words or instruction_like(words):
        raise AppError("bad_category", 'Write in a few words what it is, as in "chopping board".', 422)
    return words
