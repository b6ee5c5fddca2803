"""Posts as others see them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.store import draft_repo
from app.store.tables import PhotoRow, PostRow
from listing.schema import PhotoRef

TOPICS = ("care", "repair", "fit", "styling", "materials", "buying", "selling", "story")


@dataclass(frozen=True)
class PostView:
    """A post as others see it: a short text with a photo. It is not for sale."""

    id: str
    author_id: str
    category: str
    topic: str
    title: str
    text: str
    photo: PhotoRef
    created_at: datetime


def views(session: Session, rows: Iterable[PostRow]) -> list[PostView]:
    """Rows as others see them; one whose photo is gone is left out."""
    rows = list(rows)
    photos = session.scalars(select(PhotoRow).where(PhotoRow.id.in_([r.photo_id for r in rows])))
    refs = {photo.id: draft_repo.photo_ref(photo) for photo in photos}
    return [view(row, refs[row.photo_id]) for row in rows if row.photo_id in refs]


def view(row: PostRow, photo: PhotoRef) -> PostView:
    """A row as others see it."""
    return PostView(row.id, row.author_id, row.category, row.topic, row.title, row.text, photo, row.created_at)
