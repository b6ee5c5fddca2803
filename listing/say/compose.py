"""The text: rendered from the claims, or written by a model that sees the photo and checked; every claim a span."""

from __future__ import annotations

from collections.abc import Generator
from typing import get_args

from listing.decide.decision import Decision
from listing.languages import ENGLISH, LANGUAGES
from listing.observe.past_listings import Neighbours
from listing.pipeline_parts import PipelineParts
from listing.request import DraftRequest, StageEvent, TextEvent
from listing.safety.clauses import scrub_listing
from listing.say.marks import word_count
from listing.say.model_text import known_of, written
from listing.say.render import SHORTER, Text, unnamed, write
from listing.schema import Flag, TextField

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
    claims, item = decision.settled(note, rendered=not parts.writes)
    if not claims:
        return Text(typed["title"] or "", with_note(typed["description"] or "", note), flags=flags)
    most = _most_words(request)
    text = write(item, tone=request.tone, most=most) if item is not None else unnamed(claims)
    if item is not None and parts.writes and None in typed.values():
        known = known_of(item, decision, note, neighbours, request.language, parts.rules.lexicon)
        text = yield from written(text, known, request, key, parts.backend, neighbours.texts, most=most)
    texts: dict[TextField, str] = {"title": text.title, "description": text.description}
    texts |= {name: words for name, words in typed.items() if words is not None}
    if typed["description"] is None:
        texts["description"] = with_note(texts["description"], note)
    for name in get_args(TextField):
        yield TextEvent(field=name, text=texts[name], replace=True)
    spans = [span for span in text.spans if typed[span.field] is None]
    writer = {name: text.writer[name] if typed[name] is None else "seller" for name in get_args(TextField)}
    return Text(texts["title"], texts["description"], spans, [*flags, *text.flags], writer, text.denied)


def _most_words(request: DraftRequest) -> int | None:
    """How many words a shorter description has: a fifth less than the one that it takes the place of."""
    if request.tone != "shorter" or request.earlier_draft is None or not request.earlier_draft.description:
        return None
    return int(word_count(request.earlier_draft.description.partition("\n\n")[0]) * SHORTER)


def with_note(description: str, note: str) -> str:
    """The seller's note, word for word, in a paragraph of its own behind the description."""
    return "\n\n".join(part for part in (description, note.strip()) if part)


def _note_flags(note: str, scrubbed: str) -> list[Flag]:
    if note == scrubbed:
        return []
    message = "Contact data was taken out of your note; buyers reach you here."
    return [Flag(code="contact-removed", message=message, field="note")]
