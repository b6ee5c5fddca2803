"""Why a listing stands where it stands: on a page that a visitor would get now, and on one that was seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.feed.live_feed import LiveFeed
from app.ops.impressions import clicked
from app.ops.why import Facts, in_brief, on_a_past_page, why
from app.services import Services
from app.store.db import Store
from app.store.tables import FeedPageRow, FeedRow, ListingRow, NumberRow, PhotoRow, SellerRow
from app.views import AppError
from recommend.cascade.catalog import Catalog
from recommend.cascade.explain import fate, moves
from recommend.cascade.page import PageState
from recommend.cascade.request import HOUR_MS, Moment

SIZE = 20  # places of a page that is looked at
MOST = 24  # listings that a search shows, and pages of one
PHOTO = 480  # px; the size that the buyers' feed uses, so that browsers may have it


@dataclass(frozen=True)
class Tile:
    """A listing as a picture with a line. ``photo`` is empty for one that buyers may not see."""

    id: str
    title: str
    category: str
    status: str
    photo: str = ""


@dataclass(frozen=True)
class Stand:
    """A place on a page, or what fell from it (``place`` None). ``brief``: the one reason; ``why``: a sentence."""

    tile: Tile
    place: int | None
    reason: str
    why: str
    seen: bool = False
    clicked: bool = False
    score: float | None = None
    brief: str = ""


@dataclass(frozen=True)
class PastPage:
    """A page that was written down."""

    visitor: str
    at: datetime
    models: dict[str, str]
    stands: tuple[Stand, ...]


@dataclass(frozen=True)
class Standing:
    """``now``: why a listing stands or falls for a visitor at this moment; ``pages``: rows (page, visitor, at, place,
    reason, pctr, seen, clicked) of where it stood, the latest first."""

    tile: Tile
    seller: str
    visitor: str
    now: str
    pages: Sequence[Any]


def visitors(store: Store, feed: LiveFeed, most: int = 100) -> list[str]:
    """Visitors who came last, by name, latest first."""
    ids = feed.feed.visitors.ids(most)
    with store.read() as session:
        names = {row.id: row.key for row in session.scalars(select(NumberRow).where(NumberRow.id.in_(ids)))}
    return [names[i] for i in ids if i in names]


def find(store: Store, words: str) -> list[Tile]:
    """Listings by id, or with all of the words in their title, the latest first."""
    parts = words.split()[:8]
    if not parts:
        return []
    titled = [ListingRow.title.icontains(part, autoescape=True) for part in parts]
    latest = select(ListingRow).where(*titled).order_by(ListingRow.published_at.desc(), ListingRow.id).limit(MOST)
    with store.read() as session:
        one = session.get(ListingRow, words.strip()[:64])
        return list(_tiles(session, [one] if one is not None else list(session.scalars(latest))).values())


def would_see(services: Services, visitor: str) -> tuple[PageState, tuple[Stand, ...]]:
    """What a visitor would see now, then what fell, each with its why."""
    feed = services.feed
    page = feed.considered(visitor, SIZE)
    listings, lines = feed.listings.live(), [*page.slate.page, *page.slate.fell[:5]]
    with services.store.read() as session:
        ids = [listings.get(line.item_id) for line in lines]
        tiles = _tiles(session, session.scalars(select(ListingRow).where(ListingRow.id.in_(ids))).all())
    on_sale = [(line, tiles[listings[line.item_id]]) for line in lines if listings.get(line.item_id) in tiles]
    sentences = _now(feed, page, [(line.item_id, tile) for line, tile in on_sale])
    stands = [Stand(tile, line.position, line.reason, sentences[line.item_id][1], score=line.score,
                    brief=sentences[line.item_id][0]) for line, tile in on_sale]  # fmt: skip
    titles = feed.posts.titles([p.post.post_id for p in page.slate.posts])
    for p in page.slate.posts:
        says = f"A post: {p.pctr:.3f} predicted clicks, {p.impressions} impressions."
        tile = Tile("", titles.get(p.post.post_id, "A post"), "post", "")
        stands.append(Stand(tile, p.position, "post", says, score=p.pctr, brief="a post"))
    return page, tuple(sorted(stands, key=lambda s: (s.place is None, s.place or 0)))


def _now(feed: LiveFeed, page: PageState, items: Sequence[tuple[int, Tile]]) -> dict[int, tuple[str, str]]:
    """Why each item stands or falls on a page that was just made, in some words and in a sentence."""
    catalog, loaded = feed.feed.catalog, feed.models.get("ranking")
    ids = [i for i, _ in items if i in catalog]
    rows = catalog.rows(ids)
    among = catalog.rows([s.item_id for s in page.slate.page])
    effects = moves(feed.models, catalog, rows, among, page.visitor, page.moment)
    moved = dict(zip(ids, effects, strict=True)) if len(effects) == len(ids) else {}  # something was sold meanwhile
    ranking = loaded.name if loaded is not None else None
    told = {}
    for item, tile in items:
        of = fate(page, catalog, item), moved.get(item, ()), _facts(catalog, item, tile, page.moment), ranking
        told[item] = in_brief(*of), why(*of)
    return told


def _facts(catalog: Catalog, item_id: int, tile: Tile, moment: Moment) -> Facts:
    rows = catalog.rows([item_id])
    if not len(rows):
        return Facts(tile.category, 0.0, 0, 0.0)
    names = ("price", "condition", "listed_ms", "impressions", "clicks", "bid")
    price, condition, listed, impressions, clicks, bid = (catalog.get(name, rows)[0].item() for name in names)
    age = max(moment.time_ms - listed, 0) / HOUR_MS
    return Facts(tile.category, float(price), int(condition), age, int(impressions), int(clicks), float(bid))


def past_page(services: Services, page_id: str) -> PastPage:
    """A page as it was seen, with the scores of that moment.

    Raises:
        AppError: there is no such page (404).
    """
    with services.store.read() as session:
        page = session.get(FeedPageRow, page_id)
        if page is None:
            raise AppError("not_found", "There is no such page; it may have been forgotten.", 404)
        rows = session.scalars(select(FeedRow).where(FeedRow.page_id == page_id).order_by(FeedRow.position)).all()
        clicks = set(session.scalars(select(FeedRow.id).where(FeedRow.page_id == page_id, clicked())))
        name = session.scalar(select(NumberRow.key).where(NumberRow.id == page.visitor)) or "?"
        listings = select(ListingRow).where(ListingRow.id.in_([r.listing_id for r in rows]))
        tiles = _tiles(session, session.scalars(listings).all())
    cut = min((float(r.scores["score"]) for r in rows if r.reason == "ranked"), default=None)
    gone = Tile("", "A listing that was deleted", "", "removed")
    stands = [
        Stand(tiles.get(r.listing_id, gone), r.position, r.reason, on_a_past_page(r.scores, r.reason, r.position, cut),
              r.seen_at is not None, r.id in clicks, r.scores.get("score"), r.reason)
        for r in rows
    ]  # fmt: skip
    return PastPage(name, page.at, page.models, tuple(stands))


def standing(services: Services, listing_id: str, visitor: str) -> Standing:
    """Where a listing stood, and why it stands or falls for a visitor now (default: who saw it last, or came last).

    Raises:
        AppError: there is no such listing (404).
    """
    feed = services.feed
    with services.store.read() as session:
        row = session.get(ListingRow, listing_id)
        if row is None:
            raise AppError("not_found", "There is no such listing; it may have been deleted.", 404)
        tile = _tiles(session, [row])[row.id]
        seller = session.get_one(SellerRow, row.seller_id).name
        columns = (
            *(FeedPageRow.id.label("page"), NumberRow.key.label("visitor"), FeedPageRow.at),
            *(FeedRow.position.label("place"), FeedRow.reason, FeedRow.scores["pctr"].as_float().label("pctr")),
            *(FeedRow.seen_at.is_not(None).label("seen"), clicked().label("clicked")),
        )
        query = (
            select(*columns)
            .select_from(FeedRow)
            .join(FeedPageRow, FeedPageRow.id == FeedRow.page_id)
            .join(NumberRow, NumberRow.id == FeedPageRow.visitor)
            .where(FeedRow.listing_id == listing_id)
            .order_by(FeedPageRow.at.desc(), FeedRow.id.desc())
            .limit(MOST)
        )
        pages = session.execute(query).all()
    who = visitor or (pages[0].visitor if pages else next(iter(visitors(services.store, feed, 1)), ""))
    number = feed.listings.number(tile.id)
    if number is None or number not in feed.feed.catalog:
        now = f"It is {tile.status} and not on sale, so that no page can show it."
    else:
        now = _now(feed, feed.considered(who, SIZE), [(number, tile)])[number][1]
    return Standing(tile, seller, who, now, pages)


def _tiles(session: Session, rows: Sequence[ListingRow]) -> dict[str, Tile]:
    """By id, in their order."""
    first = PhotoRow.listing_id.in_([r.id for r in rows]), PhotoRow.place == 0
    photos = {row[0]: row[1] for row in session.execute(select(PhotoRow.listing_id, PhotoRow.phash).where(*first))}
    public = {r.id for r in rows if r.id in photos and r.status in ("active", "sold")}
    return {r.id: Tile(r.id, r.title, r.category, r.status,
                       f"/l/{r.id}/photos/1?w={PHOTO}&v={photos[r.id]}" if r.id in public else "")
            for r in rows}  # fmt: skip
