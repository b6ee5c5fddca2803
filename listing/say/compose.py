"""The text: rendered from what is known, or written by a model that sees the photo and checked; every claim a span."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import get_args

from listing.decide.decision import Decision
from listing.events import StageEvent, TextEvent
from listing.languages import ENGLISH, LANGUAGES
from listing.lexicon import plain
from listing.observe.neighbours import Neighbours
from listing.pipeline_parts import Parts
from listing.request import DraftRequest
from listing.safety.clauses import scrub_listing
from listing.say.claims import NAME, Claim, claims_of
from listing.say.marks import word_count
from listing.say.render import FIRM, MIN_WORDS, SHORTER, render, sentences_of
from listing.say.render import Text as Rendered
from listing.say.settle import settle
from listing.say.shop_title import shop_title
from listing.say.spans import find_spans
from listing.say.write import checked, write
from listing.schema import Flag, Span, TextField
from listing.taxonomy import Taxonomy

ENGLISH_ONLY = "The embedded model writes English: name a larger one with --model for texts in {}."


@dataclass(frozen=True)
class Text:
    """Title and description as they will be shown, their spans, and the remarks of the checks."""

    title: str = ""
    description: str = ""
    spans: list[Span] = field(default_factory=list)
    flags: Sequence[Flag] = ()


def compose(
    request: DraftRequest, decision: Decision, neighbours: Neighbours, *, key: str, parts: Parts
) -> Generator[StageEvent | TextEvent, None, Text]:
    """Both texts; what the seller wrote is kept. ``key``: the draft's id.

    Written by the model where the parts say so, else rendered.
    """
    taxonomy, writer = parts.taxonomy, parts.backend if parts.writes else None
    note = scrub_listing(request.note)
    flags = _note_flags(request.note, note)
    own: dict[TextField, str | None] = {"title": request.title, "description": request.description}
    chosen = request.category is not None
    if writer is None and request.language != ENGLISH:
        flags.append(Flag(code="language", message=ENGLISH_ONLY.format(LANGUAGES[request.language])))
    claims = claims_of(
        decision.category, decision.facts, decision.details, taxonomy, parts.calibration, category_chosen=chosen
    )
    claims = [replace(c, noted=_noted(c, note, taxonomy)) for c in claims]
    if not claims:
        return Text(own["title"] or "", with_note(own["description"] or "", note), flags=flags)
    named = any(c.attribute == "category" for c in claims)
    most = _most_words(request)
    rendered = render(claims, taxonomy, key=key, tone=request.tone, most=most)
    title, spans = _title(rendered, claims, parts)
    texts: dict[TextField, str] = {"title": title, "description": rendered.description}
    if writer is not None and named and None in own.values():
        told = [c for c in claims if not _doubtful_department(c)]
        raw = yield from write(writer, request, told, note, neighbours.texts, taxonomy)
        for name in get_args(TextField):
            if own[name] is None:
                kept, remarks = checked(
                    raw[name],
                    name,
                    told,
                    taxonomy,
                    note=note,
                    neighbour_values=neighbours.values(),
                    neighbour_texts=neighbours.texts,
                    language=request.language,
                )
                flags += remarks
                if name == "description" and kept and request.language == ENGLISH:
                    kept = _completed(kept, texts["title"], told, taxonomy, short=request.tone == "shorter")
                repeats = name == "description" and plain(kept.rstrip(".")) == plain(texts["title"])
                long = name == "description" and most is not None and word_count(kept) > most
                if kept and not repeats and not long:
                    spans = [s for s in spans if s.field != name]
                    texts[name] = kept
                    spans += [s for s in find_spans(texts, told, taxonomy) if s.field == name]
    for name, text in own.items():
        if text is not None:
            spans = [s for s in spans if s.field != name]
            texts[name] = text
    if own["description"] is None:
        texts["description"] = with_note(texts["description"], note)
    for name in get_args(TextField):
        yield TextEvent(field=name, text=texts[name], replace=True)
    return Text(texts["title"], texts["description"], spans, flags)


def _title(rendered: Rendered, claims: Sequence[Claim], parts: Parts) -> tuple[str, list[Span]]:
    """The title, as the shop builds its own where there is one, and the spans of both texts."""
    built = shop_title(parts.titles, claims, parts.taxonomy) if parts.titles else None
    if built is None:
        return rendered.title, rendered.spans
    return built[0], [*built[1], *(span for span in rendered.spans if span.field != "title")]


def _most_words(request: DraftRequest) -> int | None:
    """How many words a shorter description has: a fifth less than the one that it takes the place of."""
    if request.tone != "shorter" or request.known is None or not request.known.description:
        return None
    return int(word_count(request.known.description.partition("\n\n")[0]) * SHORTER)


def _doubtful_department(claim: Claim) -> bool:
    """Whether it says for whom, and may well be wrong: a listing for the wrong people is worse than one for anybody."""
    return claim.attribute == "audience" and claim.status == "check" and claim.likelihood < FIRM


def _completed(text: str, title: str, claims: Sequence[Claim], taxonomy: Taxonomy, *, short: bool) -> str:
    """A model's description and, behind it, wear and size that it leaves out; where it says less than was asked for,
    the rest of what is known as well. ``short``: little was asked for."""
    item = settle(claims, taxonomy)
    found = find_spans({"title": title, "description": text}, claims, taxonomy)
    said = {(span.attribute, span.value) for span in found}
    rest = [] if short or word_count(text) >= MIN_WORDS else [*item.facts.values(), *item.details]
    firm = [c for c in rest if c.attribute != "audience" and (c.status != "check" or c.likelihood >= FIRM)]
    firm += [c for c in item.facts.values() if c.attribute == "size" and c not in firm]
    left = [c for c in (*firm, *item.wear) if (c.attribute, c.value) not in said and not c.noted]
    named = [c for c in claims if c.attribute in ("category", NAME)]
    more = sentences_of(named, left, taxonomy)[0] if left else ""
    return f"{text} {more}".rstrip()


def _noted(claim: Claim, note: str, taxonomy: Taxonomy) -> bool:
    """Whether the note tells it; of wear only where it does so in English, as the text does."""
    if not claim.noted or claim.attribute != "condition":
        return claim.noted
    return any(phrase in note.lower() for phrase in taxonomy.attributes["condition"].phrases[claim.value])


def with_note(description: str, note: str) -> str:
    """The seller's note, word for word, in a paragraph of its own behind the description."""
    return "\n\n".join(part for part in (description, note.strip()) if part)


def _note_flags(note: str, scrubbed: str) -> list[Flag]:
    if note == scrubbed:
        return []
    message = "Contact data was taken out of your note; buyers reach you here."
    return [Flag(code="contact-removed", message=message, field="note")]
