"""The tables of the store, from which a new one is made. Change them only together with a new revision in
``app/store/migrations/versions``, which brings older stores to the same tables."""

from __future__ import annotations

import secrets
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Literal

from sqlalchemy import JSON, Float, ForeignKey, Index, Integer, String, Text, UniqueConstraint, false
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.store import clock
from app.views import DraftState
from listing.observe.seller import Kind
from listing.schema import Tone

now = clock.now


class Base(DeclarativeBase):
    """What all tables share: times in UTC, JSON for dictionaries."""

    type_annotation_map = {datetime: clock.UtcTime, dict[str, Any]: JSON, str: Text}  # noqa: RUF012  # SQLAlchemy's own form


class IdentityRow(Base):
    """Which store this is: one random id, made with the schema, that the media folder and backups name.

    ``noted_at``: when it was last in use; ``trusted_at``: the time by which things are too old to keep; ``due_at``:
    when that has run for a day, and is put forward by ``ahead`` seconds (see ``app/store/retention.py``).
    """

    __tablename__ = "store_identity"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    noted_at: Mapped[datetime | None] = mapped_column(default=now)
    trusted_at: Mapped[datetime | None] = mapped_column(default=now)
    due_at: Mapped[datetime | None]
    ahead: Mapped[float | None] = mapped_column(Float)


class SellerRow(Base):
    """A person by the name with which they sign in. ``public_id``: by which everybody may name them.

    ``password``: its hash; None: no account. ``mark``: another one ends all cookies.
    """

    __tablename__ = "sellers"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    public_id: Mapped[str | None] = mapped_column(
        String(16), default=lambda: secrets.token_hex(8), unique=True, index=True
    )
    created_at: Mapped[datetime] = mapped_column(default=now)
    password: Mapped[str | None]
    operator: Mapped[bool] = mapped_column(default=False, server_default=false())
    mark: Mapped[str] = mapped_column(String(32), default="", server_default="")


class TokenRow(Base):
    """A token for the API; only its SHA-256 is kept.

    ``fingerprint`` is that of the password under which it was made: another password ends it. It is empty for one that
    was made where nobody had an account, which opens nothing where somebody has. ``expires_at`` None: it has no end.
    """

    __tablename__ = "tokens"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    seller_id: Mapped[str] = mapped_column(ForeignKey("sellers.id", ondelete="CASCADE"), index=True)
    label: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime | None]
    fingerprint: Mapped[str] = mapped_column(String(64), default="", server_default="")


class DraftRow(Base):
    """A draft. ``generated`` is what the model wrote, whatever the seller changed; the changes are ``EditRow``s.

    ``settled`` is the draft with these, as its seller sees it; None where there are none.
    """

    __tablename__ = "drafts"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    seller_id: Mapped[str] = mapped_column(ForeignKey("sellers.id"), index=True)
    state: Mapped[DraftState] = mapped_column(String(16), default=DraftState.QUEUED)
    note: Mapped[str] = mapped_column(default="")
    tone: Mapped[Tone] = mapped_column(String(16), default="plain")
    generated: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    settled: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    problem_code: Mapped[str | None] = mapped_column(String(32))
    problem: Mapped[str | None]
    version: Mapped[int] = mapped_column(default=0, server_default="0")
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)


class EditRow(Base):
    """What the seller did to a field: ``set`` (to ``value``), ``drop`` (left out), ``undo``.

    ``along``: a typed text as another press of theirs changed it. ``confirm``: of earlier versions, it changes nothing.
    """

    __tablename__ = "edits"
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    draft_id: Mapped[str] = mapped_column(ForeignKey("drafts.id", ondelete="CASCADE"), index=True)
    kind: Mapped[Kind] = mapped_column(String(16))
    field: Mapped[str] = mapped_column(String(64))
    value: Mapped[str | None]
    at: Mapped[datetime] = mapped_column(default=now)


class ListingRow(Base):
    """A listing as it stands, beside what the model wrote (``generated``) and what was first published.

    ``bid``: of its seller for a click; None: no ad.
    """

    __tablename__ = "listings"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    seller_id: Mapped[str] = mapped_column(ForeignKey("sellers.id"), index=True)
    draft_id: Mapped[str | None] = mapped_column(String(32))
    status: Mapped[str] = mapped_column(String(16), default="active", index=True)
    category: Mapped[str] = mapped_column(String(64))
    title: Mapped[str]
    description: Mapped[str]
    attributes: Mapped[dict[str, Any]]
    price: Mapped[float | None] = mapped_column(Float)
    currency: Mapped[str] = mapped_column(String(3))
    stock: Mapped[int] = mapped_column(default=1)
    condition: Mapped[str | None]
    origin: Mapped[str] = mapped_column(String(16), default="user")
    version: Mapped[int] = mapped_column(default=0, server_default="0")
    created_at: Mapped[datetime] = mapped_column(default=now)
    published_at: Mapped[datetime | None]
    # Kept for corrections to learn from; a page of the feed does not read them.
    generated: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), deferred=True)
    published: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), deferred=True)
    bid: Mapped[float | None] = mapped_column(Float)
    __table_args__ = (
        UniqueConstraint("draft_id", name="uq_listings_draft_id"),
        Index("ix_listings_status_published_at", "status", "published_at"),  # what is new
    )


class ReviewRow(Base):
    """A listing that a person has to look at before it goes live, or that a person has refused once (``reason``).

    ``code``: the policy group that it may belong to; ``words``: those of the listing that weighed most;
    ``status_after``: the listing's status once it is approved.
    """

    __tablename__ = "reviews"
    listing_id: Mapped[str] = mapped_column(ForeignKey("listings.id", ondelete="CASCADE"), primary_key=True)
    code: Mapped[str] = mapped_column(String(32))
    words: Mapped[list[Any]] = mapped_column(JSON)
    status_after: Mapped[str] = mapped_column(String(16), default="active")
    reason: Mapped[str | None]
    at: Mapped[datetime] = mapped_column(default=now, index=True)


class PhotoRow(Base):
    """A photo of a draft, then of its listing; the pixels lie in the media folder under ``id``.

    ``sha256``: of its file, by which a backup knows a damaged one; None until an older version's file was read.
    """

    __tablename__ = "photos"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    seller_id: Mapped[str] = mapped_column(ForeignKey("sellers.id"), index=True)
    draft_id: Mapped[str | None] = mapped_column(String(32), index=True)
    listing_id: Mapped[str | None] = mapped_column(String(32), index=True)
    place: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    phash: Mapped[str] = mapped_column(String(16))
    sha256: Mapped[str | None] = mapped_column(String(64))


class EventRow(Base):
    """An assistant event. Ids and a field's name only, no words of the seller: it outlives the listing."""

    __tablename__ = "assistant_events"
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    kind: Mapped[str] = mapped_column(String(16), index=True)
    seller_id: Mapped[str] = mapped_column(String(32))
    draft_id: Mapped[str | None] = mapped_column(String(32))
    listing_id: Mapped[str | None] = mapped_column(String(32))
    field: Mapped[str | None] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(default=now)
    __table_args__ = (Index("ix_assistant_events_draft_id", "draft_id"),)


class Topic(StrEnum):
    """What is to be done about a row of the outbox; ``key`` is whose."""

    INDEX = "index"  # a listing whose place in the index has to be brought up to date
    CHANGE = "change"  # a listing that has changed: other servers read on from where they stood
    PHOTO = "photo"  # a photo whose row is gone and whose file has to go
    NOTICE = "notice"  # a seller who has to be told by the platform's own notices; ``body``: of what, in ids only


class OutboxRow(Base):
    """What follows from a change, written in the change's own transaction, so that no kill between the two loses it.

    It is deleted once it is done, a change after a day. A number is never given twice. ``due_at``, ``tries``: of what
    is tried again.
    """

    __tablename__ = "outbox"
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    topic: Mapped[Topic] = mapped_column(String(16))
    key: Mapped[str] = mapped_column(String(32), index=True)
    body: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    at: Mapped[datetime] = mapped_column(default=now, index=True)
    due_at: Mapped[datetime] = mapped_column(default=now)
    tries: Mapped[int] = mapped_column(default=0)
    __table_args__ = (Index("ix_outbox_topic_id", "topic", "id"), {"sqlite_autoincrement": True})


class KeyRow(Base):
    """An idempotency key and the listing that its first use published."""

    __tablename__ = "idempotency_keys"
    seller_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    listing_id: Mapped[str] = mapped_column(String(32), index=True)
    draft_id: Mapped[str] = mapped_column(String(32))
    at: Mapped[datetime] = mapped_column(default=now)


class NumberRow(Base):
    """The number by which the feed's logs and models know a listing, a visitor or a seller; never given twice."""

    __tablename__ = "feed_numbers"
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    kind: Mapped[str] = mapped_column(String(16))
    key: Mapped[str] = mapped_column(String(64))
    __table_args__ = (UniqueConstraint("kind", "key", name="uq_feed_numbers_kind_key"),)


class FeedPageRow(Base):
    """A page that was asked for, with what was known of the visitor then (request columns of the log's schema).

    ``candidates``: what the ranking stage considered, column by column; kept of a share of the pages.
    """

    __tablename__ = "feed_pages"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    visitor: Mapped[int] = mapped_column(Integer, index=True)
    at: Mapped[datetime] = mapped_column(default=now, index=True)
    known: Mapped[dict[str, Any]]
    models: Mapped[dict[str, Any]]
    candidates: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), deferred=True)


class FeedRow(Base):
    """An item on a page, with what was known of it then and how it was scored. It outlives the listing."""

    __tablename__ = "feed_rows"
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    page_id: Mapped[str] = mapped_column(ForeignKey("feed_pages.id", ondelete="CASCADE"), index=True)
    listing_id: Mapped[str] = mapped_column(String(32), index=True)
    position: Mapped[int]
    reason: Mapped[str] = mapped_column(String(16))
    seen_at: Mapped[datetime | None]
    known: Mapped[dict[str, Any]]
    scores: Mapped[dict[str, Any]]


class FeedItemRow(Base):
    """What the feed's models knew of a listing when it came: numbers only. It outlives the listing."""

    __tablename__ = "feed_items"
    item_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    known: Mapped[dict[str, Any]]


class FeedEventRow(Base):
    """A click on an item of a page, or its way into a cart; each at most once a page."""

    __tablename__ = "feed_events"
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    row_id: Mapped[int] = mapped_column(ForeignKey("feed_rows.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(16))
    at: Mapped[datetime] = mapped_column(default=now)
    __table_args__ = (UniqueConstraint("row_id", "kind", name="uq_feed_events_row_kind"),)


class PostRow(Base):
    """A post: a short text with a photo. ``content`` is its photo's content vector, made once."""

    __tablename__ = "posts"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    author_id: Mapped[str] = mapped_column(ForeignKey("sellers.id"), index=True)
    key: Mapped[str | None] = mapped_column(String(200))
    category: Mapped[str] = mapped_column(String(64))
    topic: Mapped[str] = mapped_column(String(16))
    title: Mapped[str]
    text: Mapped[str]
    photo_id: Mapped[str] = mapped_column(String(32), unique=True)
    content: Mapped[list[Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(default=now)
    __table_args__ = (UniqueConstraint("author_id", "key", name="uq_posts_author_key"),)


class FeedPostRow(Base):
    """A post on a page, with what was known of it then. It outlives the post, of which it keeps numbers only."""

    __tablename__ = "feed_post_rows"
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    page_id: Mapped[str] = mapped_column(ForeignKey("feed_pages.id", ondelete="CASCADE"), index=True)
    post_id: Mapped[str] = mapped_column(String(32), index=True)
    position: Mapped[int]
    seen_at: Mapped[datetime | None]
    clicked_at: Mapped[datetime | None]
    known: Mapped[dict[str, Any]]
    scores: Mapped[dict[str, Any]]


class OrderRow(Base):
    """An order of one piece; the buyer's idempotency key makes a repeated wish the same order.

    It stands until it is refunded or cancelled (``refunded_at``, and by whom in ``cancelled_by``: ``buyer`` or
    ``seller``) or was handed over (``completed_at``).
    """

    __tablename__ = "orders"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    buyer: Mapped[str] = mapped_column(String(64))
    key: Mapped[str] = mapped_column(String(200))
    listing_id: Mapped[str] = mapped_column(String(32), index=True)
    seller_id: Mapped[str | None] = mapped_column(String(32), index=True)
    row_id: Mapped[int | None] = mapped_column(Integer)
    amount: Mapped[float | None] = mapped_column(Float)
    currency: Mapped[str] = mapped_column(String(3))
    at: Mapped[datetime] = mapped_column(default=now)
    refunded_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    cancelled_by: Mapped[Literal["buyer", "seller"] | None] = mapped_column(String(16))
    __table_args__ = (UniqueConstraint("buyer", "key", name="uq_orders_buyer_key"),)


class MessageRow(Base):
    """A question about a listing to its seller, with their answer, a report of it to the operators, or a message or an
    event (``text`` says which) of the conversation about an order.

    ``sender``: under which orders and the feed know whoever wrote it. Contact data are taken out before it is stored.
    ``read_at``: when whom it is for had it first, of a question its answer.
    """

    __tablename__ = "messages"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    listing_id: Mapped[str] = mapped_column(ForeignKey("listings.id", ondelete="CASCADE"), index=True)
    order_id: Mapped[str | None] = mapped_column(String(32), index=True)
    sender: Mapped[str] = mapped_column(String(64), index=True)
    kind: Mapped[str] = mapped_column(String(16), index=True)
    text: Mapped[str]
    answer: Mapped[str | None]
    at: Mapped[datetime] = mapped_column(default=now)
    answered_at: Mapped[datetime | None]
    read_at: Mapped[datetime | None]


class BlockRow(Base):
    """Somebody who wants no message, question or order from somebody else."""

    __tablename__ = "blocks"
    blocker: Mapped[str] = mapped_column(String(64), primary_key=True)
    blocked: Mapped[str] = mapped_column(String(64), primary_key=True)
    at: Mapped[datetime] = mapped_column(default=now)


class PromotionRow(Base):
    """Days on which there is a promotion, whole ones in UTC. Its number is never given twice: models read it."""

    __tablename__ = "promotions"
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    name: Mapped[str] = mapped_column(String(64))
    first_day: Mapped[date]
    days: Mapped[int]
    at: Mapped[datetime] = mapped_column(default=now)
    __table_args__ = ({"sqlite_autoincrement": True},)
