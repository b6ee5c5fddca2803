"""A listing's way through the feed, and a visitor's pages as they saw them, from what was written down."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from app.feed.items import CONTENT, milliseconds
from app.feed.live_feed import LiveFeed
from app.ops.impressions import clicked
from app.ops.numbers import click_rate
from app.ops.why import Facts, counted, hours, on_a_past_page, ordinal, why
from app.ops.why import features as features_of
from app.services import Services
from app.store.db import Store
from app.store.tables import (
    FeedItemRow,
    FeedPageRow,
    FeedRow,
    ListingRow,
    NumberRow,
    OrderRow,
    PhotoRow,
    SellerRow,
)  # fmt: skip
from app.views import AppError
from recommend.cascade.catalog import Catalog, Item
from recommend.cascade.explain import fate, moves
from recommend.cascade.page import PageState
from recommend.cascade.request import HOUR_MS, Moment
from recommend.cascade.visitors import Past, Visitor

SIZE = 20  # places of a page that is looked at
MOST = 24  # listings that a search shows, and pages of a visitor
CLICKS = func.sum(case((clicked(), 1), else_=0))  # of feed rows
PHOTO = 480  # px; the size that the buyers' feed uses, so that browsers may have it


@dataclass(frozen=True)
class Tile:
    """A listing as a picture with a line. ``photo`` is empty for one that buyers may not see."""

    id: str
    title: str
    category: str
    status: str
    photo: str


@dataclass(frozen=True)
class Stand:
    """A place on a page, or a thing that fell from it (``place`` None). ``why`` is a sentence."""

    tile: Tile
    place: int | None
    reason: str
    why: str
    seen: bool = False
    clicked: bool = False


@dataclass(frozen=True)
class PastPage:
    """A page that was written down."""

    id: str
    visitor: str
    at: datetime
    models: dict[str, str]
    stands: tuple[Stand, ...]


@dataclass(frozen=True)
class Step:
    """A step of a listing's way: what happened, when, in a sentence."""

    name: str
    says: str


@dataclass(frozen=True)
class Journey:
    """``now``: why it stands or falls for a visitor at this moment; ``pages``: where it stood, the latest first."""

    tile: Tile
    seller: str
    visitor: str
    now: str
    steps: tuple[Step, ...]
    pages: tuple[tuple[str, str, datetime, int, str, float, bool, bool], ...]


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
    with store.read() as session:
        query = select(ListingRow).where(ListingRow.id == words.strip()[:64])
        exact = list(session.scalars(query))
        query = select(ListingRow).where(*titled).order_by(ListingRow.published_at.desc(), ListingRow.id).limit(MOST)
        return _tiles(session, exact or list(session.scalars(query)))


def visitors_pages(store: Store, visitor: str) -> list[tuple[str, datetime, int, int, int]]:
    """A visitor's latest pages: id, moment, places, how many were seen and clicked."""
    with store.read() as session:
        query = (
            select(FeedPageRow.id, FeedPageRow.at, func.count(FeedRow.id), func.count(FeedRow.seen_at), CLICKS)
            .join(NumberRow, NumberRow.id == FeedPageRow.visitor)
            .join(FeedRow, FeedRow.page_id == FeedPageRow.id)
            .where(NumberRow.kind == "visitor", NumberRow.key == visitor)
            .group_by(FeedPageRow.id, FeedPageRow.at)
            .order_by(FeedPageRow.at.desc())
            .limit(MOST)
        )
        return [(key, at, int(rows), int(viewed), int(n)) for key, at, rows, viewed, n in session.execute(query)]


def would_see(services: Services, visitor: str) -> tuple[PageState, tuple[Stand, ...]]:
    """What a visitor would see now, then what fell, each with its why."""
    feed = services.feed
    page = feed.considered(visitor, SIZE)
    slate = page.slate
    scored = [*slate.page, *slate.fell[:10]]
    listings = feed.listings.live()
    with services.store.read() as session:
        rows = session.scalars(select(ListingRow).where(ListingRow.id.in_([listings.get(s.item_id) for s in scored])))
        tiles = {t.id: t for t in _tiles(session, list(rows))}
    stands = [(s.item_id, tiles[listings[s.item_id]], s.position, s.reason) for s in scored
              if listings.get(s.item_id) in tiles]  # fmt: skip
    sentences = _now(feed, page, [(item, tile) for item, tile, *_ in stands])
    result = [Stand(tile, place, reason, sentences[item]) for item, tile, place, reason in stands]
    posts = feed.posts.titles([p.post.post_id for p in slate.posts])
    for p in slate.posts:
        tile = Tile("", posts.get(p.post.post_id, "A post"), "post", "active", "")
        result.append(
            Stand(tile, p.position, "post", f"A post: {p.pctr:.3f} predicted clicks, {p.impressions} impressions.")
        )
    return page, tuple(sorted(result, key=lambda s: (s.place is None, s.place or 0)))


def _now(feed: LiveFeed, page: PageState, items: Sequence[tuple[int, Tile]]) -> dict[int, str]:
    """Why each thing stands or falls on a page that was just made."""
    catalog, loaded = feed.feed.catalog, feed.models.get("ranking")
    ids = [i for i, _ in items if i in catalog]
    rows = catalog.rows(ids)
    among = catalog.rows([s.item_id for s in page.slate.page])
    effects = moves(feed.models, catalog, rows, among, page.visitor, page.moment)
    moved = dict(zip(ids, effects, strict=True)) if len(effects) == len(ids) else {}  # something was sold meanwhile
    return {
        item: why(fate(page, catalog, item), moved.get(item, ()), _facts(catalog, item, tile, page.moment),
                  loaded.name if loaded else None)
        for item, tile in items
    }  # fmt: skip


def _facts(catalog: Catalog, item_id: int, tile: Tile, moment: Moment) -> Facts:
    rows = catalog.rows([item_id])
    if not len(rows):
        return Facts(tile.category, 0.0, 0, 0.0)
    names = ("price", "condition", "listed_ms", "impressions", "clicks", "bid")
    price, condition, listed, impressions, clicks, bid = (catalog.get(name, rows)[0].item() for name in names)
    age = max(moment.time_ms - listed, 0) / HOUR_MS
    return Facts(tile.category, float(price), int(condition), age, int(impressions), int(clicks), float(bid))


def past_page(services: Services, page_id: str) -> PastPage:
    """A page as it was seen. What moved each score is asked of the model that ranked it, if that still serves.

    Raises:
        AppError: there is no such page (404).
    """
    with services.store.read() as session:
        page = session.get(FeedPageRow, page_id)
        if page is None:
            raise AppError("not_found", "There is no such page; it may have been forgotten.", 404)
        rows = list(session.scalars(select(FeedRow).where(FeedRow.page_id == page_id).order_by(FeedRow.position)))
        clicks = set(session.scalars(select(FeedRow.id).where(FeedRow.page_id == page_id, clicked())))
        name = session.scalar(select(NumberRow.key).where(NumberRow.id == page.visitor)) or "?"
        listings = session.scalars(select(ListingRow).where(ListingRow.id.in_([r.listing_id for r in rows])))
        tiles = {t.id: t for t in _tiles(session, list(listings))}
        sentences = _then(services.feed, session, page, rows, tiles)
    stands = tuple(
        Stand(tiles.get(r.listing_id, Tile("", "A listing that was deleted", "", "removed", "")), r.position, r.reason,
              sentences[r.id], r.seen_at is not None, r.id in clicks)
        for r in rows
    )  # fmt: skip
    return PastPage(page.id, name, page.at, page.models, stands)


def _then(
    feed: LiveFeed, session: Session, page: FeedPageRow, rows: Sequence[FeedRow], tiles: dict[str, Tile]
) -> dict[int, str]:
    """Why each row stood where it stood, from what was written down then."""
    ranked = [float(r.scores["score"]) for r in rows if r.reason == "ranked"]
    cut = min(ranked, default=None)
    out = {r.id: on_a_past_page(r.scores, r.reason, r.position, cut) for r in rows}
    loaded, by = feed.models.get("ranking"), page.models.get("ranking", "")
    if loaded is None or loaded.name != by:
        rest = (
            f"{by} ranked it, and serves no more: what moved it cannot be asked." if loaded else "No model ranks now."
        )
        return {n: f"{text} {rest}" for n, text in out.items()}
    catalog, visitor, moment = as_it_was(session, page, rows)
    places = catalog.rows([int(r.known["item_id"]) for r in rows])
    effects = moves(feed.models, catalog, places, places, visitor, moment)
    for row, moved in zip(rows, effects, strict=True):
        tile = tiles.get(row.listing_id)
        facts = Facts(tile.category if tile else "", float(row.known["price"]), int(row.known["condition"]),
                      float(row.known["item_age_h"]))  # fmt: skip
        out[row.id] += f" {features_of(moved, facts, loaded.name)}"
    return out


def as_it_was(session: Session, page: FeedPageRow, rows: Iterable[FeedRow]) -> tuple[Catalog, Visitor, Moment]:
    """The things of a page, its visitor and its moment as they were known when it was made."""
    at, state = milliseconds(page.at), page.known
    catalog = Catalog(CONTENT)
    for row in rows:
        k = row.known
        content = k["content"] or [0.0] * CONTENT
        names = ("item_id", "seller_id", "category", "condition", "price", "price_bucket", "single")
        listed = at - round(k["item_age_h"] * HOUR_MS)
        facts_then = {name: k[name] for name in names}
        catalog.put(Item(**facts_then, stock=max(int(k["stock"]), 1), listed_ms=listed, content=content))
    clicked = state["history_item"]
    facts = {r.item_id: r.known for r in session.scalars(select(FeedItemRow).where(FeedItemRow.item_id.in_(clicked)))}
    past: deque[Past] = deque()
    columns = (state[f"history_{name}"] for name in ("item", "category", "single", "age_h"))
    for item, category, single, age in zip(*columns, strict=True):
        content = facts.get(item, {}).get("content") or [0.0] * CONTENT
        past.append(Past(item, category, bool(single), at - round(age * HOUR_MS), np.array(content, np.float32)))
    moment = Moment(at, state.get("promotion", 0), state.get("days_to_promotion", 0))
    return catalog, Visitor(page.visitor, past), moment


def journey(services: Services, listing_id: str, visitor: str) -> Journey:
    """A listing's way, and why it stands or falls for a visitor now (default: who saw it last, or came last).

    Raises:
        AppError: there is no such listing (404).
    """
    feed = services.feed
    with services.store.read() as session:
        row = session.get(ListingRow, listing_id)
        if row is None:
            raise AppError("not_found", "There is no such listing; it may have been deleted.", 404)
        (tile,) = _tiles(session, [row])
        seller = session.get_one(SellerRow, row.seller_id).name
        query = (
            select(
                FeedPageRow.id,
                NumberRow.key,
                FeedPageRow.at,
                FeedRow.position,
                FeedRow.reason,
                FeedRow.scores["pctr"].as_float(),
                FeedRow.seen_at.is_not(None),
                clicked(),
            )
            .select_from(FeedRow)
            .join(FeedPageRow, FeedPageRow.id == FeedRow.page_id)
            .join(NumberRow, NumberRow.id == FeedPageRow.visitor)
            .where(FeedRow.listing_id == listing_id)
            .order_by(FeedPageRow.at.desc(), FeedRow.id.desc())
            .limit(MOST)
        )
        pages = tuple(
            (key, name, at, place, reason, float(pctr), bool(viewed), bool(click))
            for key, name, at, place, reason, pctr, viewed, click in session.execute(query)
        )
        steps = _steps(session, row)
    who = visitor or (pages[0][1] if pages else next(iter(visitors(services.store, feed, 1)), ""))
    return Journey(tile, seller, who, _why_now(feed, tile, who), steps, pages)


def _why_now(feed: LiveFeed, tile: Tile, visitor: str) -> str:
    number = feed.listings.number(tile.id)
    if number is None or number not in feed.feed.catalog:
        return f"It is {tile.status} and not on sale, so that no page can show it."
    return _now(feed, feed.considered(visitor, SIZE), [(number, tile)])[number]


def _steps(session: Session, row: ListingRow) -> tuple[Step, ...]:
    """What happened to a listing, in its order; counted by the database, however often it was seen."""
    steps = [Step("Published", _moment(row.published_at) if row.published_at else "Not yet.")]
    viewed = FeedRow.listing_id == row.id, FeedRow.seen_at.is_not(None)
    first = session.scalar(select(func.min(FeedRow.seen_at)).where(*viewed))
    if first is None:
        stood = session.scalar(select(func.count()).where(FeedRow.listing_id == row.id))
        steps.append(Step("Seen", f"By nobody yet; it stood on {stood} pages that nobody scrolled to."))
    else:
        waited = (first - row.published_at).total_seconds() / 3600 if row.published_at else 0.0
        steps.append(Step("First seen", f"{_moment(first)}, {hours(max(waited, 0.0))} after it was published."))
        steps += _viewed(session, viewed)
    latest = select(OrderRow.at).where(OrderRow.listing_id == row.id).order_by(OrderRow.at.desc()).limit(3)
    orders = session.scalars(latest).all()
    if orders:
        steps.append(Step("Ordered", ", ".join(_moment(at) for at in reversed(orders))))
    steps.append(Step("Now", f"It is {row.status}, {row.stock} left."))
    return tuple(steps)


def _viewed(session: Session, which: tuple[ColumnElement[bool], ...]) -> Iterator[Step]:
    """How often the seen rows of a listing were shown for which reason, and what came of it."""
    of_visitor = (
        select(FeedRow.reason, FeedPageRow.visitor, func.count(), CLICKS)
        .select_from(FeedRow)
        .join(FeedPageRow, FeedPageRow.id == FeedRow.page_id)
        .where(*which)
        .group_by(FeedRow.reason, FeedPageRow.visitor)
    )
    rows = session.execute(of_visitor).all()
    of_place = select(FeedRow.reason, FeedRow.position, func.count()).where(*which)
    places: dict[str, list[int]] = defaultdict(list)
    for reason, place, viewed in session.execute(of_place.group_by(FeedRow.reason, FeedRow.position)):
        places[reason] += [place] * viewed
    for reason, name in (("ranked", "by its rank"), ("exploration", "to be learned about"), ("ad", "as an ad")):
        of = sorted(places[reason])
        if of:
            people = sum(r == reason for r, *_ in rows)
            yield Step(f"Shown {name}", f"Seen {counted(len(of), 'time')} by {counted(people, 'visitor')}, at the "
                       f"{ordinal(of[len(of) // 2])} place in the middle of them.")  # fmt: skip
    visitor, n, clicks = (np.array([r[column] for r in rows], np.int64) for column in (1, 2, 3))
    click = np.repeat(np.tile([True, False], len(rows)), np.stack([clicks, n - clicks], 1).ravel())
    rate = click_rate(click, np.repeat(visitor, n)).words
    yield Step("Clicked", f"{counted(int(clicks.sum()), 'time')} of {int(n.sum())}: {rate}.")


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _tiles(session: Session, rows: Sequence[ListingRow]) -> list[Tile]:
    first = select(PhotoRow.listing_id, PhotoRow.phash).where(
        PhotoRow.listing_id.in_([r.id for r in rows]), PhotoRow.place == 0
    )
    photos = {str(r[0]): str(r[1]) for r in session.execute(first)}
    public = {r.id for r in rows if r.id in photos and r.status in ("active", "sold")}
    address = {i: f"/l/{i}/photos/1?w={PHOTO}&v={photos[i]}" for i in public}
    return [Tile(r.id, r.title, r.category, r.status, address.get(r.id, "")) for r in rows]
