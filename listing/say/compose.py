"""The text: rendered from the claims, or written by a model that sees the photo and checked; every claim a span."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import get_args

from listing.decide.claims import FIRM, Claim
from listing.decide.decision import Decision
from listing.decide.policies import policy
from listing.decide.settle import Item
from listing.languages import ENGLISH, LANGUAGES
from listing.observe.past_listings import Neighbours
from listing.pipeline_parts import PipelineParts
from listing.request import DraftRequest, StageEvent, TextEvent
from listing.safety.clauses import scrub_listing
from listing.say.marks import Marker, capital, word_count
from listing.say.model_text import known_of, written
from listing.say.render import SHORTER, Text, unnamed, write
from listing.schema import Flag, Span, TextField
from listing.shops.shop import CATEGORY, TitlePattern

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
    text = _rendered(request, claims, item, parts.titles, most)
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


def _rendered(
    request: DraftRequest,
    claims: Sequence[Claim],
    item: Item | None,
    titles: TitlePattern | None,
    most: int | None,
) -> Text:
    """Both texts; the title as the shop builds its own, where there is one."""
    if item is None:
        return unnamed(claims)
    text = write(item, tone=request.tone, most=most)
    built = shop_title(titles, item) if titles else None
    if built is None:
        return text
    return replace(text, title=built[0], spans=[*built[1], *(s for s in text.spans if s.field != "title")])


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


def shop_title(pattern: TitlePattern, item: Item) -> tuple[str, list[Span]] | None:
    """The title and its spans; None where nothing but the category could be named."""
    marker, facts = Marker(), {claim.attribute: claim for claim in reversed(item.claims)}
    named = [facts[name] for name in pattern.order if name in facts]
    firm = [c for c in named if policy(c.attribute).needed or c.status != "check" or c.likelihood >= FIRM]
    if len(firm) < 2:
        return None
    text = " ".join(marker.mark(claim, _title_words(claim, pattern, item)) for claim in firm)
    return marker.unmark(capital(text), "title")


def _title_words(claim: Claim, pattern: TitlePattern, item: Item) -> str:
    if claim.attribute != CATEGORY:
        return claim.value
    return pattern.nouns.get(claim.value) or item.node.phrase
