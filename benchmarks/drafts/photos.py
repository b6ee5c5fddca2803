"""Validation photos of ``clothing_cc0`` and their drafts, alike in all benchmarks of drafts."""

from __future__ import annotations

from pathlib import Path

from finetune.data.photosets import data_root, read_annotations
from finetune.data.splits import split_rows
from listing.intake.photos import intake
from listing.request import DraftEvent, DraftPipeline, DraftRequest
from listing.schema import Draft

CLOTHING = data_root() / "clothing_cc0"


def validation_photos(count: int, data: Path = CLOTHING) -> list[str]:
    """Photos of validation senders, spread evenly."""
    _, rows = split_rows(read_annotations(data))
    return [rows[i * len(rows) // count]["image"] for i in range(count)]


def draft_of(pipeline: DraftPipeline, photo: str | Path) -> Draft:
    """The draft of one photo, as the pipeline ends with it."""
    events = pipeline.run(DraftRequest(photos=intake([photo])))
    return next(event.draft for event in events if isinstance(event, DraftEvent))
