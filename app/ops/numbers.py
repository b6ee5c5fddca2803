"""The numbers of the operator's page: from the store and the live feed, as tables; no page and no picture here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from statistics import fmean
from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein
from sqlalchemy import select

from app.feed.items import milliseconds
from app.feed.live_feed import LiveFeed
from app.market.messages import Messages
from app.market.promotions import Calendar, day_of
from app.market.reviews import Reviews
from app.ops.impressions import DAYS, Impressions, share
from app.ops.table import Cell, Table
from app.ops.table import rounded as _r
from app.store.db import Store
from app.store.tables import EventRow, FeedEventRow, FeedRow, ListingRow, NumberRow, now
from recommend.cascade.page import Shown, Slate
from recommend.cascade.posts import ShownPost
from recommend.cascade.registry import PROMOTION
from recommend.metrics.calibration import ece, pcoc
from recommend.metrics.ranks import auc, gauc

YOUNG_HOURS = 48.0  # a listing is new for that long
STARVED_HOURS = 6.0  # a new listing without an impression after that long is starved
HIGH, LOW = 1.25, 0.8  # PCOC outside of which a model is off
Pair = tuple[dict[str, Any], dict[str, Any]]
"""What the model wrote, and what was published."""


def feed_table(slate: Slate, titles: dict[int, str], categories: dict[int, str]) -> Table:
    """A slate for people: the page first, then what fell."""
    headers = ("place", "listing", "why here", "pCTR", "pCVR", "score", "bid", "eCPM", "paid", "pre-rank", "rank",
               "left", "age h", "shown", "found by", "category")  # fmt: skip

    def row(s: Shown) -> tuple[Cell, ...]:
        place: Cell = s.position + 1 if s.position is not None else None
        return (place, titles.get(s.item_id, f"#{s.item_id}"), s.reason, _r(s.pctr), _r(s.pcvr), _r(s.score),
                _r(s.bid, 2), _r(s.ecpm, 2), _r(s.price_per_click, 3), s.pre_rank + 1, s.rank + 1, s.stock,
                _r(s.age_h, 1),
                s.impressions, ", ".join(s.sources), categories.get(s.item_id, ""))  # fmt: skip

    def post(s: ShownPost) -> tuple[Cell, ...]:
        title = titles.get(s.post.post_id, f"#{s.post.post_id}")
        return (s.position + 1, title, "post", _r(s.pctr), None, _r(s.pctr), None, None, None, None, None, None,
                _r(s.age_h, 1), s.impressions, "posts", "")  # fmt: skip

    places = {s.position: post(s) for s in slate.posts} | {s.position: row(s) for s in slate.page}
    page = [places[position] for position in sorted(places, key=lambda n: n or 0)]
    return Table(headers, (*page, *(row(s) for s in slate.fell)), "Ranks count from 1; money is per click.")


def new_listings(store: Store) -> Table:
    """Listings of the last two days: when they were first seen and clicked, and who is starved."""
    since = now() - timedelta(hours=YOUNG_HOURS)
    with store.read() as session:
        query = select(ListingRow).where(ListingRow.published_at >= since).order_by(ListingRow.published_at.desc())
        listings = list(session.scalars(query))
        ids = [x.id for x in listings]
        rows = session.scalars(select(FeedRow).where(FeedRow.listing_id.in_(ids), FeedRow.seen_at.is_not(None))).all()
        events = session.scalars(
            select(FeedEventRow).where(FeedEventRow.row_id.in_([r.id for r in rows]), FeedEventRow.kind == "click")
        ).all()
    seen: dict[str, list[datetime]] = defaultdict(list)
    clicks: dict[str, list[datetime]] = defaultdict(list)
    of_row = {r.id: r.listing_id for r in rows}
    for r in rows:
        assert r.seen_at is not None
        seen[r.listing_id].append(r.seen_at)
    for e in events:
        clicks[of_row[e.row_id]].append(e.at)
    out = []
    for x in listings:
        assert x.published_at is not None
        age = (now() - x.published_at).total_seconds() / 3600
        first = min(seen[x.id], default=None)
        first_click = min(clicks[x.id], default=None)
        state = x.status if x.status != "active" else ("starved" if first is None and age > STARVED_HOURS else "live")
        out.append((x.title, x.category, round(age, 1), len(seen[x.id]), _waited(x.published_at, first),
                    _waited(x.published_at, first_click), state, len(clicks[x.id])))  # fmt: skip
    headers = ("listing", "category", "age h", "impressions", "min to impression", "min to click", "state", "clicks")
    return Table(headers, tuple(out), f"Starved: unseen {STARVED_HOURS:.0f} hours after publishing.")


def model_health(seen: Impressions) -> Table:
    """By day and kind of stock: how well the served pCTR ranked and how true it was."""
    out: list[tuple[Cell, ...]] = []
    for day in sorted(set(seen.day.tolist()), reverse=True):
        for name, which in (("all", np.ones(len(seen), bool)), ("single", seen.single), ("many", ~seen.single)):
            at = (seen.day == day) & which
            if at.any():
                y, p = seen.click[at], seen.pctr[at]
                out.append((day, name, int(at.sum()), int(y.sum()), share(int(y.sum()), int(at.sum())),
                            _r(auc(y, p), 3), _r(gauc(y, p, seen.visitor[at]), 3), _r(pcoc(y, p), 2),
                            _r(ece(y, p, 10), 4),
                            _r(float(p.mean()), 4)))  # fmt: skip
    headers = ("day", "stock", "impressions", "clicks", "click rate", "AUC", "GAUC", "PCOC", "ECE", "mean pCTR")
    return Table(headers, tuple(out), "PCOC: predicted over observed; 1 is calibrated. Clicks are of what was seen.")


def models(feed: LiveFeed) -> Table:
    """What serves, by role."""
    rows = tuple((r["role"], r["serves"], r["wanted"]) for r in feed.models.state())
    return Table(("role", "serves", "meant to serve"), rows)


def review_queue(reviews: Reviews) -> Table:
    """Listings that wait for a person, the longest waiting first."""
    out = [
        (w.listing_id, w.title, w.name, ", ".join(w.words), w.photos, w.seller_id, f"{w.at:%Y-%m-%d %H:%M}")
        for w in reviews.waiting()
    ]
    headers = ("listing", "title", "may be", "words that weighed most", "photos", "seller", "since (UTC)")
    return Table(headers, tuple(out), "Nobody but its seller sees a listing of the queue.")


def reports(messages: Messages) -> Table:
    """What visitors reported, the oldest first."""
    out = [(m.listing_id, m.title, m.text, f"{m.at:%Y-%m-%d %H:%M}") for m in messages.reports()]
    note = "A report changes nothing by itself. It goes when the listing is approved or refused."
    return Table(("listing", "title", "report", "since (UTC)"), tuple(out), note)


def promotions(feed: LiveFeed, calendar: Calendar) -> Table:
    """The calendar, the latest first, and what scores conversions on a promotion's days."""
    registry, moment = feed.registry, feed.moment()
    wanted = registry.current(PROMOTION)
    facts = registry.manifest(PROMOTION, wanted) if wanted else {}
    serving = feed.models.copy(moment)
    base = feed.models.get("conversion")
    otherwise = f"no copy: {base.name if base else 'no model'}"
    day, out = day_of(moment.day), []
    for p in reversed(calendar.promotions):
        state = p.state(day)
        scores = "-"
        if state == "on":
            scores = serving.name if serving is not None else otherwise
        elif state == "to come":
            scores = f"copy {wanted}" if facts.get("promotion") == p.id else "no copy yet"
        out.append((p.id, p.name, str(p.first_day), str(p.last_day), state, scores))
    headers = ("number", "name", "first day", "last day", "state", "conversions scored by")
    return Table(headers, tuple(out), "Whole days, in UTC. './ipl recommend promote' makes the copy for a day.")


def model_events(feed: LiveFeed) -> Table:
    """What happened to the models, newest first."""
    rows = tuple(
        (datetime.fromtimestamp(e["at"]).isoformat(" ", "minutes"), e["what"], e["role"], e["version"], e["why"])
        for e in feed.registry.events(50)
    )
    return Table(("when", "what", "role", "version", "why"), rows)


def assistant(store: Store) -> Table:
    """Drafts and what sellers made of them, by day and category; of each fact, how often it was kept."""
    with store.read() as session:
        events = session.execute(select(EventRow.kind, EventRow.draft_id, EventRow.at)).all()
        query = select(ListingRow).where(ListingRow.generated.is_not(None), ListingRow.published.is_not(None))
        listings = list(session.scalars(query))
    days: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for kind, draft, at in events:
        if draft is not None:
            days[at.date().isoformat()][kind].add(draft)
    by_day: dict[str, list[Pair]] = defaultdict(list)
    by_category: dict[str, list[Pair]] = defaultdict(list)
    by_fact: dict[str, list[bool]] = defaultdict(list)
    for x in listings:
        pair = (x.generated or {}, x.published or {})
        by_day[x.created_at.date().isoformat()].append(pair)
        by_category[x.category].append(pair)
        for name, kept in _facts_kept(pair):
            by_fact[name].append(kept)
    out = [_assisted("day", day, len(days[day]["shown"]), len(days[day]["published"]), by_day[day])
           for day in sorted(days.keys() | by_day.keys(), reverse=True)[:DAYS]]  # fmt: skip
    out += [_assisted("category", c, None, len(pairs), pairs) for c, pairs in sorted(by_category.items())]
    out += [("fact", name, None, len(kept), *[None] * 5, share(sum(kept), len(kept)))
            for name, kept in sorted(by_fact.items())]  # fmt: skip
    headers = ("by", "which", "drafts", "published", "adopted", "title kept", "text edit distance", "flags a draft",
               "unknown facts", "stated facts kept")  # fmt: skip
    return Table(headers, tuple(out), "Adopted: drafts that were published. Kept: published as the model wrote it.")


def _assisted(by: str, which: str, shown: int | None, published: int, pairs: Sequence[Pair]) -> tuple[Cell, ...]:
    facts = [a for made, _ in pairs for a in made["attributes"]]
    unknown = sum(a["status"] == "unknown" for a in facts)
    kept = [kept for pair in pairs for _, kept in _facts_kept(pair)]
    titles = _mean(float(made["title"] == sold["title"]) for made, sold in pairs)
    texts = _mean(Levenshtein.normalized_distance(made["description"], sold["description"]) for made, sold in pairs)
    flags = _mean(float(len(made["flags"])) for made, _ in pairs)
    return (by, which, shown, published, share(published, shown) if shown else None, _r(titles, 2), _r(texts, 2),
            _r(flags, 2), share(unknown, len(facts)) if facts else None,
            share(sum(kept), len(kept)) if kept else None)  # fmt: skip


def _facts_kept(pair: Pair) -> list[tuple[str, bool]]:
    """The facts that the model stated, and whether each was published with the same value."""
    made, sold = pair
    stated = {a["name"]: a["value"] for a in made["attributes"] if a.get("value") is not None}
    return [(name, sold["attributes"].get(name) == value) for name, value in stated.items()]


def _mean(values: Iterable[float]) -> float | None:
    numbers = list(values)
    return fmean(numbers) if numbers else None


def visitors(store: Store, feed: LiveFeed, most: int = 100) -> list[str]:
    """Visitors who came last, by name, latest first."""
    ids = feed.feed.visitors.ids(most)
    with store.read() as session:
        names = {row.id: row.key for row in session.scalars(select(NumberRow).where(NumberRow.id.in_(ids)))}
    return [names[i] for i in ids if i in names]


def minutes(value: float) -> str:
    """Minutes for people; hours from two on."""
    return f"{value:.0f} min" if value < 120 else f"{value / 60:.1f} h"


def _waited(published: datetime, first: datetime | None) -> float | None:
    return None if first is None else round((milliseconds(first) - milliseconds(published)) / 60_000, 1)
