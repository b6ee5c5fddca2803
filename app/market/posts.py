"""Posts: short texts and guides with a photo, which people publish in the feed and withdraw.

What holds for listings holds for them: the photo goes through the same intake, texts have the same limits and stay text
(no markup is read), and contact data are taken out before anything is stored.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.editing import edits
from app.store import draft_repo
from app.store.post_repo import TOPICS, PostView, view, views
from app.store.tables import PhotoRow, PostRow, now
from app.views import AppError
from listing.intake.photos import Photo
from listing.safety.contacts import scrub
from listing.taxonomy import load_taxonomy

if TYPE_CHECKING:
    from app.services import Services

MOST = 200  # posts of one author at the same time
PREFIX = "post-"
NOT_THERE = "There is no such post; it may have been withdrawn."


def publish(
    services: Services, author: str, photo: Photo, title: str, text: str, category: str, topic: str, key: str = ""
) -> PostView:
    """Publish a post: the next page of the feed may show it. The same key again gives the same post.

    Raises:
        AppError: no title, a text that is too long, no such category or topic, too many posts (422); a full disk (507).
    """
    limits = services.settings
    title = scrub(edits.clean_text(title, limits.title_length, "The title"))
    text = scrub(edits.clean_text(text, limits.description_length, "The text", lines=True))
    if not title or not text:
        raise AppError("no_text", "A post needs a title and a text.", 422)
    node = load_taxonomy().find(category)
    if node is None:
        raise AppError("bad_category", f"There is no category {category[:60]!r}; choose one of the list.", 422)
    if topic not in TOPICS:
        raise AppError("bad_topic", f"The topic has to be one of {', '.join(TOPICS)}.", 422)
    key = edits.clean_text(key, 200, "The idempotency key")
    ready = _with_key(services, author, key)
    if ready is not None:
        return ready
    path = services.media.save(photo.ref.id, photo.jpeg)
    try:
        content = services.feed.content_of(services.index.photo_vector(path))
        with services.store.write() as session:
            _room(session, author)
            row = PostRow(
                id=PREFIX + secrets.token_hex(12), author_id=author, key=key or None, category=node.name, topic=topic,
                title=title, text=text, photo_id=photo.ref.id, content=content, created_at=now(),
            )  # fmt: skip
            ref = photo.ref
            session.add(PhotoRow(id=ref.id, seller_id=author, place=0, width=ref.width, height=ref.height,
                                 phash=ref.phash))  # fmt: skip
            session.add(row)
            session.flush()
            made = view(row, ref)
    except IntegrityError as error:  # the same wish ran at the same time and was faster
        services.publisher.deletions.discard([photo.ref.id], error)
        ready = _with_key(services, author, key)
        if ready is None:
            raise
        return ready
    except BaseException as error:
        services.publisher.deletions.discard([photo.ref.id], error)
        raise
    services.feed.posts.refresh()
    return made


def withdraw(services: Services, author: str, post_id: str) -> None:
    """Delete an own post with its photo: no later page shows it; what was logged of it keeps its number.

    Raises:
        AppError: 404.
    """
    with services.store.write() as session:
        row = session.get(PostRow, post_id)
        if row is None or row.author_id != author:
            raise AppError("not_found", NOT_THERE, 404)
        draft_repo.forget_photos(session, [row.photo_id])
        session.delete(row)
    services.publisher.deletions.after()
    services.feed.posts.refresh()


def mine(services: Services, author: str) -> list[PostView]:
    """Own posts, newest first."""
    with services.store.read() as session:
        query = select(PostRow).where(PostRow.author_id == author).order_by(PostRow.created_at.desc(), PostRow.id)
        return views(session, session.scalars(query).all())


def _room(session: Session, author: str) -> None:
    have = session.scalar(select(func.count()).select_from(PostRow).where(PostRow.author_id == author)) or 0
    if have >= MOST:
        raise AppError("too_many_posts", f"You have {MOST} posts; withdraw one before you publish another.", 422)


def _with_key(services: Services, author: str, key: str) -> PostView | None:
    if not key:
        return None
    with services.store.read() as session:
        row = session.scalar(select(PostRow).where(PostRow.author_id == author, PostRow.key == key))
        return next(iter(views(session, [row])), None) if row is not None else None
