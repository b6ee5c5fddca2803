"""The text: decoded from verified facts, streamed, then checked sentence by sentence."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

from listing.backends.base import Backend
from listing.events import StageEvent, TextEvent
from listing.evidence.neighbours import Neighbours
from listing.facts.ensemble import Calibration
from listing.request import DraftRequest
from listing.safety.contacts import scrub
from listing.safety.injection import instruction_like
from listing.schema import AttributeValue, Category, Flag
from listing.taxonomy import Taxonomy
from listing.text import text_policy, write
from listing.text.checked import Field, Subject, checked_description, checked_title


@dataclass(frozen=True)
class Text:
    """Title and description as they will be shown, and the remarks of the checks."""

    title: str = ""
    description: str = ""
    flags: Sequence[Flag] = field(default_factory=list)


def compose(
    request: DraftRequest,
    category: Category,
    facts: Sequence[AttributeValue],
    neighbours: Neighbours,
    *,
    backend: Backend,
    taxonomy: Taxonomy,
    calibration: Calibration,
) -> Generator[StageEvent | TextEvent, None, Text]:
    """Stream both texts; what the seller wrote is kept and not decoded again."""
    note = scrub(request.note)
    flags = _note_flags(request.note, note)
    if category.value is None:
        own_text = write.with_note(request.description or "", note)
        return Text(title=request.title or "", description=own_text, flags=flags)
    sure = calibration.fitted or request.category is not None
    node, known = text_policy.subject(category, taxonomy, sure=sure)
    values = text_policy.text_values(text_policy.sure_facts(facts, taxonomy, calibration), taxonomy)
    size = values.pop("size", "")
    if instruction_like(values.get("text", "")):  # a fact, but nothing for the model to read
        del values["text"]
    subject = Subject(node, values, known, note, neighbours.values())
    title, description = request.title, request.description
    if title is None:
        raw = yield from _streamed("title", write.write_title(backend, node, values))
        checked, remarks = checked_title(raw, subject)
        flags += remarks
        title = write.with_size(checked, size, "title")
    if description is None:
        raw = yield from _streamed("description", write.write_description(backend, node, values, request.tone))
        checked, remarks = checked_description(raw, subject, filler=request.tone == "warmer")
        flags += remarks
        description = write.with_note(write.with_size(checked, size, "description"), note)
    yield TextEvent(field="title", text=title, replace=True)
    yield TextEvent(field="description", text=description, replace=True)
    return Text(title=title, description=description, flags=flags)


def _streamed(name: Field, pieces: Iterator[str]) -> Generator[TextEvent, None, str]:
    whole = []
    for piece in pieces:
        whole.append(piece)
        yield TextEvent(field=name, text=piece)
    return "".join(whole)


def _note_flags(note: str, scrubbed: str) -> list[Flag]:
    if note == scrubbed:
        return []
    message = "Contact data was taken out of your note; buyers reach you here."
    return [Flag(code="contact-removed", message=message, field="note")]
