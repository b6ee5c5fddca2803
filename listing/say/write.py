"""Title and description by a model that sees the photo: one prompt, one answer, and the check of every claim in it."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from typing import get_args

from listing import prompts
from listing.backends.base import Backend
from listing.events import TextEvent
from listing.languages import ENGLISH, LANGUAGES
from listing.lexicon import plain
from listing.observe.neighbours import Neighbours
from listing.request import DraftRequest
from listing.safety.contacts import MASK, scrub
from listing.safety.injection import instruction_like
from listing.say.check import guard, verify, without_invented_words
from listing.say.claims import SELLER_ONLY, Claim
from listing.say.settle import detail_forms, settle
from listing.say.statements import Statement, split
from listing.schema import Flag, TextField
from listing.taxonomy import Taxonomy

MAX_TOKENS, MAX_PHOTOS = 200, 4
MAX_TITLE, MAX_DESCRIPTION = 12, 80  # words; what is longer is cut behind a sentence, or not taken
TONE_WORDS = 25  # of another listing, which is shown for its tone
_MAY_RECUR = frozenset({"category", "colour", "brand", "text", "name"})
_DOUBLED = re.compile(r"(?<![\w'’-])([\w'’-]+)(?:(?: and)? \1(?![\w'’-]))+", re.I)  # "men's men's", "red and red"
_LABEL = re.compile(r"^[\s#*_]*(?:(?:title|description|first line|second line|line [12])\s*[:.-][\s*_]*)?", re.I)


def write(
    backend: Backend, request: DraftRequest, claims: Sequence[Claim], note: str, examples: Sequence[str], tax: Taxonomy
) -> Generator[TextEvent, None, dict[TextField, str]]:
    """The model's texts, streamed: its first line is the title, the next the description."""
    texts: dict[TextField, str] = {"title": "", "description": ""}
    asked = listing_prompt(claims, note, examples, request, tax)
    title, description = get_args(TextField)
    field: TextField = title
    photos = [photo.image for photo in request.photos[:MAX_PHOTOS]]
    for piece in backend.write(photos, asked, max_tokens=MAX_TOKENS):
        for i, line in enumerate(piece.split("\n")):
            if i and texts[field].strip():  # a break behind a word
                if field == description:
                    return texts
                field = description
            text = line if texts[field] else line.lstrip()
            if text:
                texts[field] += text
                yield TextEvent(field=field, text=text)
    return texts


def listing_prompt(
    claims: Sequence[Claim], note: str, examples: Sequence[str], request: DraftRequest, taxonomy: Taxonomy
) -> str:
    """The prompt of what may be said; no order hidden in print, note or other listings gets into it."""
    item = settle(claims, taxonomy)
    lines: dict[bool, list[str]] = {True: [], False: []}
    for claim in [*item.facts.values(), *item.wear, *item.details, *item.free_details]:
        if claim.attribute != "text" and not (claim.in_sellers_note and claim.attribute in ("condition", *SELLER_ONLY)):
            words = claim.value if claim.attribute == "detail" else f"{claim.attribute}: {claim.blend or claim.value}"
            lines[claim.status != "check"].append(words)
    text = item.facts.get("text")
    return prompts.listing_prompt(
        item.noun,
        lines[True],
        lines[False],
        printed=text.value if text else "",
        note="" if instruction_like(note) else note,
        examples=[" ".join(e.split()[:TONE_WORDS]) for e in examples if not instruction_like(e)],
        tone=request.tone,
        photos=min(len(request.photos), MAX_PHOTOS),
        language="" if request.language == ENGLISH else LANGUAGES[request.language],
    )


def checked(
    text: str,
    field: TextField,
    claims: Sequence[Claim],
    taxonomy: Taxonomy,
    *,
    note: str = "",
    neighbours: Neighbours | None = None,
    language: str = ENGLISH,
) -> tuple[str, list[Flag]]:
    """The text without the sentences that claim what is not known; empty where too little is left of it.

    Of a title every word must be known; of a description the first sentence, which names the item. In another
    language than English no claim can be checked: contact data and orders are taken out, and the seller is told.
    """
    text = _trimmed(text, field)
    if language != ENGLISH:
        return _unchecked(text, field)
    node = taxonomy.node(next(c.value for c in claims if c.attribute == "category"))
    facts: dict[str, str | list[str]] = {c.attribute: c.value for c in claims if c.attribute != "detail"}
    facts["condition"] = [c.value for c in claims if c.attribute == "condition"]
    facts["item"] = facts.pop("item_type", node.phrase)
    facts["detail"] = [words for c in claims if c.attribute == "detail" for words in _words(c, taxonomy, node.name)]
    printed = [c.value for c in claims if c.attribute == "text"]
    text = _undoubled(text, [note, *printed, *(c.value for c in claims)])
    clean, flags = guard(
        text,
        facts,
        node.name,
        taxonomy,
        note=note,
        ocr=printed,
        neighbour_texts=neighbours.texts if neighbours else (),
        neighbour_values=neighbours.values() if neighbours else (),
        field=field,
    )
    clean = _without_repeats(clean, verify(clean, facts, node.name, taxonomy, note=note, ocr=printed))
    fact_words = [v for value in facts.values() for v in ([value] if isinstance(value, str) else value)]
    if field == "title":
        real = without_invented_words(text, [*fact_words, note, node.phrase, *node.synonyms])
        return (clean if clean == text == real else ""), flags
    opening = text[slice(*next(iter(split(text)), (0, 0)))].strip()
    return (clean if opening and plain(clean).startswith(plain(opening)) else ""), flags


def _trimmed(text: str, field: TextField) -> str:
    """Without markdown and a label ("Title:"), no longer than a listing is, no sentence twice."""
    text = " ".join(_LABEL.sub("", text).replace("**", "").split())
    if field == "title":
        return text.rstrip(".") if len(text.split()) <= MAX_TITLE else ""
    trimmed = ""
    for start, end in split(text):
        sentence = text[start:end]
        if len((trimmed + sentence).split()) > MAX_DESCRIPTION:
            break
        trimmed += sentence if sentence.strip() not in trimmed else ""
    return trimmed.strip()


def _without_repeats(text: str, claims: Sequence[Statement]) -> str:
    """Without the sentences that say the same twice ("a round neck and a round neck"); a colour may be of two parts."""
    unique = ""
    for start, end in split(text, claims):
        values = [(c.kind, c.value) for c in claims if start <= c.start < end and c.value and c.kind not in _MAY_RECUR]
        unique += text[start:end] if len(values) == len(set(values)) else ""
    return unique.strip()


def _undoubled(text: str, allowed: Sequence[str]) -> str:
    """No word twice in a row, but where it is so in print, in a name or in the seller's words ("Miu Miu")."""
    meant = [words.lower() for words in allowed]
    return _DOUBLED.sub(lambda m: m[0] if any(m[0].lower() in words for words in meant) else m[1], text)


def _unchecked(text: str, field: TextField) -> tuple[str, list[Flag]]:
    clean = "".join(text[a:b] for a, b in split(text) if not instruction_like(text[a:b])).strip()
    clean = "" if MASK in (clean := scrub(clean)) else clean
    message = "This text is not in English, so that its claims could not be checked: please read every word."
    return clean, [Flag(code="not-checked", message=message, field=field)] if clean else []


def _words(claim: Claim, taxonomy: Taxonomy, category: str) -> list[str]:
    form = detail_forms().get(claim.value)
    return [claim.value, *(form.words(taxonomy.node(category)) if form else [])]
