"""The text: decoded from verified facts, streamed, then checked claim by claim."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from listing.events import StageEvent, TextEvent
from listing.evidence.neighbours import Found
from listing.request import DraftRequest, Tone
from listing.safety.contacts import scrub
from listing.safety.injection import guard, instruction_like
from listing.schema import AttributeValue, Category, Flag
from listing.taxonomy import CategoryNode, Taxonomy
from listing.text import text_policy, write
from listing.text.tidy import tidy

if TYPE_CHECKING:
    from listing.parts import Parts

Field = Literal["title", "description"]


@dataclass(frozen=True)
class Text:
    """Title and description as they will be shown, and what the checks had to say."""

    title: str = ""
    description: str = ""
    flags: Sequence[Flag] = field(default_factory=list)


def compose(
    request: DraftRequest, category: Category, facts: Sequence[AttributeValue], found: Found, parts: Parts
) -> Generator[StageEvent | TextEvent, None, Text]:
    """Stream both texts; what the seller wrote is kept and not decoded again."""
    note = scrub(request.note)
    flags = _note_flags(request.note, note)
    if category.value is None:
        description = write.with_note(request.description or "", note)
        return Text(title=request.title or "", description=description, flags=flags)
    sure = parts.calibration.fitted or request.category is not None
    node, taxonomy = text_policy.subject(category, parts.taxonomy, sure=sure)
    told = write.told_facts(text_policy.tellable(facts, parts.taxonomy, parts.calibration))
    size = told.pop("size", "")
    if instruction_like(told.get("text", "")):  # print that gives orders is kept as a fact, but not told to the model
        del told["text"]
    if request.title is None:
        pieces = write.write_title(parts.backend, node, told)
        title, more = yield from _written("title", pieces, told, node, taxonomy, note, found)
        flags += more
        title = write.with_size(title, size, "title")
    else:
        title = request.title
    if request.description is None:
        pieces = write.write_description(parts.backend, node, told, request.tone)
        text, more = yield from _written("description", pieces, told, node, taxonomy, note, found, request.tone)
        flags += more
        description = write.with_note(write.with_size(text, size, "description"), note)
    else:
        description = request.description
    yield TextEvent(field="title", text=title, replace=True)
    yield TextEvent(field="description", text=description, replace=True)
    return Text(title=title, description=description, flags=flags)


def _written(
    name: Field,
    pieces: Iterator[str],
    told: dict[str, str],
    node: CategoryNode,
    taxonomy: Taxonomy,
    note: str,
    found: Found,
    tone: Tone = "plain",
) -> Generator[TextEvent, None, tuple[str, list[Flag]]]:
    whole = []
    for piece in pieces:
        whole.append(piece)
        yield TextEvent(field=name, text=piece)
    text, flags = guard(
        " ".join("".join(whole).split()),
        told,
        node.name,
        taxonomy,
        note=note,
        ocr=[told["text"]] if "text" in told else [],
        neighbour_values=found.values(),
        field=name,
    )
    if name == "title":
        text = write.sound_title(text, node, {**told, "note": note})
    text = tidy(text, told, filler=tone == "warmer")
    if not text.strip(" ."):
        text = write.without_facts(node, told) + ("." if name == "description" else "")
    return text, flags


def _note_flags(note: str, scrubbed: str) -> list[Flag]:
    if note == scrubbed:
        return []
    return [
        Flag(
            code="contact-removed",
            message="Contact data was taken out of your note; buyers reach you here.",
            field="note",
        )
    ]
