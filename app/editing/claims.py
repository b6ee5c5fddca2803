"""Texts follow the seller: what they set, confirm or leave out is said so where it stands. Pure functions.

A claim goes by the name of the field that it speaks of: an attribute's, ``category``, or ``detail:`` and its phrase.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from app.editing.word_removal import cut
from listing.request import TONES
from listing.say import spans
from listing.say.claims import NAME, SELLERS_OWN, Claim
from listing.say.forms import detail_forms
from listing.say.render import render
from listing.schema import Detail, Draft, Offer, Span, TextField
from listing.taxonomy import load_taxonomy

DETAIL = "detail:"
_SENTENCES = ("condition", *SELLERS_OWN)  # said in sentences of their own, so that no single word can be replaced


def name_of(span: Span | Offer) -> str:
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
    """The draft whose texts and details agree with what the seller said of them; None leaves a claim out."""
    if not draft.spans:
        return draft
    # First what may be rendered again: that is possible only while the text is as it was rendered.
    for name, value in said.items():
        labelled = name == "size" and "label says" in draft.description  # it does not say what the seller says
        while (at := _first_other(draft.spans, name, value)) is not None and (labelled or not _in_place(name, value)):
            again = value if value is not None and sayable(name, value) else None
            draft = spans.remove(draft, at, instead=again)
    draft = _told(draft, said)
    for name, value in said.items():
        while value is not None and (at := _first_other(draft.spans, name, value)) is not None:
            texts, marks = spans.replace(
                {"title": draft.title, "description": draft.description}, draft.spans, at, value
            )
            title, description = texts["title"], texts["description"]
            draft = draft.model_copy(update={"title": title, "description": description, "spans": marks})
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


def _told(draft: Draft, said: Mapping[str, str | None]) -> Draft:
    """The draft with what the seller says and no span says yet: rendered again, the title without further details.

    Into a text that was not rendered goes a sentence for each detail or offer; it stays as it is otherwise.
    """
    taxonomy, new = load_taxonomy(), list(unsaid(draft, said))
    own, blank, note = draft.description.partition("\n\n")
    known = spans.said(draft) if new else []
    tone = next((t for t in TONES if new and own == render(known, taxonomy, key=draft.id, tone=t).description), None)
    if tone is not None:
        named = render([*known, *(c for c in new if c.attribute != "detail")], taxonomy, key=draft.id, tone=tone)
        text = render([*known, *new], taxonomy, key=draft.id, tone=tone)
        marks = [s for each in (named, text) for s in each.spans if (s.field == "title") == (each is named)]
        update = {"title": named.title, "description": text.description + blank + note, "spans": marks}
        draft = draft.model_copy(update=update)
    told = {(span.attribute, span.value) for span in draft.spans}
    for claim in new:
        if (claim.attribute, claim.value) not in told and is_offered(draft, claim):
            draft = spans.add(draft, claim)
    return draft


def unsaid(draft: Draft, said: Mapping[str, str | None]) -> Iterator[Claim]:
    """What the seller says of what no span speaks of."""
    taxonomy, present = load_taxonomy(), {name_of(span) for span in draft.spans}
    spoken = {NAME, *(a.name for a in taxonomy.in_text()), *SELLERS_OWN}
    for name, value in said.items():
        if value is None or name in present:
            continue
        if is_detail(name, draft):
            yield Claim("detail", value, "seller")
        elif name == "category" and draft.category.value is None:  # the item gets its name
            yield Claim("category", value, "seller")
        elif name in spoken and sayable(name, value):
            many = taxonomy.attributes[name].many
            yield from (Claim(name, each, "seller") for each in (value.split(", ") if many else [value]))


def is_offered(draft: Draft, claim: Claim) -> bool:
    """Whether a claim is a detail, or something that the draft offers to say."""
    offered = any((o.attribute, o.value) == (claim.attribute, claim.value) for o in draft.offers)
    return offered or claim.attribute == "detail"


def renamed(draft: Draft, category: str) -> bool:
    """Whether the texts name the item by a type that the seller's other category leaves open."""
    other = category != draft.category.value
    return other and any(span.attribute == NAME and span.status != "seller" for span in draft.spans)


def typed_along(draft: Draft, name: str, value: str | None) -> dict[TextField, str]:
    """Both texts with a claim changed or taken out in place, whoever wrote them."""
    texts: dict[TextField, str] = {"title": draft.title, "description": draft.description}
    at = _first_other(draft.spans, name, value)
    if at is None:
        for claim in unsaid(draft, {name: value}):
            draft = spans.add(draft, claim) if is_offered(draft, claim) else draft
        return {**texts, "description": draft.description}
    if value is not None and _in_place(name, value):
        return spans.replace(texts, draft.spans, at, value)[0]
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


def _in_place(name: str, value: str | None) -> bool:
    """Whether the value can stand where another one stood."""
    if value is None or not sayable(name, value) or name in _SENTENCES:
        return False
    attribute = load_taxonomy().attributes.get(name)
    form = attribute.forms.get(value) if attribute is not None else None
    return form is None or bool(form.before or form.behind)
