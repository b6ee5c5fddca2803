"""Texts follow the seller: what they set, confirm or leave out is said so where it stands. Pure functions.

A claim goes by the name of the field that it speaks of: an attribute's, ``category``, or ``detail:`` and its phrase.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import get_args

from app.editing.merging import merged
from app.editing.word_removal import cut
from listing.say import spans
from listing.say.claims import NAME, SELLERS_OWN, Claim
from listing.say.forms import detail_forms
from listing.schema import Detail, Draft, Offer, Span, TextField
from listing.taxonomy import load_taxonomy

DETAIL = "detail:"


def name_of(span: Span | Offer | Claim) -> str:
    """The name of the claim of a span or an offer."""
    return f"{DETAIL}{span.value}" if span.attribute == "detail" else span.attribute or ""


def is_detail(name: str, draft: Draft | None) -> bool:
    """Whether it names a detail that texts know, or that the draft's model found."""
    phrase = name.removeprefix(DETAIL)
    found = {d.phrase for d in draft.details} if draft is not None else set()
    return name.startswith(DETAIL) and (phrase in detail_forms() or phrase in found)


def fits(draft: Draft | None, name: str) -> bool:
    """Whether a thing of the draft's category can have a detail, and a text can say so."""
    form = detail_forms().get(name.removeprefix(DETAIL))  # none: the model's own words, which the text has already
    if draft is None or draft.category.value is None or form is None:
        return True
    return form.fits(load_taxonomy().node(draft.category.value))


def to_check(draft: Draft | None) -> dict[str, str]:
    """What the texts say that the seller has not confirmed: value by name, in the order in which it reads."""
    values: dict[str, list[str]] = {}
    for span in draft.spans if draft is not None else ():
        if span.status == "check" and span.value not in values.setdefault(name_of(span), []):
            values[name_of(span)].append(span.value)
    return {name: ", ".join(several) for name, several in values.items()}


def sayable(name: str, value: str) -> bool:
    """Whether a text says this value, instead of saying nothing about the field."""
    attribute = load_taxonomy().attributes.get(name)
    return attribute is None or (value not in attribute.unspoken and value != attribute.absent)


def followed(draft: Draft, said: Mapping[str, str | None]) -> Draft:
    """The draft whose texts and details agree with what the seller said of them; None leaves a claim out.

    A rendered text is rendered again with all of it; in one that was written, words and sentences are changed.
    """
    if not draft.spans:
        return draft
    draft = _rendered(draft, dict(said)) or _written(draft, said)
    marks = [s.model_copy(update={"status": "seller"}) if name_of(s) in said else s for s in draft.spans]
    names = {d.phrase: f"{DETAIL}{d.phrase}" for d in draft.details}
    details = [
        d.model_copy(update={"confidence": 1.0}) if names[d.phrase] in said else d
        for d in draft.details
        if said.get(names[d.phrase], d.phrase) is not None
    ]
    told = {s.value for s in marks if s.attribute == "detail" and s.status == "seller"} - names.keys()
    details = [*(Detail(phrase=phrase, confidence=1.0) for phrase in sorted(told)), *details]
    return draft.model_copy(update={"spans": marks, "details": details})


def _rendered(draft: Draft, said: dict[str, str | None]) -> Draft | None:
    """The draft rendered from what the seller says, the title without further details; None where it was written.

    What was told last goes first: of two values that exclude each other it is the one that stands.
    """
    known = spans.said(draft)
    present = {name_of(claim) for claim in known}
    kept = [claim for each in known if not _disproved(draft, each, said) for claim in _claims_now(each, said)]
    pairs = {(c.attribute, c.value) for c in kept}
    kept += [c for n, v in said.items() if n in present for c in _claims(n, v) if (c.attribute, c.value) not in pairs]
    new = [claim for name in reversed(said) for claim in unsaid(draft, {name: said[name]})]
    if not new and {(c.attribute, c.value) for c in kept} == {(c.attribute, c.value) for c in known}:
        return draft  # what is confirmed changes no word
    named = spans.again(draft, [*(c for c in new if c.attribute != "detail"), *kept])
    text = spans.again(draft, [*new, *kept])
    if named is None or text is None:
        return None
    marks = [s for each in (named, text) for s in each.spans if (s.field == "title") == (each is named)]
    return text.model_copy(update={"title": named.title, "spans": marks})


def _disproved(draft: Draft, claim: Claim, said: Mapping[str, str | None]) -> bool:
    """Whether a detail says of a fact what the seller corrected or left out: no "full zip" where it has no zip."""
    form = detail_forms().get(claim.value) if claim.attribute == "detail" and name_of(claim) not in said else None
    for name, values in form.says.items() if form is not None and claim.status != "seller" else ():
        fact = draft.attribute(name)
        before = (fact.value or fact.suggestion) if fact is not None else None
        if name in said and before in values and said[name] not in values and before != "tie":
            return True
    return False


def _claims_now(claim: Claim, said: Mapping[str, str | None]) -> Iterator[Claim]:
    """The claim as it stands once the seller has spoken: as it is, as theirs, or not any more."""
    name = name_of(claim)
    if name not in said:
        yield claim
    elif claim.value in {c.value for c in _claims(name, said[name])}:
        yield replace(claim, status="seller", read=claim.read and claim.status != "check")


def _claims(name: str, value: str | None) -> list[Claim]:
    """What a text says of a field that has this value."""
    if value is None or not sayable(name, value):
        return []
    if name.startswith(DETAIL):
        return [Claim("detail", value, "seller")]
    attribute = load_taxonomy().attributes.get(name)
    values = value.split(", ") if attribute is not None and attribute.many else [value]
    return [Claim(name, each, "seller") for each in values]


def _written(draft: Draft, said: Mapping[str, str | None]) -> Draft:
    """The draft with single words and sentences changed, taken out and added."""
    for claim in unsaid(draft, said):
        draft = spans.add(draft, claim) if is_offered(draft, claim) else draft
    kind = load_taxonomy().node(category) if (category := said.get("category")) else None
    if kind is not None and NAME in said:  # in the place of the type stands what it is now
        said = {**said, NAME: said[NAME] or kind.phrase}
    for name, value in said.items():
        while (at := _first_other(draft.spans, name, value)) is not None:
            texts: dict[TextField, str] = {"title": draft.title, "description": draft.description}
            changed = (
                spans.replace(texts, draft.spans, at, value) if value is not None and sayable(name, value) else None
            )
            if changed is None:
                draft = spans.remove(draft, at)
                present = {(s.attribute, s.value) for s in draft.spans}
                for claim in (c for c in _claims(name, value) if (c.attribute, c.value) not in present):
                    draft = spans.add(draft, claim)
            else:
                update = {"title": changed[0]["title"], "description": changed[0]["description"], "spans": changed[1]}
                draft = draft.model_copy(update=update)
    return draft


def unsaid(draft: Draft, said: Mapping[str, str | None]) -> Iterator[Claim]:
    """What the seller says of what no span speaks of."""
    taxonomy, present = load_taxonomy(), {name_of(span) for span in draft.spans}
    spoken = {NAME, *(a.name for a in taxonomy.in_text()), *SELLERS_OWN}
    spoken |= {"category"} if draft.category.value is None else set()  # the item gets its name
    for name, value in said.items():
        if name not in present and (is_detail(name, draft) or name in spoken):
            yield from _claims(name, value)


def is_offered(draft: Draft, claim: Claim) -> bool:
    """Whether a claim is a detail, or something that the draft offers to say."""
    offered = any((o.attribute, o.value) == (claim.attribute, claim.value) for o in draft.offers)
    return offered or claim.attribute == "detail"


def renamed(draft: Draft, category: str) -> bool:
    """Whether the texts name the item by a type that the seller's other category leaves open."""
    other = category != draft.category.value
    return other and any(span.attribute == NAME and span.status != "seller" for span in draft.spans)


def typed_along(before: Draft, after: Draft, seen: Draft, name: str, value: str | None) -> dict[TextField, str]:
    """What the seller typed (``seen``) once a claim was changed: as the program's own text changed, else in place.

    Args:
        before: the draft as its texts would stand had nobody typed in them.
        after: the same with the claim changed.
    """
    place = _in_place(seen, name, value)
    texts: dict[TextField, str] = {}
    for field in get_args(TextField):
        text = merged(getattr(before, field), getattr(after, field), getattr(seen, field))
        texts[field] = place[field] if text is None else text
        texts[field] = texts[field] or getattr(after, field)  # nothing was left of it
    return texts


def _in_place(draft: Draft, name: str, value: str | None) -> dict[TextField, str]:
    """Both texts with a claim changed or taken out in place, whoever wrote them."""
    texts: dict[TextField, str] = {"title": draft.title, "description": draft.description}
    at = _first_other(draft.spans, name, value)
    if at is None and name == "category" and value is not None:  # it goes by the name of a type
        at, value = _first_other(draft.spans, NAME, value), load_taxonomy().node(value).phrase
    if at is None:
        for claim in unsaid(draft, {name: value}):
            draft = spans.add(draft, claim) if is_offered(draft, claim) else draft
        return {**texts, "description": draft.description}
    changed = spans.replace(texts, draft.spans, at, value) if value is not None and sayable(name, value) else None
    if changed is not None:
        return changed[0]
    for span in sorted(draft.spans, key=lambda s: -s.start):
        if (span.attribute, span.value) == (draft.spans[at].attribute, draft.spans[at].value):
            texts[span.field] = cut(texts[span.field], span.start, span.end)
    return texts


def _first_other(marks: list[Span], name: str, value: str | None) -> int | None:
    """The first span of that name that says something else."""
    attribute = load_taxonomy().attributes.get(name)
    wanted = () if value is None else value.split(", ") if attribute is not None and attribute.many else (value,)
    if name.startswith(DETAIL) and value is not None:
        return None
    return next((n for n, s in enumerate(marks) if name_of(s) == name and s.value not in wanted), None)
