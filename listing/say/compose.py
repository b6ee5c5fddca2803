"""The text: rendered from what is known, or written by a model that sees the photo and checked; every claim a span."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import get_args

from listing.decide.decision import Decision
from listing.events import StageEvent, TextEvent
from listing.languages import ENGLISH, LANGUAGES
from listing.lexicon import plain
from listing.observe.neighbours import Neighbours
from listing.pipeline_parts import PipelineParts
from listing.request import DraftRequest
from listing.safety.clauses import scrub_listing
from listing.say.claims import FIRM, NAME, Claim, claims_of
from listing.say.marks import find_spans, limited, word_count
from listing.say.render import MIN_WORDS, SHORTER, Text, render, sentences_of
from listing.say.settle import settle
from listing.say.shop_title import shop_title
from listing.say.write import checked, write
from listing.schema import Flag, TextField
from listing.taxonomy import Taxonomy

ENGLISH_ONLY = "The embedded model writes English: name a larger one with --model for texts in {}."


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
    return Text(texts["title"], texts["description"], spans, [*flags, *text.flags])


def _claims(request: DraftRequest, decision: Decision, note: str, parts: PipelineParts) -> list[Claim]:
    """The claims that may be stated, with no more marks than a draft may have."""
    chosen, taxonomy = request.category is not None, parts.taxonomy
    claims = claims_of(
        decision.category, decision.facts, decision.details, taxonomy, parts.calibration, category_chosen=chosen
    )
    claims = [replace(c, in_sellers_note=_noted(c, note, taxonomy)) for c in claims]
    # Of a model without a calibration every word is for the seller to check.
    return limited(claims, taxonomy) if parts.calibration.fitted else claims


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
    spans, flags, most = rendered.spans, list[Flag](), _most_words(request)
    for name in get_args(TextField):
        if getattr(request, name) is not None:
            continue
        accepted, remarks = checked(
            raw[name], name, stated, taxonomy, note=note, neighbours=neighbours, language=request.language
        )
        flags += remarks
        if name == "description" and accepted:
            if request.language == ENGLISH:
                accepted = _completed(accepted, texts["title"], stated, taxonomy, short=short)
            repeats = plain(accepted.rstrip(".")) == plain(texts["title"])
            accepted = "" if repeats or (most is not None and word_count(accepted) > most) else accepted
        if accepted:
            texts[name] = accepted
            spans = [s for s in spans if s.field != name]
            spans += [s for s in find_spans(texts, stated, taxonomy) if s.field == name]
    return Text(texts["title"], texts["description"], spans, flags)


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
