"""The texts of a draft once its seller has spoken: what they set, confirm or leave out is said so where it stands.

A rendered text is rendered again; in one that a model wrote, words and sentences are changed and the rest stays word
for word. No model is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from listing.decide.claims import NAME, Claim, name_of
from listing.decide.settle import Item
from listing.details import detail_forms, load_details
from listing.lexicon import words
from listing.observe.seller import TEXTS, ClaimEdits
from listing.say.clauses import split, without_span
from listing.say.edit import merged, replace_words, says
from listing.say.marks import agreeing, capital, find_spans, shifted, with_article
from listing.say.plan import claims_after, first_other, is_offered, stated_claims, told, unsaid
from listing.say.render import render, sentences_of
from listing.schema import DETAIL, Draft, Span, TextField
from listing.taxonomy import is_plural

_DETERMINERS = words("determiners") | {"no", "two", "three", "four", "some"}
_HANGS = re.compile(r"(?:with|and|in|by)\b", re.I)  # what a title cannot begin with
_WHERE = re.compile(r" (?:at|on|in|with|of|and|down|inside|under) ")


def say_again(draft: Draft, edits: ClaimEdits, item: Item) -> Draft:
    """The draft whose texts agree with what the seller said of them; None leaves a claim out."""
    if not draft.spans:
        return draft
    if _other_number(draft, edits, item):
        draft = draft.model_copy(update={"writer": dict.fromkeys(TEXTS, "renderer")})
    changed = _changed(draft, edits, item) if {*draft.writer.values()} != {"renderer"} else draft
    writer = changed.writer
    rendered = _rendered(draft, edits, item) if "renderer" in writer.values() else draft
    of = {field: rendered if writer[field] == "renderer" else changed for field in TEXTS}
    spans = [s for field in TEXTS for s in of[field].spans if s.field == field]
    spans = [s.model_copy(update={"status": "seller"}) if name_of(s) in edits else s for s in spans]
    texts = {"title": of["title"].title, "description": of["description"].description}
    return draft.model_copy(update={**texts, "spans": spans, "writer": writer})


def _other_number(draft: Draft, edits: ClaimEdits, item: Item) -> bool:
    """True if a text that spoke of one item has to speak of several now, or the other way round."""
    category = edits.get("category")
    noun = edits.get(NAME) or (item.kind(category).phrase if category else None)
    claims = stated_claims(draft)
    named = noun is not None and any(c.attribute == "category" for c in claims)
    return named and item.of(claims).plural is not is_plural(noun or "")


def _rendered(draft: Draft, edits: ClaimEdits, item: Item) -> Draft:
    """The draft rendered from what the seller says, above its note, the title without further details.

    What was told last goes first: of two values that exclude each other it is the one that stands.
    """
    before, after = stated_claims(draft), claims_after(draft, edits, item)
    new = [claim for name in reversed([*edits]) for claim in unsaid(draft, {name: edits[name]}, item)]
    if not new and {(c.attribute, c.value) for c in after} == {(c.attribute, c.value) for c in before}:
        return draft  # what is confirmed changes no word
    claims = [*(c for c in new if c.attribute != "detail"), *after], [*new, *after]
    named, text = (render(each, item.taxonomy, tone=draft.tone) for each in claims)
    _, blank, note = draft.description.partition("\n\n")
    marks = [s for each in (named, text) for s in each.spans if (s.field == "title") == (each is named)]
    update = {"title": named.title, "description": text.description + blank + note, "spans": marks}
    return draft.model_copy(update=update)


def _changed(draft: Draft, edits: ClaimEdits, item: Item) -> Draft:
    """The draft with single words and sentences changed, taken out and added."""
    for claim in unsaid(draft, edits, item):
        if claim.attribute == "brand":
            draft = _branded(draft, claim)
        draft = add(draft, claim, item) if is_offered(draft, claim) else draft
    kind = item.kind(category) if (category := edits.get("category")) else None
    if kind is not None and NAME in edits:  # in the place of the type stands what it is now
        edits = {**edits, NAME: edits[NAME] or kind.phrase}
    for name, value in edits.items():
        while (at := first_other(draft.spans, name, value, item)) is not None:
            changed = _replaced(draft, at, name, value, item)
            if changed is None:
                changed = remove(draft, at, item)
                present = {(s.attribute, s.value) for s in changed.spans}
                for claim in (c for c in told(name, value, item) if (c.attribute, c.value) not in present):
                    changed = add(changed, claim, item)
            draft = changed
    return draft


def _branded(draft: Draft, claim: Claim) -> Draft:
    """The draft with its maker behind the title, which buyers search by; as it is where the title names it."""
    if not draft.title or claim.value.casefold() in draft.title.casefold():
        return draft
    title = f"{draft.title}, {claim.value}"
    start = len(title) - len(claim.value)
    span = Span(field="title", start=start, end=len(title), attribute="brand", value=claim.value, status="seller")
    return draft.model_copy(update={"title": title, "spans": [*draft.spans, span]})


def _replaced(draft: Draft, at: int, name: str, value: str | None, item: Item) -> Draft | None:
    """The draft with a value in the place of a span's words; None where it is left out or has no words that fit."""
    if value is None or not told(name, value, item) or _other_number(draft, {name: value}, item):
        return None
    changed = replace_words(draft.texts, draft.spans, at, value, item)
    if changed is None:
        return None
    texts, spans = changed
    return draft.model_copy(update={"title": texts["title"], "description": texts["description"], "spans": spans})


def remove(draft: Draft, index: int, item: Item) -> Draft:
    """The draft without the sentences that say what a span claims, in place of a title or an empty text a rendered one.

    The seller's note, the paragraph behind the description, stays as it is.
    """
    gone = (draft.spans[index].attribute, draft.spans[index].value)
    remaining = [c for c in stated_claims(draft) if (c.attribute, c.value) != gone]
    body, blank, note = draft.description.partition("\n\n")
    left_over = item.of([*remaining, Claim("category", draft.category.value or "")])
    text = render(remaining, item.taxonomy)
    at = [s.start for s in draft.spans if s.field == "description" and (s.attribute, s.value) == gone]
    left = [body[a:b] for a, b in split(body) if not any(a <= start < b for start in at)]
    description = "".join(left).strip() or text.description
    in_title = any(s.field == "title" and (s.attribute, s.value) == gone for s in draft.spans)
    title = text.title if in_title else draft.title
    writer = dict(draft.writer)
    if in_title:
        writer["title"] = "renderer"
    marks = find_spans({"title": title, "description": description}, left_over, remaining)
    details = [d for d in draft.details if ("detail", d.phrase) != gone]
    texts = {"title": title, "description": description + blank + note}
    return draft.model_copy(update={**texts, "spans": marks, "details": details, "writer": writer})


def add(draft: Draft, claim: Claim, item: Item) -> Draft:
    """The draft whose description makes one more claim, in a sentence of its own: behind the others, before the note;
    as it is where there are no words for it, or the text has them."""
    named = [c for c in stated_claims(draft) if c.attribute in (NAME, "category")]
    sentence, marks = sentences_of(item.of(named), [claim]) if named else ("", [])
    body, blank, note = draft.description.partition("\n\n")
    there = set(load_details().named(body))
    if (
        not sentence
        or says(body, sentence.rstrip("."))
        or claim.value in there
        or _kinds([claim.value]) & _kinds(there)
    ):  # of a kind a text names one
        return draft
    text = _behind(body, sentence)
    marks = shifted(marks, len(text) - len(sentence))
    return draft.model_copy(update={"description": text + blank + note, "spans": [*draft.spans, *marks]})


def _behind(body: str, sentence: str) -> str:
    """The text with one more sentence behind it."""
    before = body.rstrip()
    return f"{before}{'.' if before[-1:].isalnum() else ''} {sentence}".lstrip()


def _kinds(details: Iterable[str]) -> set[str]:
    """The kinds of details of which an item has one (a motif, a collar)."""
    forms = (detail_forms().get(detail) for detail in details)
    return {form.kind for form in forms if form is not None and form.kind}


def typed_along(
    before: Draft, after: Draft, typed: Draft, name: str, value: str | None, item: Item
) -> dict[TextField, str]:
    """The typed texts (``typed``) once a claim was changed: as the program's own text changed, else in place.

    Args:
        before: the draft as its texts would stand had nobody typed in them.
        after: the same with the claim changed.
    """
    typed, name, value = _told_of(typed, name, value, item)
    place = _in_place(typed, name, value, item)
    texts: dict[TextField, str] = {}
    for field in TEXTS:
        text = merged(before.texts[field], after.texts[field], typed.texts[field])
        other = first_other([s for s in typed.spans if s.field == field], name, value, item) is not None
        if text is None or (other and text == typed.texts[field]):  # the program's own says nothing of it there
            text = place[field]
        texts[field] = text or after.texts[field]  # nothing was left of it
    if _other_number(before, {name: value}, item):
        noun = value if name == NAME else item.kind(value or "").phrase
        texts = {f: agreeing(text, noun or "", plural=is_plural(noun or "")) for f, text in texts.items()}
    return texts


def _told_of(draft: Draft, name: str, value: str | None, item: Item) -> tuple[Draft, str, str | None]:
    """The draft with spans wherever its texts speak of a field, the claim by which they do, and its value."""
    if name == "category" and value is not None and first_other(draft.spans, name, value, item) is None:
        name, value = NAME, item.kind(value).phrase  # it goes by the name of a type
    if name == NAME:
        value = value or item.node.phrase  # a text without a noun is none
        draft = _by_name(draft)
    return _with_spans(draft, name, value, item), name, value


def _in_place(draft: Draft, name: str, value: str | None, item: Item) -> Mapping[TextField, str]:
    """Both texts with a claim changed or taken out in place, whoever wrote them."""
    at, texts = first_other(draft.spans, name, value, item), draft.texts
    if at is None:
        for claim in unsaid(draft, {name: value}, item):
            draft = add(_branded(draft, claim) if claim.attribute == "brand" else draft, claim, item)
        return draft.texts
    stands = value is not None and bool(told(name, value, item))
    changed = replace_words(draft.texts, draft.spans, at, value or "", item) if stands else None
    plural, noun = is_plural(item.node.phrase), capital(item.noun)
    there = {s.field for s in draft.spans if s.value == value}
    for span in sorted(draft.spans, key=lambda s: -s.start):
        if (span.attribute, span.value) == (draft.spans[at].attribute, draft.spans[at].value):
            left = without_span(texts[span.field], span.start, span.end, plural=plural)
            texts[span.field] = f"{noun} {left[:1].lower()}{left[1:]}" if _HANGS.match(left) else left
    if changed is not None:  # a text that says the value already needs it not twice
        texts |= {field: changed[0][field] for field in TEXTS if field not in there}
    return texts


def _by_name(draft: Draft) -> Draft:
    """The draft, its kind read as its name in texts that have no other: another name takes its place."""
    named = {s.field for s in draft.spans if s.attribute == NAME}
    spans = [
        s.model_copy(update={"attribute": NAME}) if s.attribute == "category" and s.field not in named else s
        for s in draft.spans
    ]
    return draft.model_copy(update={"spans": spans})


def _with_spans(draft: Draft, name: str, value: str | None, item: Item) -> Draft:
    """The draft with a span wherever its texts say what they may on this field, typed words included."""
    fact = draft.attribute(name)
    values = [value if name != "category" else None, *((fact.value, fact.suggestion) if fact is not None else ())]
    stated = [Claim(name, each) for text in values if text for each in item.values_in(name, text)]
    stated = [Claim("detail", c.value) if name.startswith(DETAIL) else c for c in stated]
    named = [Claim(s.attribute or "", s.value) for s in draft.spans if name_of(s) == name] + stated
    found = find_spans(draft.texts, item, named)
    free = [
        s for s in found if not any(s.field == o.field and s.start < o.end and o.start < s.end for o in draft.spans)
    ]
    return draft.model_copy(update={"spans": sorted([*draft.spans, *free], key=lambda s: (s.field, s.start))})


def with_words(draft: Draft, words: str, item: Item) -> Draft:
    """The draft with the seller's words as a sentence of their own, before the note."""
    body, blank, note = draft.description.partition("\n\n")
    told = _as_sentence(words, plural=is_plural(item.node.phrase))
    if says(body, words) or says(body, told):
        return draft
    text = _behind(body, f"{told[:1].upper()}{told[1:]}.")
    return draft.model_copy(update={"description": text + blank + note})


def _as_sentence(words: str, *, plural: bool) -> str:
    """What is on the item as a sentence, no fragment: "It has a crocodile pattern"; other words as they are."""
    bare = re.sub(
        r"^(?:without|not) (?:any |an? )?", "no ", re.sub(r"^(?:and |with )+", "", words, flags=re.I), flags=re.I
    )
    head = _WHERE.split(bare)[0].split()[-1].lower()
    if (bare == words or words.lower().startswith("not ")) and head.removesuffix("s") not in _parts():
        return words
    first = bare.split()[0].lower()
    one = not head.endswith("s") and not first[:1].isdigit() and first not in _DETERMINERS
    return f"{'They have' if plural else 'It has'} {with_article(bare) if one else bare}"


@lru_cache(maxsize=1)
def _parts() -> frozenset[str]:
    """Nouns of what can be on an item, in the singular: the last words of the details that it has."""
    named = [_WHERE.split(phrase)[0].split()[-1] for phrase, form in detail_forms().items() if form.behind]
    return frozenset(word.removesuffix("s") for word in (*named, "details", "pattern"))
