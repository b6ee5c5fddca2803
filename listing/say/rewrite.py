"""The texts of a draft once the seller has spoken: what they set, confirm or leave out is said so where it stands.

A rendered text is rendered again from the claims of now; in one that a model wrote, words and sentences are changed. A
claim goes by the name of the field that it speaks of: an attribute's, ``category``, or ``detail:`` and its phrase.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import get_args

from listing.observe.details import load_details
from listing.request import TONES, Tone
from listing.say.claims import NAME, SELLER_ONLY, Claim, stated_claims
from listing.say.marks import article, find_spans
from listing.say.patch import cut, merged, says, with_sentence
from listing.say.render import closing_at, render, sentences_of
from listing.say.settle import detail_forms, settle
from listing.say.statements import split
from listing.schema import Detail, Draft, Offer, Span, TextField
from listing.taxonomy import Forms, is_plural, load_taxonomy

DETAIL = "detail:"
_SENTENCES = ("condition", *SELLER_ONLY)  # said in sentences of their own, so that no single word can be replaced
_ARTICLE = re.compile(r"\b(an?) ((?:[\w-]+ )?)$", re.I)  # an adjective may stand between ("a wide boat neck")


def name_of(span: Span | Offer | Claim) -> str:
    """The name of the claim of a span or an offer."""
    return f"{DETAIL}{span.value}" if span.attribute == "detail" else span.attribute or ""


def is_detail(name: str, draft: Draft | None) -> bool:
    """True if it names a detail that texts know, or that the draft's model found."""
    phrase = name.removeprefix(DETAIL)
    of_model = {d.phrase for d in draft.details} if draft is not None else set()
    return name.startswith(DETAIL) and (phrase in detail_forms() or phrase in of_model)


def fits(draft: Draft | None, name: str) -> bool:
    """True if an item of the draft's category can have a detail, and a text can say so."""
    form = detail_forms().get(name.removeprefix(DETAIL))  # none: the model's own words, which the text has already
    if draft is None or draft.category.value is None or form is None:
        return True
    return form.fits(load_taxonomy().node(draft.category.value))


def to_check(draft: Draft | None) -> dict[str, str]:
    """Claims of the texts that the seller has not confirmed: value by name, in the order in which it reads."""
    values: dict[str, list[str]] = {}
    for span in draft.spans if draft is not None else ():
        if span.status == "check" and span.value not in values.setdefault(name_of(span), []):
            values[name_of(span)].append(span.value)
    return {name: ", ".join(several) for name, several in values.items()}


def sayable(name: str, value: str) -> bool:
    """True if a text says this value, instead of saying nothing about the field."""
    attribute = load_taxonomy().attributes.get(name)
    return attribute is None or (value not in attribute.unspoken and value != attribute.absent)


def followed(draft: Draft, edits: Mapping[str, str | None]) -> Draft:
    """The draft whose texts and details agree with what the seller said of them; None leaves a claim out."""
    if not draft.spans:
        return draft
    tone = _tone(draft)
    if tone is not None or _other_number(draft, edits):
        draft = _rendered(draft, edits, tone or "plain")
    else:
        draft = _changed(draft, edits)
    marks = [s.model_copy(update={"status": "seller"}) if name_of(s) in edits else s for s in draft.spans]
    names = {d.phrase: f"{DETAIL}{d.phrase}" for d in draft.details}
    details = [
        d.model_copy(update={"confidence": 1.0}) if names[d.phrase] in edits else d
        for d in draft.details
        if edits.get(names[d.phrase], d.phrase) is not None
    ]
    added = {s.value for s in marks if s.attribute == "detail" and s.status == "seller"} - names.keys()
    details = [*(Detail(phrase=phrase, confidence=1.0) for phrase in sorted(added)), *details]
    return draft.model_copy(update={"spans": marks, "details": details})


def _tone(draft: Draft) -> Tone | None:
    """The tone in which its text was rendered; None where a model wrote it."""
    taxonomy, claims, (text, _, _) = load_taxonomy(), stated_claims(draft), draft.description.partition("\n\n")
    return next((t for t in TONES if text == render(claims, taxonomy, key=draft.id, tone=t).description), None)


def _other_number(draft: Draft, edits: Mapping[str, str | None]) -> bool:
    """True if a text that spoke of one item has to speak of several now, or the other way round."""
    category = edits.get("category")
    noun = edits.get(NAME) or (load_taxonomy().node(category).phrase if category else None)
    claims = stated_claims(draft)
    named = noun is not None and any(c.attribute == "category" for c in claims)
    return named and settle(claims, load_taxonomy()).plural is not is_plural(noun or "")


def _rendered(draft: Draft, edits: Mapping[str, str | None], tone: Tone) -> Draft:
    """The draft rendered from what the seller says, above its note, the title without further details.

    What was told last goes first: of two values that exclude each other it is the one that stands.
    """
    before, after = stated_claims(draft), _claims_after(draft, edits)
    new = [claim for name in reversed([*edits]) for claim in unsaid(draft, {name: edits[name]})]
    if not new and {(c.attribute, c.value) for c in after} == {(c.attribute, c.value) for c in before}:
        return draft  # what is confirmed changes no word
    claims = [*(c for c in new if c.attribute != "detail"), *after], [*new, *after]
    named, text = (render(each, load_taxonomy(), key=draft.id, tone=tone) for each in claims)
    _, blank, note = draft.description.partition("\n\n")
    marks = [s for each in (named, text) for s in each.spans if (s.field == "title") == (each is named)]
    update = {"title": named.title, "description": text.description + blank + note, "spans": marks}
    return draft.model_copy(update=update)


def _claims_after(draft: Draft, edits: Mapping[str, str | None]) -> list[Claim]:
    """The draft's claims as the seller leaves them, without what they say besides."""
    before = stated_claims(draft)
    present = {name_of(claim) for claim in before}
    kind = edits.get("category")
    left = [each for each in before if not _disproved(draft, each, edits) and (not kind or may_have(kind, each))]
    after = [claim for each in left for claim in _claims_now(each, edits)]
    pairs = {(c.attribute, c.value) for c in after}
    others = [claim for name, value in edits.items() if name in present for claim in _claims(name, value)]
    return after + [c for c in others if (c.attribute, c.value) not in pairs]


def may_have(category: str, claim: Claim) -> bool:
    """True if an item of the category can have what is claimed: a lamp has no neckline. The seller's word stands."""
    node = load_taxonomy().node(category)
    if claim.status == "seller" or claim.attribute in ("category", NAME):
        return True
    if claim.attribute == "detail":
        form = detail_forms().get(claim.value)
        return form is None or form.fits(node)
    return claim.attribute in node.attributes


def _disproved(draft: Draft, claim: Claim, edits: Mapping[str, str | None]) -> bool:
    """True if a detail says of a fact what the seller corrected or left out: no "full zip" where it has no zip."""
    form = detail_forms().get(claim.value) if claim.attribute == "detail" and name_of(claim) not in edits else None
    for name, values in form.says.items() if form is not None and claim.status != "seller" else ():
        fact = draft.attribute(name)
        before = (fact.value or fact.suggestion) if fact is not None else None
        if name in edits and before in values and edits[name] not in values and before != "tie":
            return True
    return False


def _claims_now(claim: Claim, edits: Mapping[str, str | None]) -> Iterator[Claim]:
    """The claim as it stands once the seller has spoken: as it is, as theirs, or not any more."""
    name = name_of(claim)
    if name not in edits:
        yield claim
    elif claim.value in {c.value for c in _claims(name, edits[name])}:
        yield replace(claim, status="seller", from_print=claim.from_print and claim.status != "check")


def _claims(name: str, value: str | None) -> list[Claim]:
    """Claims of a text on a field that has this value."""
    if value is None or not sayable(name, value):
        return []
    if name.startswith(DETAIL):
        return [Claim("detail", value, "seller")]
    return [Claim(name, each, "seller") for each in load_taxonomy().values_in(name, value)]


def _changed(draft: Draft, edits: Mapping[str, str | None]) -> Draft:
    """The draft with single words and sentences changed, taken out and added."""
    for claim in unsaid(draft, edits):
        draft = add(draft, claim) if is_offered(draft, claim) else draft
    kind = load_taxonomy().node(category) if (category := edits.get("category")) else None
    if kind is not None and NAME in edits:  # in the place of the type stands what it is now
        edits = {**edits, NAME: edits[NAME] or kind.phrase}
    for name, value in edits.items():
        while (at := _first_other(draft.spans, name, value)) is not None:
            changed = _replaced(draft, at, name, value)
            if changed is None:
                changed = remove(draft, at)
                present = {(s.attribute, s.value) for s in changed.spans}
                for claim in (c for c in _claims(name, value) if (c.attribute, c.value) not in present):
                    changed = add(changed, claim)
            draft = changed
    return draft


def _replaced(draft: Draft, at: int, name: str, value: str | None) -> Draft | None:
    """The draft with a value in the place of a span's words; None where it is left out or has no words that fit."""
    if value is None or not sayable(name, value) or _other_number(draft, {name: value}):
        return None
    changed = replace_words(draft.texts, draft.spans, at, value)
    if changed is None:
        return None
    texts, marks = changed
    return draft.model_copy(update={"title": texts["title"], "description": texts["description"], "spans": marks})


def unsaid(draft: Draft, edits: Mapping[str, str | None]) -> Iterator[Claim]:
    """Claims of the seller that no span makes."""
    taxonomy, present = load_taxonomy(), {name_of(span) for span in draft.spans}
    spoken = {NAME, *(a.name for a in taxonomy.in_text()), *SELLER_ONLY}
    spoken |= {"category"} if draft.category.value is None else set()  # the item gets its name
    for name, value in edits.items():
        if name not in present and (is_detail(name, draft) or name in spoken):
            yield from _claims(name, value)


def is_offered(draft: Draft, claim: Claim) -> bool:
    """True if a claim is a detail, or something that the draft offers to say."""
    offered = any((o.attribute, o.value) == (claim.attribute, claim.value) for o in draft.offers)
    return offered or claim.attribute == "detail"


def renamed(draft: Draft, category: str) -> bool:
    """True if the texts name the item by a type that the seller's other category leaves open."""
    other = category != draft.category.value
    return other and any(span.attribute == NAME and span.status != "seller" for span in draft.spans)


def typed_along(before: Draft, after: Draft, typed: Draft, name: str, value: str | None) -> dict[TextField, str]:
    """The typed texts (``typed``) once a claim was changed: as the program's own text changed, else in place.

    Args:
        before: the draft as its texts would stand had nobody typed in them.
        after: the same with the claim changed.
    """
    place = _in_place(typed, name, value)
    texts: dict[TextField, str] = {}
    for field in get_args(TextField):
        text = merged(getattr(before, field), getattr(after, field), getattr(typed, field))
        texts[field] = place[field] if text is None else text
        texts[field] = texts[field] or getattr(after, field)  # nothing was left of it
    return texts


def _in_place(draft: Draft, name: str, value: str | None) -> dict[TextField, str]:
    """Both texts with a claim changed or taken out in place, whoever wrote them."""
    at, texts = _first_other(draft.spans, name, value), draft.texts
    if at is None and name == "category" and value is not None:  # it goes by the name of a type
        at, value = _first_other(draft.spans, NAME, value), load_taxonomy().node(value).phrase
    if at is None:
        for claim in unsaid(draft, {name: value}):
            draft = add(draft, claim) if is_offered(draft, claim) else draft
        return draft.texts
    if (changed := _replaced(draft, at, name, value)) is not None:
        return changed.texts
    for span in sorted(draft.spans, key=lambda s: -s.start):
        if (span.attribute, span.value) == (draft.spans[at].attribute, draft.spans[at].value):
            texts[span.field] = cut(texts[span.field], span.start, span.end)
    return texts


def _first_other(marks: list[Span], name: str, value: str | None) -> int | None:
    """The first span of that name that says something else."""
    expected = [] if value is None else load_taxonomy().values_in(name, value)
    if name.startswith(DETAIL) and value is not None:
        return None
    return next((n for n, s in enumerate(marks) if name_of(s) == name and s.value not in expected), None)


def replace_words(
    fields: Mapping[TextField, str], spans: Sequence[Span], index: int, value: str
) -> tuple[dict[TextField, str], list[Span]] | None:
    """Another value in the place of a span's words, in both texts; the article follows, the other spans move along.

    None where the value has no words that can stand there.
    """
    old = spans[index]
    texts, out = dict(fields), list(spans)
    for i in [i for i, s in enumerate(out) if (s.attribute, s.value) == (old.attribute, old.value)]:
        span = out[i]
        text = texts[span.field]
        words = _words_for(span, text[: span.start], text[span.start : span.end], value)
        if words is None:
            return None
        start, lead = _article_place(text, span, words)
        if start == span.start and text[start].isupper():
            lead, words = (lead.capitalize(), words) if lead else ("", words[:1].upper() + words[1:])
        texts[span.field] = text[:start] + lead + words + text[span.end :]
        moved = start + len(lead) + len(words) - span.end
        out = [
            s.model_copy(update={"start": s.start + moved, "end": s.end + moved})
            if s.field == span.field and s.start >= span.end
            else s
            for s in out
        ]
        rest = [v for v in (span.value, *span.alternatives) if v != value]
        update = {"start": start + len(lead), "end": start + len(lead) + len(words), "alternatives": rest}
        out[i] = span.model_copy(update={**update, "value": value, "status": "seller", "confidence": None})
    return texts, out


def _article_place(text: str, span: Span, words: str) -> tuple[int, str]:
    """Where other words begin in the place of a span's, and the article in front of them."""
    before, several = _ARTICLE.search(text[: span.start]), _needs_none(span, words)
    if before and (several or not before[2]):
        lead = before[2] if several else f"{article(words)} "
        return before.start(), lead.capitalize() if before[1][0].isupper() else lead
    alone = _needs_none(span, text[span.start : span.end]) and span.attribute not in (NAME, "category")
    return span.start, f"{article(words)} " if alone and not before and not several else ""


def _words_for(span: Span, before: str, words: str, value: str) -> str | None:
    """How the value is said in the same place of a sentence: before the noun, or behind "with" without its article."""
    taxonomy, name = load_taxonomy(), span.attribute or ""
    attribute, ready = taxonomy.attributes.get(name), value.replace("-", " ")
    if name == "category":
        return taxonomy.node(value).phrase
    if attribute is None or name in _SENTENCES:
        return value if attribute is None else None
    if name == "size":
        return f"size {value}"
    if name == "text":
        return f'"{value}"' if words.startswith('"') else value
    if name == "audience" and (words.lower().startswith("for ") or before.lower().endswith("for ")):
        return f"{'for ' if words.lower().startswith('for ') else ''}{'a ' if value == 'baby' else ''}{value}"
    return _form_like(attribute.forms.get(span.value), attribute.forms.get(value), words, ready)


def _form_like(old: Forms | None, new: Forms | None, words: str, ready: str) -> str | None:
    """The form of a value that stands where the old one's ``words`` do; ``ready``: that of one without forms."""
    if new is None or not (new.before or new.behind):
        return None if new is not None and new.sentence else ready
    stays_before = old is None or words.lower() in old.before or not old.behind
    forms = new.before if stays_before else new.behind
    return re.sub(r"^an? ", "", forms[0]) if forms else None


def _needs_none(span: Span, words: str) -> bool:
    """True if the words name several, so that no article stands before them."""
    taxonomy = load_taxonomy()
    if span.attribute in (NAME, "category"):
        return is_plural(words)
    attribute = taxonomy.attributes.get(span.attribute or "")
    behind = [w for f in attribute.forms.values() for w in f.behind] if attribute else []
    return words.lower() in behind  # a form without its own article


def remove(draft: Draft, index: int) -> Draft:
    """The draft without the sentences that say what a span claims, in place of an empty text a rendered one.

    The seller's note, the paragraph behind the description, stays as it is.
    """
    taxonomy, gone = load_taxonomy(), (draft.spans[index].attribute, draft.spans[index].value)
    remaining = [c for c in stated_claims(draft) if (c.attribute, c.value) != gone]
    body, blank, note = draft.description.partition("\n\n")
    text = render(remaining, taxonomy, key=draft.id)
    at = [s.start for s in draft.spans if s.field == "description" and (s.attribute, s.value) == gone]
    left = [body[a:b] for a, b in split(body) if not any(a <= start < b for start in at)]
    description = "".join(left).strip() or text.description
    in_title = any(s.field == "title" and (s.attribute, s.value) == gone for s in draft.spans)
    title = text.title if in_title else draft.title
    marks = find_spans({"title": title, "description": description}, remaining, taxonomy)
    details = [d for d in draft.details if ("detail", d.phrase) != gone]
    update = {"title": title, "description": description + blank + note, "spans": marks, "details": details}
    return draft.model_copy(update=update)


def _kinds(details: Iterable[str]) -> set[str]:
    """The kinds of details of which an item has one (a motif, a collar)."""
    forms = (detail_forms().get(detail) for detail in details)
    return {form.kind for form in forms if form is not None and form.kind}


def add(draft: Draft, claim: Claim) -> Draft:
    """The draft whose description makes one more claim, in a sentence of its own: behind the others, before a closing
    line and the note; as it is where there are no words for it, or the text has them."""
    taxonomy = load_taxonomy()
    named = [c for c in stated_claims(draft) if c.attribute in (NAME, "category")]
    sentence, marks = sentences_of(named, [claim], taxonomy) if named else ("", [])
    body, blank, note = draft.description.partition("\n\n")
    there = set(load_details().named(body))
    if not sentence or claim.value in there or _kinds([claim.value]) & _kinds(there):  # of a kind a text names one
        return draft
    at = closing_at(body, taxonomy)
    before = body[:at].rstrip()
    before += "." if before[-1:].isalnum() else ""
    start = len(before) + 1 if before else 0
    text = " ".join(part for part in (before, sentence, body[at:].strip()) if part)
    marks = [s.model_copy(update={"start": s.start + start, "end": s.end + start}) for s in marks]
    return draft.model_copy(update={"description": text + blank + note, "spans": [*draft.spans, *marks]})


def with_words(description: str, words: str) -> str:
    """The description with the seller's words as a sentence of their own, before a closing line and the note."""
    body, blank, note = description.partition("\n\n")
    if says(body, words):
        return description
    at = closing_at(body, load_taxonomy())
    return " ".join(filter(None, (with_sentence(body[:at], words), body[at:].strip()))) + blank + note
