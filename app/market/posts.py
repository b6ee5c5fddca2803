"""Posts: short texts and guides with a photo, which people publish in the feed and withdraw.

What holds for listings holds for them: the photo goes through the same intake, texts have the same limits and stay text
(no markup is read), contact data are taken out before anything is stored, and goods that may not be listed are refused.
A post that only might offer such goods is published: it sells nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.editing import edits
from app.market import sellers_words
from app.store import draft_repo
from app.store.db import Store
from app.store.deletions import Deletions
from app.store.media import Media
from app.store.search_index import SearchIndex
from app.store.tables import PhotoRow, PostRow, now
from app.views import AppError
from listing.intake.photos import Photo
from listing.safety.contacts import scrub
from listing.schema import PhotoRef

TOPICS = ("care", "repair", "fit", "styling", "materials", "buying", "selling", "story")
MAX_POSTS = 200  # of one author at the same time
PREFIX = "post-"
NOT_THERE = "There is no such post; it may have been withdrawn."


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


class Posts:
    """Publishing posts and withdrawing them; ``changed`` is called after every change.

    ``content_of`` gives the feed's content vector of an image vector.
    """

    def __init__(
        self,
        store: Store,
        media: Media,
        index: SearchIndex,
        deletions: Deletions,
        content_of: Callable[[Sequence[float] | None], list[float]],
        changed: Callable[[], object],
    ) -> None:
        self.store, self.media, self.index, self.deletions = store, media, index, deletions
        self._content_of, self._changed = content_of, changed

    def publish(
        self, author: str, photo: Photo, title: str, text: str, category: str, topic: str, key: str = ""
    ) -> PostView:
        """Publish a post: the next page of the feed may show it. The same key again gives the same post."""
        title = scrub(edits.clean_text(title, edits.TITLE_LENGTH, "The title"))
        text = scrub(edits.clean_text(text, edits.DESCRIPTION_LENGTH, "The text", lines=True))
        if not title or not text:
            raise AppError("no_text", "A post needs a title and a text.", 422)
        sellers_words.check_listed("", title, text)
        category = edits.category_name(category)
        if topic not in TOPICS:
            raise AppError("bad_topic", f"The topic has to be one of {', '.join(TOPICS)}.", 422)
        key = edits.clean_text(key, 200, "The idempotency key")
        ready = self._with_key(author, key)
        if ready is not None:
            return ready
        path = self.media.save(photo.ref.id, photo.jpeg)
        try:
            content = self._content_of(self.index.photo_vector(path))
            row = PostRow(
                id=PREFIX + secrets.token_hex(12), author_id=author, key=key or None, category=category,
                topic=topic, title=title, text=text, photo_id=photo.ref.id, content=content, created_at=now(),
            )  # fmt: skip
            self._add(row, photo)
        except BaseException as error:
            self.deletions.discard([photo.ref.id], error)
            # The same wish may have run at the same time, and have been faster.
            ready = self._with_key(author, key) if isinstance(error, IntegrityError) else None
            if ready is None:
                raise
            return ready
        self._changed()
        return _view(row, photo.ref)

    def _add(self, row: PostRow, photo: Photo) -> None:
        with self.store.write() as session:
            count = select(func.count()).select_from(PostRow).where(PostRow.author_id == row.author_id)
            if (session.scalar(count) or 0) >= MAX_POSTS:
                message = f"You have {MAX_POSTS} posts; withdraw one before you publish another."
                raise AppError("too_many_posts", message, 422)
            session.add(draft_repo.photo_row(photo, row.author_id, place=0))
            session.add(row)

    def withdraw(self, author: str, post_id: str) -> None:
        """Delete an own post (else AppError 404) with its photo; what was logged of it keeps its number."""
        with self.store.write() as session:
            row = session.get(PostRow, post_id)
            if row is None or row.author_id != author:
                raise AppError("not_found", NOT_THERE, 404)
            draft_repo.forget_photos(session, [row.photo_id])
            session.delete(row)
        self.deletions.after()
        self._changed()

    def mine(self, author: str) -> list[PostView]:
        """Own posts, newest first."""
        with self.store.read() as session:
            query = select(PostRow).where(PostRow.author_id == author).order_by(PostRow.created_at.desc(), PostRow.id)
            return views(session, session.scalars(query).all())

    def _with_key(self, author: str, key: str) -> PostView | None:
        if not key:
            return None
        with self.store.read() as session:
            row = session.scalar(select(PostRow).where(PostRow.author_id == author, PostRow.key == key))
            return next(iter(views(session, [row])), None) if row is not None else None


def views(session: Session, rows: Iterable[PostRow]) -> list[PostView]:
    """Rows as others see them; one whose photo is gone is left out."""
    rows = list(rows)
    photos = session.scalars(select(PhotoRow).where(PhotoRow.id.in_([r.photo_id for r in rows])))
    refs = {photo.id: draft_repo.photo_ref(photo) for photo in photos}
    return [_view(row, refs[row.photo_id]) for row in rows if row.photo_id in refs]


def _view(row: PostRow, photo: PhotoRef) -> PostView:
    return PostView(row.id, row.author_id, row.category, row.topic, row.title, row.text, photo, row.created_at)
