"""A person is erased: everything of theirs in the store goes, and what others need for their accounts loses its name.

Feed and index of a running server follow through the outbox and the sequence of changes; without a server the index is
brought up to date here. Backups are not touched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

from sqlalchemy import ColumnElement, and_, delete, func, make_url, or_, select, update
from sqlalchemy.orm import DeclarativeBase, Session

from app.accounts.sellers import open_sellers, refuse_last
from app.settings import Settings
from app.store import draft_repo, listing_repo
from app.store.db import FOLLOWING, Store, StoreError, count_of, open_store
from app.store.deletions import MAX_COMPACTED_BYTES, Deletions, empty_uploads
from app.store.home_lock import HomeInUse, only_user
from app.store.media import Media, check_photos, photo_ids
from app.store.outbox import notice
from app.store.retention import STANDING, forget_pages
from app.store.tables import (
    BlockRow,
    DraftRow,
    EditRow,
    EventRow,
    FeedPageRow,
    KeyRow,
    ListingRow,
    MessageRow,
    NumberRow,
    OrderRow,
    OutboxRow,
    PhotoRow,
    PostRow,
    SellerRow,
    TokenRow,
    Topic,
    now,
)
from listing.errors import IplError

AT_ONCE = 500
TO_INDEX = OutboxRow.topic == Topic.INDEX
WAIT_SECONDS, PAUSE_SECONDS = 600.0, 0.5  # for a server that rebuilds its index


class NobodyThere(IplError):
    """There is no such person; the message is one sentence."""

    code, exit_status, http_status = "nobody_there", 2, 404


class OpenOrders(IplError):
    """Orders of the person are neither refunded nor completed; the message names them and says what to do."""

    code, http_status = "open_orders", 409


class IndexNotRebuilt(IplError):
    """A running server has not rebuilt its index yet."""

    code, http_status = "index_not_rebuilt", 503


@dataclass
class Erased:
    """Counts of deleted rows, by name in the singular; ``orders`` stay without the person's name.

    index: "done" (nothing of the listings is in it or in its files any more), "files" (in a Chroma server's files there
    are traces), "away" (it does not answer; the next start follows), "none" (there is none).
    """

    counts: Counter[str] = field(default_factory=Counter)
    orders: int = 0
    refunded: int = 0
    index: str = "none"


def erase(settings: Settings, name: str, sure: Callable[[], None] = lambda: None, *, settle: bool = False) -> Erased:
    """Delete the person of that name and all that is theirs. After a kill, run again: it goes on; the name goes last.

    Args:
        sure: asked before anything happens; it raises where the person at the keyboard is not.
        settle: refund the orders that stand, of theirs and of their listings.

    Raises:
        NobodyThere: no such name in the store, or no store. OpenOrders: there are, and ``settle`` is False.
        AccountError: it is the last account.
        StoreError, AppError: the store cannot be reached, or its photos lie elsewhere; nothing was deleted.
        IndexNotRebuilt: the index's files may hold something of theirs.
    """
    store = _open_existing(settings)
    done, media, told = Erased(), Media(settings.media_folder), bool(settings.notice_webhook)
    deletions = Deletions(store, media, settings.home / "uploads")
    try:
        open_sellers(store)
        who = _person_id(store, name)
        _check_media(settings, media, store)
        with store.read() as session:
            refuse_last(session, session.get_one(SellerRow, who))
            if not settle:
                _refuse_open_orders(session, who, name)
        sure()
        with store.write() as session:
            _lock(session, who)
            if not settle:
                _refuse_open_orders(session, who, name)
            done.refunded = _settle(session, who, told)
            session.execute(update(SellerRow).where(SellerRow.id == who).values(password=None, operator=False))
            _delete_rows(session, who, done)
        with store.read() as session:
            as_visitor = (NumberRow.kind == "visitor", NumberRow.key == who)
            visitors = session.scalars(select(NumberRow.id).where(*as_visitor)).all()
        done.counts["page of the feed"] += forget_pages(store, FeedPageRow.visitor.in_(visitors))
        deletions.delete_photos()
        done.index = _leave_index(settings, store)
        with store.write() as session:
            _lock(session, who)
            done.refunded += _settle(session, who, told)
            late = _delete_rows(session, who, done)  # what a server took in meanwhile
            _forget_name(session, who, done)
        if late:
            done.index = _leave_index(settings, store)
        deletions.delete_photos()
        media.forget_owner(who)
        served = _is_served(settings.home)
        if not served:
            empty_uploads(deletions.uploads)
        deletions.compact(MAX_COMPACTED_BYTES if served else None)
    finally:
        store.engine.dispose()
    return done


def _check_media(settings: Settings, media: Media, store: Store) -> None:
    """Raises StoreError when the photos of the store are not in the folder: their files would stay somewhere else."""
    check_photos(settings, media, store.engine)
    photos = photo_ids(store.engine)
    if photos and media.mark() is None and not photos & set(media.ids()):
        raise StoreError(
            f"The photos of the store are not in {media.folder}: name their folder with IPL_MEDIA or IPL_HOME."
        )


def _lock(session: Session, who: str) -> None:
    """Nobody buys one of them, and they themselves write nothing, until this transaction ends."""
    session.scalars(select(ListingRow.id).where(ListingRow.seller_id == who).with_for_update()).all()
    session.get(SellerRow, who, with_for_update=True)


def _is_served(home: Path) -> bool:
    try:
        with only_user(home):
            return False
    except HomeInUse:
        return True


def _open_existing(settings: Settings) -> Store:
    """The store, which has to be there already. Raises NobodyThere, StoreError."""
    url = make_url(settings.store_url)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise NobodyThere(f"There is no store at {url.database}; nothing was deleted. Check IPL_HOME and IPL_STORE.")
    return open_store(settings.store_url)


def _person_id(store: Store, name: str) -> str:
    """The person's id. Raises NobodyThere."""
    with store.read() as session:
        seller_id = session.scalar(select(SellerRow.id).where(SellerRow.name == name))
    if seller_id is None:
        raise NobodyThere(f"There is nobody called {name[:64]} in this store; nothing was deleted.")
    return seller_id


def _refuse_open_orders(session: Session, who: str, name: str) -> None:
    """Raises OpenOrders while orders of the person stand."""
    open_ = list(session.scalars(select(OrderRow.id).where(_their_orders(who), *STANDING).order_by(OrderRow.at)))
    if open_:
        more = f" and {len(open_) - 10} more" if len(open_) > 10 else ""
        raise OpenOrders(
            f"{name} has {len(open_)} open orders ({', '.join(open_[:10])}{more}); nothing was deleted. "
            "Refund or complete them first, or add --settle, which refunds them."
        )


def _their_orders(who: str) -> ColumnElement[bool]:
    listings = select(ListingRow.id).where(ListingRow.seller_id == who)
    return or_(OrderRow.buyer == who, OrderRow.seller_id == who, OrderRow.listing_id.in_(listings))


def _settle(session: Session, who: str, told: bool) -> int:
    """Refund the orders that stand. ``told``: the other side gets a notice, as it does of any refund."""
    orders = list(session.scalars(select(OrderRow).where(_their_orders(who), *STANDING)))
    for order in orders:
        order.refunded_at = now()
        other = order.seller_id if order.buyer == who else order.buyer
        if told and session.get(SellerRow, other or "") is not None:
            session.add(notice("refunded", other or "", order.listing_id, order.id))
    return len(orders)


def _delete_rows(session: Session, who: str, done: Erased) -> list[str]:
    """Listings, drafts, posts with their photos, tokens, keys, events; orders lose the name. Returns listing ids."""
    _forget_orders(session, who, done)
    photos = session.scalar(select(func.count()).select_from(PhotoRow).where(PhotoRow.seller_id == who)) or 0
    edits = select(EditRow.id).join(DraftRow, DraftRow.id == EditRow.draft_id).where(DraftRow.seller_id == who)
    done.counts["edit"] += len(session.scalars(edits).all())
    listings = list(session.scalars(select(ListingRow).where(ListingRow.seller_id == who)))
    for row in listings:
        listing_repo.delete_listing(session, row)
    drafts = list(session.scalars(select(DraftRow.id).where(DraftRow.seller_id == who)))
    for start in range(0, len(drafts), AT_ONCE):
        draft_repo.delete_drafts(session, drafts[start : start + AT_ONCE])
    posts = list(session.scalars(select(PostRow).where(PostRow.author_id == who)))
    for post in posts:
        session.delete(post)
    session.flush()
    draft_repo.forget_photos(session, list(session.scalars(select(PhotoRow.id).where(PhotoRow.seller_id == who))))
    done.counts.update({"listing": len(listings), "draft": len(drafts), "post": len(posts), "photo": photos})
    tables: Sequence[tuple[str, type[DeclarativeBase], ColumnElement[bool]]] = (
        ("token", TokenRow, TokenRow.seller_id == who),
        ("idempotency key", KeyRow, KeyRow.seller_id == who),
        ("event of the assistant", EventRow, EventRow.seller_id == who),
        ("message", MessageRow, MessageRow.sender == who),
        ("notice", OutboxRow, and_(OutboxRow.topic == Topic.NOTICE, OutboxRow.key == who)),
        ("block", BlockRow, or_(BlockRow.blocker == who, BlockRow.blocked == who)),
    )
    for name, table, theirs in tables:
        done.counts[name] += count_of(session, delete(table).where(theirs))
    return [row.id for row in listings]


def _forget_orders(session: Session, who: str, done: Erased) -> None:
    """The person's id and key in orders become random ones; amounts, times and the other side stay. What both sides
    wrote about them goes."""
    theirs = list(session.scalars(select(OrderRow).where(_their_orders(who))))
    for start in range(0, len(theirs), AT_ONCE):
        about = MessageRow.order_id.in_([order.id for order in theirs[start : start + AT_ONCE]])
        done.counts["message"] += count_of(session, delete(MessageRow).where(about))
    for order in theirs:
        if order.buyer == who:
            order.buyer, order.key, order.row_id = draft_repo.new_id(), draft_repo.new_id(), None
        else:
            order.seller_id = draft_repo.new_id()
        done.orders += 1


def _forget_name(session: Session, who: str, done: Erased) -> None:
    """The name goes last, so that a repeated command finds it. A number stays, as it must never be given again."""
    for number in session.scalars(select(NumberRow).where(NumberRow.key == who)):
        number.key = draft_repo.new_id()
    done.counts["account"] += count_of(session, delete(SellerRow).where(SellerRow.id == who))


def _leave_index(settings: Settings, store: Store) -> str:
    """Take listings that are gone out of the index and rebuild it, or wait for the server that does; see ``Erased``."""
    from rag_index import default_location

    location = settings.index or default_location(settings.home)
    remote, until = str(location).startswith("http"), monotonic() + WAIT_SECONDS
    asked = and_(TO_INDEX, OutboxRow.key == listing_repo.REBUILD)
    with store.write() as session:
        listing_repo.to_index_anew(session)
        gone = and_(TO_INDEX, OutboxRow.key.not_in(select(ListingRow.id)))
        listing_ids = sorted(set(session.scalars(select(OutboxRow.key).where(gone))))
    while monotonic() < until:
        with store.alone(FOLLOWING) as alone:
            ours = alone and not (remote and _is_served(settings.home))
            outcome = _rebuild_without(location, listing_ids) if ours else "busy"
        if outcome in ("done", "files", "none"):
            with store.write() as session:
                session.execute(delete(OutboxRow).where(asked))
        if outcome != "busy":
            return outcome
        with store.read() as session:
            if not session.scalar(select(func.count()).select_from(OutboxRow).where(asked)):
                return "files" if remote else "done"
        sleep(PAUSE_SECONDS)
    raise IndexNotRebuilt(
        f"The running server, or who else has the index in {location}, did not rebuild it within "
        f"{WAIT_SECONDS / 60:.0f} minutes: the erasure is not done. Look at its log, and run the command again."
    )


def _rebuild_without(location: str | Path, listing_ids: Sequence[str]) -> str:
    """What came of it, as in ``Erased``, or "busy": another process has the index."""
    from rag_index import IndexBusy, IndexFailure, IndexMissing, ListingIndex

    try:
        with ListingIndex.open(location) as index:
            index.remove(listing_ids)
            return "done" if index.rebuild() else "files"
    except IndexMissing:
        return "none"
    except IndexBusy:
        return "busy"
    except IndexFailure:
        return "away"
