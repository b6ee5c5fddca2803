"""The tables of figures, listings and reviews."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time

from sqlalchemy import select

from app.market.messages import Messages
from app.market.reviews import Reviews
from app.ops.checks import WORDS, Report
from app.ops.days import LINES, Point, ends
from app.ops.figures import MEASURES, TARGET_HOURS, NewListing
from app.ops.impressions import DAY, Window
from app.store.db import Store
from app.store.tables import ListingRow, OrderRow

Cell = str | int | float | None


@dataclass(frozen=True)
class Table:
    """``note`` says how to read it; ``links``: an address for each row's first cell, or none at all."""

    headers: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    links: tuple[str, ...] = ()


def figures(report: Report) -> Table:
    """Every figure now and a day before, its limit, and how it stands to it; what can be compared comes first."""
    judged = {f.measure.key: f for f in report.findings}
    rows: list[tuple[Cell, ...]] = []
    for key in sorted(MEASURES, key=lambda key: (key not in report.before, key not in judged)):
        m, finding, before = report.measures[key], judged.get(key), report.before.get(key)
        limits = (finding.check.limit(m.unit), WORDS[finding.state][1]) if finding is not None else ("", "")
        rows.append((m.name, m.words, before.brief if before is not None else None, *limits, key))
    note = "In brackets: the 95 % interval. The day before: the same stretch 24 hours earlier, where the store has it."
    return Table(("what", "now", "the day before", "limit", "reads", "name"), tuple(rows), note)


def day_by_day(points: Sequence[Point]) -> Table:
    """Every point, the latest day first."""
    rows = tuple(
        (f"{p.day}", LINES[p.measure][0], p.by, *(None if x is None else round(x, 4) for x in ends(p)), p.n)
        for p in sorted(points, key=lambda p: p.day, reverse=True)
    )
    return Table(("day (UTC)", "what", "ranked by", "value", "low", "high", "cases"), rows)


def sold(store: Store, over: Window) -> Table:
    """What was ordered in a window, and yesterday, the latest first."""
    since = min(over.since, datetime.combine(over.until - DAY, time.min, UTC))
    rows = (
        select(
            ListingRow.title, ListingRow.category, OrderRow.amount, OrderRow.at, OrderRow.cancelled_by, ListingRow.id
        )
        .join(ListingRow, ListingRow.id == OrderRow.listing_id)
        .where(OrderRow.at.between(since, over.until))
        .order_by(OrderRow.at.desc())
    )
    with store.read() as session:
        found = session.execute(rows).all()
    cells = tuple((*x[:3], f"{x.at:%Y-%m-%d %H:%M}", "cancelled" if x.cancelled_by else "sold") for x in found)
    links = tuple(f"/ops/?listing={x.id}#feed" for x in found)
    return Table(
        ("listing", "category", "price", "when (UTC)", "state"), cells, f"Since {since:%Y-%m-%d %H:%M}.", links
    )


def new_listings(listings: Sequence[NewListing]) -> Table:
    """New listings: when they were first seen, and who waits."""
    rows = [
        (x.title, x.category, x.seller, f"{x.published_at:%Y-%m-%d %H:%M}", round(x.aged, 1),
         None if x.waited is None else round(x.waited, 2), x.impressions, x.clicks,
         "waits too long" if x.starved else x.status)
        for x in listings
    ]  # fmt: skip
    times = ("published (UTC)", "age h", "h to first seen")
    note = f"Waits too long: on sale and unseen for over {TARGET_HOURS:.0f} hours. The export has all of the window."
    links = tuple(f"/ops/?listing={x.id}#feed" for x in listings)
    return Table(("listing", "category", "seller", *times, "seen", "clicks", "state"), tuple(rows), note, links)


def review_queue(reviews: Reviews) -> Table:
    """Listings that wait for a person, the longest waiting first."""
    waiting = reviews.waiting()
    rows = tuple(
        (w.title, w.name, ", ".join(w.words), w.photos, w.seller_id, f"{w.at:%Y-%m-%d %H:%M}", w.listing_id)
        for w in waiting
    )
    headers = ("title", "may be", "words that weighed most", "photos", "seller", "since (UTC)", "listing")
    links = tuple(f"/ops/?review={w.listing_id}#reviews" for w in waiting)
    return Table(headers, rows, "Nobody but its seller sees a listing of the queue.", links)


def reports(messages: Messages) -> Table:
    """What visitors reported, the oldest first."""
    reported = messages.reports()
    rows = tuple((m.title, m.text, f"{m.at:%Y-%m-%d %H:%M}", m.listing_id) for m in reported)
    note = "A report changes nothing by itself. It goes when the listing is approved or refused, or when it is closed."
    links = tuple(f"/ops/?review={m.listing_id}#reviews" for m in reported)
    return Table(("title", "report", "since (UTC)", "listing"), rows, note, links)
