"""The text: rendered from the claims, or written by a model that sees the photo and checked; every claim a span."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import get_args

from listing import prompts
from listing.backends.base import Backend
from listing.decide.claims import FIRM, NAME, SELLER_ONLY, Claim, claims_of
from listing.decide.decision import Decision
from listing.decide.settle import settle
from listing.details import detail_forms
from listing.languages import ENGLISH, LANGUAGES
from listing.lexicon import plain
from listing.observe.past_listings import Neighbours
from listing.pipeline_parts import PipelineParts
from listing.request import DraftRequest, StageEvent, TextEvent
from listing.safety.clauses import scrub_listing
from listing.safety.contacts import MASK, scrub
from listing.safety.injection import instruction_like
from listing.say.check import guard, verify, without_invented_words
from listing.say.marks import Marker, capital, find_spans, limit_marks, word_count
from listing.say.render import MIN_WORDS, SHORTER, Text, render, sentences_of
from listing.say.statements import Statement, split
from listing.schema import Flag, Span, TextField
from listing.shops.shop import CATEGORY, TitlePattern
from listing.taxonomy import Taxonomy

ENGLISH_ONLY = "The embedded model writes English: name a larger one with --model for texts in {}."
MAX_TOKENS, MAX_PHOTOS = 200, 4
MAX_TITLE, MAX_DESCRIPTION = 12, 80  # words; what is longer is cut behind a sentence, or not taken
TONE_WORDS = 25  # of another listing, which is shown for its tone
_MAY_RECUR = frozenset({"category", "colour", "brand", "text", "name"})
_DOUBLED = re.compile(r"(?<![\w'’-])([\w'’-]+)(?:(?: and)? \1(?![\w'’-]))+", re.I)  # "men's men's", "red and red"
_LABEL = re.compile(r"^[\s#*_]*(?:(?:title|description|first line|second line|line [12])\s*[:.-][\s*_]*)?", re.I)
_ALWAYS = (CATEGORY, "colour")  # marked where they are unsure: without them it is no title


def compose(
    request: DraftRequest, decision: Decision, neighbours: Neighbours, *, key: str, parts: PipelineParts
) -> Generator[StageEvent | TextEvent, None, Text]:
    """Both texts; what the seller wrote is kept. ``key``: the draft's id.

    Written by the model where the parts say so, else rendered.
    """
    note = scrub_listing(request.note)
    flags = _note_flags(request.note, note)
    typed: dict[TextField, str | None] = {"title": request.title, "description": request.description}
    if not parts.writes and request.language != ENGLISH:
        flags.append(Flag(code="language", message=ENGLISH_ONLY.format(LANGUAGES[request.language])))
    claims = _claims(request, decision, note, parts)
    if not claims:
        return Text(typed["title"] or "", with_note(typed["description"] or "", note), flags=flags)
    text = _rendered(request, claims, key, parts)
    if parts.writes and any(c.attribute == "category" for c in claims) and None in typed.values():
        text = yield from _written(text, claims, request, note, neighbours, parts)
    texts: dict[TextField, str] = {"title": text.title, "description": text.description}
    texts |= {name: words for name, words in typed.items() if words is not None}
    if typed["description"] is None:
        texts["description"] = with_note(texts["description"], note)
    for name in get_args(TextField):
        yield TextEvent(field=name, text=texts[name], replace=True)
    spans = [span for span in text.spans if typed[span.field] is None]
    writer = {name: text.writer[name] if typed[name] is None else "seller" for name in get_args(TextField)}
    return Text(texts["title"], texts["description"], spans, [*flags, *text.flags], writer)


def _claims(request: DraftRequest, decision: Decision, note: str, parts: PipelineParts) -> list[Claim]:
    """The claims that may be stated, with no more marks than a draft may have."""
    chosen, taxonomy = request.category is not None, parts.taxonomy
    claims = claims_of(
        decision.category, decision.facts, decision.details, taxonomy, parts.calibration, category_chosen=chosen
    )
    claims = [replace(c, in_sellers_note=_noted(c, note, taxonomy)) for c in claims]
    # Of a model without a calibration every word is for the seller to check.
    return limit_marks(claims, taxonomy) if parts.calibration.fitted else claims


def _rendered(request: DraftRequest, claims: Sequence[Claim], key: str, parts: PipelineParts) -> Text:
    """Both texts; the title as the shop builds its own, where there is one."""
    text = render(claims, parts.taxonomy, key=key, tone=request.tone, most=_most_words(request))
    built = shop_title(parts.titles, claims, parts.taxonomy) if parts.titles else None
    if built is None:
        return text
    return replace(text, title=built[0], spans=[*built[1], *(s for s in text.spans if s.field != "title")])


def _written(
    rendered: Text,
    claims: Sequence[Claim],
    request: DraftRequest,
    note: str,
    neighbours: Neighbours,
    parts: PipelineParts,
) -> Generator[TextEvent, None, Text]:
    """The model's texts as far as they say nothing but the claims, else the rendered ones."""
    taxonomy, short = parts.taxonomy, request.tone == "shorter"
    stated = [c for c in claims if not _doubtful_department(c)]
    raw = yield from write(parts.backend, request, stated, note, neighbours.texts, taxonomy)
    texts: dict[TextField, str] = {"title": rendered.title, "description": rendered.description}
    spans, flags, most, writer = rendered.spans, list[Flag](), _most_words(request), dict(rendered.writer)
    for name in get_args(TextField):
        if getattr(request, name) is not None:
            continue
        accepted, remarks = checked(
            raw[name], name, stated, taxonomy, note=note, others=neighbours.texts, language=request.language
        )
        flags += remarks
        if name == "description" and accepted:
            if request.language == ENGLISH:
                accepted = _completed(accepted, texts["title"], stated, taxonomy, short=short)
            repeats = plain(accepted.rstrip(".")) == plain(texts["title"])
            accepted = "" if repeats or (most is not None and word_count(accepted) > most) else accepted
        if accepted:
            texts[name], writer[name] = accepted, "model"
            spans = [s for s in spans if s.field != name]
            spans += [s for s in find_spans(texts, stated, taxonomy) if s.field == name]
    return Text(texts["title"], texts["description"], spans, flags, writer)


def _most_words(request: DraftRequest) -> int | None:
    """How many words a shorter description has: a fifth less than the one that it takes the place of."""
    if request.tone != "shorter" or request.earlier_draft is None or not request.earlier_draft.description:
        return None
    return int(word_count(request.earlier_draft.description.partition("\n\n")[0]) * SHORTER)


def _doubtful_department(claim: Claim) -> bool:
    """True if it says for whom, and may well be wrong: a listing for the wrong people is worse than one for anybody."""
    return claim.attribute == "audience" and claim.status == "check" and claim.likelihood < FIRM


def _completed(text: str, title: str, claims: Sequence[Claim], taxonomy: Taxonomy, *, short: bool) -> str:
    """A model's description and, behind it, wear and size that it leaves out; where it says less than was asked for,
    the rest of what is known as well. ``short``: little was asked for."""
    item = settle(claims, taxonomy)
    spans = find_spans({"title": title, "description": text}, claims, taxonomy)
    stated = {(span.attribute, span.value) for span in spans}
    rest = [] if short or word_count(text) >= MIN_WORDS else [*item.facts.values(), *item.details]
    more = [c for c in rest if _is_firm(c)]
    more += [c for c in (*item.facts.values(), *item.wear) if c.attribute in ("size", "condition") and c not in more]
    left = [c for c in more if (c.attribute, c.value) not in stated and not c.in_sellers_note]
    named = [c for c in claims if c.attribute in ("category", NAME)]
    return f"{text} {sentences_of(named, left, taxonomy)[0]}".rstrip() if left else text


def _is_firm(claim: Claim) -> bool:
    """True if it is likely enough for a text that has to be longer."""
    return claim.attribute != "audience" and (claim.status != "check" or claim.likelihood >= FIRM)


def _noted(claim: Claim, note: str, taxonomy: Taxonomy) -> bool:
    """True if the note tells it; of wear only where it does so in English, as the text does."""
    if not claim.in_sellers_note or claim.attribute != "condition":
        return claim.in_sellers_note
    return any(phrase in note.lower() for phrase in taxonomy.attributes["condition"].phrases[claim.value])


def with_note(description: str, note: str) -> str:
    """The seller's note, word for word, in a paragraph of its own behind the description."""
    return "\n\n".join(part for part in (description, note.strip()) if part)


def _note_flags(note: str, scrubbed: str) -> list[Flag]:
    if note == scrubbed:
        return []
    message = "Contact data was taken out of your note; buyers reach you here."
    return [Flag(code="contact-removed", message=message, field="note")]


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
    others: Sequence[str] = (),
    language: str = ENGLISH,
) -> tuple[str, list[Flag]]:
    """The text without the sentences that claim what is not known; empty where too little is left of it.

    others: texts of past listings, whose orders it may not follow.
    Of a title every word must be known; of a description the first sentence, which names the item. In another
    language than English no claim can be checked: contact data and orders are taken out, and the seller is told.
    """
    text = _trimmed(text, field)
    if language != ENGLISH:
        return _unchecked(text, field)
    node = taxonomy.node(next((c.value for c in claims if c.attribute == "category"), None))
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
        neighbour_texts=others,
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


def shop_title(pattern: TitlePattern, claims: Sequence[Claim], taxonomy: Taxonomy) -> tuple[str, list[Span]] | None:
    """The title and its spans; None where nothing but the category could be named."""
    marker, facts = Marker(), {claim.attribute: claim for claim in reversed(claims)}
    named = [facts[name] for name in pattern.order if name in facts]
    firm = [c for c in named if c.attribute in _ALWAYS or c.status != "check" or c.likelihood >= FIRM]
    if len(firm) < 2 or CATEGORY not in facts:
        return None
    text = " ".join(marker.mark(claim, _title_words(claim, pattern, taxonomy)) for claim in firm)
    return marker.unmark(capital(text), "title")


def _title_words(claim: Claim, pattern: TitlePattern, taxonomy: Taxonomy) -> str:
    if claim.attribute != CATEGORY:
        return claim.value
    return pattern.nouns.get(claim.value) or taxonomy.node(claim.value).phrase
