"""The numbers of the operator's page: from the store and the live feed, as tables; no page and no picture here."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats
from sqlalchemy import select

from app.feed.items import milliseconds
from app.market.promotions import day_of
from app.ops import adoption
from app.ops.drift import drift_by_feature, index
from app.ops.table import Cell, Table
from app.ops.table import rounded as _r
from app.services import Services
from app.store.db import Store
from app.store.tables import EventRow, FeedEventRow, FeedPageRow, FeedRow, ListingRow, NumberRow, OrderRow, now
from recommend.cascade.page import Shown, Slate
from recommend.cascade.posts import ShownPost
from recommend.cascade.registry import PROMOTION
from recommend.metrics.calibration import ece, pcoc
from recommend.metrics.ranks import auc, gauc

DAYS = 14
YOUNG_H = 48.0  # a listing is new for that long
STARVED_H = 6.0  # a new listing without an impression after that long is starved
HIGH, LOW = 1.25, 0.8  # PCOC outside of which a model is off
MOST_COMPARED = 10_000  # rows of pages in which pre-ranking is compared with ranking
ENOUGH_CLICKS = 30  # below them PCOC says nothing
RESULTS = Path(__file__).resolve().parents[2] / "recommend" / "experiments" / "results"


@dataclass(frozen=True)
class Answer:
    """One of the three questions of the first screen. ``state``: good, look, bad, unknown."""

    question: str
    state: str
    says: str
    detail: str


@dataclass(frozen=True)
class Impressions:
    """Seen rows of the last days, as arrays."""

    day: np.ndarray  # ISO dates
    visitor: np.ndarray
    listing: np.ndarray
    single: np.ndarray
    pctr: np.ndarray
    click: np.ndarray
    order: np.ndarray
    reason: np.ndarray
    pre_rank: np.ndarray
    rank: np.ndarray
    page: np.ndarray

    def __len__(self) -> int:
        return len(self.day)


def impressions(store: Store, days: int = DAYS) -> Impressions:
    """What was seen in the last days, and what came of it."""
    since = now() - timedelta(days=days)
    with store.read() as session:
        # Columns, not objects: the known side of a row is long, and only its stock type is needed.
        query = (
            select(
                FeedRow.id, FeedRow.listing_id, FeedRow.reason, FeedRow.scores, FeedRow.page_id, FeedPageRow.at,
                FeedPageRow.visitor, FeedRow.known["single"].as_boolean(),
            )
            .join(FeedPageRow, FeedPageRow.id == FeedRow.page_id)
            .where(FeedPageRow.at >= since, FeedRow.seen_at.is_not(None))
            .order_by(FeedRow.id)
        )  # fmt: skip
        rows = session.execute(query).all()
        clicked = set(session.scalars(select(FeedEventRow.row_id).where(FeedEventRow.kind == "click")))
        ordered = set(session.scalars(select(OrderRow.row_id).where(OrderRow.row_id.is_not(None))))
    number, listing, reason, scores, page, at, visitor, single = zip(*rows, strict=True) if rows else ((),) * 8
    return Impressions(
        day=np.array([t.date().isoformat() for t in at], dtype=str),
        visitor=np.array(visitor, dtype=np.int64),
        listing=np.array(listing, dtype=str),
        single=np.array(single, dtype=bool),
        pctr=np.array([float(s["pctr"]) for s in scores], dtype=np.float64),
        click=np.array([n in clicked or n in ordered for n in number], dtype=bool),
        order=np.array([n in ordered for n in number], dtype=bool),
        reason=np.array(reason, dtype=str),
        pre_rank=np.array([int(s["pre_rank"]) for s in scores], dtype=np.int64),
        rank=np.array([int(s["rank"]) for s in scores], dtype=np.int64),
        page=np.array(page, dtype=str),
    )


def wilson(hits: int, of: int, level: float = 0.95) -> tuple[float, float]:
    """Interval of a share; (0, 1) when nothing was observed."""
    if not of:
        return 0.0, 1.0
    found = stats.binomtest(int(hits), int(of)).proportion_ci(level, method="wilson")
    return float(found.low), float(found.high)


def share(hits: int, of: int) -> str:
    """A share with its interval, for people."""
    if not of:
        return "-"
    low, high = wilson(hits, of)
    return f"{100 * hits / of:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def answers(services: Services) -> list[Answer]:
    """Is the feed healthy? Are new one-of-a-kind things getting their chance? Which model is off?"""
    seen = impressions(services.store, 2)
    return [_healthy(services, seen), _chance(new_listings(services)), _model_off(services)]


def _healthy(services: Services, seen: Impressions) -> Answer:
    question = "Is the feed healthy?"
    state = services.feed.models.state()
    simple = [row["role"].replace("_", "-") for row in state if "no model" in row["serves"]]
    today = now().date().isoformat()
    of_today, before = seen.day == today, seen.day != today
    rate = share(int(seen.click[of_today].sum()), int(of_today.sum()))
    earlier = share(int(seen.click[before].sum()), int(before.sum()))
    slow = services.feed.p99_ms()
    live = len(services.feed.feed.catalog)
    detail = f"{live} listings live; clicks today {rate}, yesterday {earlier}; p99 of the last pages {_ms(slow)}"
    if not live:
        return Answer(question, "unknown", "Nothing is on sale yet.", detail)
    if slow is not None and slow > 150:
        return Answer(question, "bad", f"Pages are slow: p99 {_ms(slow)} (limit 150 ms).", detail)
    lacks = [f"without a model for {', '.join(simple)}"] if simple else []
    here = services.promotions.calendar().on(services.feed.moment().day)
    if here is not None and services.feed.models.copy(services.feed.moment()) is None:
        lacks.append(f"without a copy of the conversion model for “{here.name}”")
    if lacks:
        return Answer(question, "look", f"It runs, {' and '.join(lacks)}.", detail)
    return Answer(question, "good", "Yes: every stage has its model.", detail)


def _chance(new: Table) -> Answer:
    question = "Do new one-of-a-kind listings get their chance?"
    if not new.rows:
        return Answer(question, "unknown", "Nothing new in the last two days.", "")
    shown = [row for row in new.rows if row[3]]
    starved = [row for row in new.rows if row[6] == "starved"]
    waited = sorted(float(row[4]) for row in shown if row[4] is not None)
    median = f"median {minutes(waited[len(waited) // 2])} to the first impression; " if waited else ""
    detail = f"{median}{share(len(shown), len(new.rows))} of {len(new.rows)} shown at all"
    if len(starved) > 0.1 * len(new.rows):
        return Answer(question, "bad", f"{len(starved)} are starved: unseen for over {STARVED_H:.0f} hours.", detail)
    if starved:
        return Answer(question, "look", f"Mostly; {len(starved)} unseen for over {STARVED_H:.0f} hours.", detail)
    return Answer(question, "good", "Yes: none waits unseen.", detail)


def _model_off(services: Services) -> Answer:
    question = "Which model is off?"
    rolled = [e for e in services.feed.registry.events(20) if e["what"] in ("failed", "rolled back")]
    recent = [e for e in rolled if e["at"] > (now() - timedelta(days=2)).timestamp()]
    if recent:
        e = recent[0]
        why = e["why"] or "its health check failed"
        return Answer(
            question, "bad", f"{e['role']} {e['version']}: {e['what']} ({why}).", f"{len(recent)} in two days"
        )
    seen = impressions(services.store, 2)
    clicks = int(seen.click.sum())
    if clicks < ENOUGH_CLICKS:
        return Answer(question, "unknown", "Too few clicks to tell.", f"{clicks} clicks in two days")
    found = pcoc(seen.click, seen.pctr)
    low, high = wilson(clicks, len(seen))
    mean = float(seen.pctr.mean())
    detail = f"predicted {100 * mean:.1f} %, observed {share(clicks, len(seen))}; PCOC {found:.2f}"
    if not LOW <= found <= HIGH and not low <= mean <= high:
        return Answer(question, "bad", f"Ranking is miscalibrated: PCOC {found:.2f}.", detail)
    return Answer(question, "good", "None: predictions agree with clicks.", detail)


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


def new_listings(services: Services) -> Table:
    """Listings of the last two days: when they were first seen and clicked, and who is starved."""
    since = now() - timedelta(hours=YOUNG_H)
    with services.store.read() as session:
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
        state = x.status if x.status != "active" else ("starved" if first is None and age > STARVED_H else "live")
        out.append((x.title, x.category, round(age, 1), len(seen[x.id]), _waited(x.published_at, first),
                    _waited(x.published_at, first_click), state, len(clicks[x.id])))  # fmt: skip
    headers = ("listing", "category", "age h", "impressions", "min to impression", "min to click", "state", "clicks")
    return Table(headers, tuple(out), f"Starved: unseen {STARVED_H:.0f} hours after publishing.")


def model_health(services: Services, seen: Impressions | None = None) -> Table:
    """By day and kind of stock: how well the served pCTR ranked and how true it was."""
    seen = impressions(services.store) if seen is None else seen
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


def agreement(services: Services, seen: Impressions | None = None) -> tuple[float | None, int]:
    """(Spearman correlation of pre-rank and rank within pages, pages that had enough rows)."""
    seen = impressions(services.store) if seen is None else seen
    found = []
    ranked = np.flatnonzero(seen.reason == "ranked")
    ranked = ranked[np.argsort(seen.page[ranked], kind="stable")][-MOST_COMPARED:]
    _, starts = np.unique(seen.page[ranked], return_index=True)
    for at in np.split(ranked, starts[1:]):
        if len(at) >= 5 and len(np.unique(seen.pre_rank[at])) > 1:
            found.append(stats.spearmanr(seen.pre_rank[at], seen.rank[at]).statistic)
    return (float(np.mean(found)), len(found)) if found else (None, 0)


def drift(services: Services, seen: Impressions | None = None) -> Table:
    """Population stability of the served pCTR, each day against the day before."""
    seen = impressions(services.store) if seen is None else seen
    days = sorted(set(seen.day.tolist()))
    out = []
    for before, day in pairwise(days):
        a, b = seen.pctr[seen.day == before], seen.pctr[seen.day == day]
        psi = stability(a, b)
        out.append((day, len(b), _r(float(b.mean()), 4), _r(psi, 3), "moved" if psi > 0.2 else "steady"))
    headers = ("day", "impressions", "mean pCTR", "PSI", "reads")
    return Table(headers, tuple(reversed(out)), "PSI above 0.2: the predictions moved.")


def stability(before: np.ndarray, after: np.ndarray, bins: int = 10) -> float:
    """Population stability index over the deciles of ``before``; 0 for equal distributions."""
    edges = np.unique(np.quantile(before, np.linspace(0, 1, bins + 1)[1:-1]))
    a, b = (np.bincount(np.searchsorted(edges, x, side="right"), minlength=len(edges) + 1) for x in (before, after))
    return index(a, b)


def models(services: Services) -> Table:
    """What serves, by role."""
    rows = tuple((r["role"], r["serves"], r["wanted"]) for r in services.feed.models.state())
    return Table(("role", "serves", "meant to serve"), rows)


def promotions(services: Services) -> Table:
    """The calendar, the latest first, and what scores conversions on a promotion's days."""
    registry, moment = services.feed.registry, services.feed.moment()
    wanted = registry.current(PROMOTION)
    facts = registry.manifest(PROMOTION, wanted) if wanted else {}
    serving = services.feed.models.copy(moment)
    base = services.feed.models.get("conversion")
    otherwise = f"no copy: {base.name if base else 'no model'}"
    day, out = day_of(moment.day), []
    for p in reversed(services.promotions.calendar().promotions):
        state = p.state(day)
        scores = "-"
        if state == "on":
            scores = serving.name if serving is not None else otherwise
        elif state == "to come":
            scores = f"copy {wanted}" if facts.get("promotion") == p.id else "no copy yet"
        out.append((p.id, p.name, str(p.first_day), str(p.last_day), state, scores))
    headers = ("number", "name", "first day", "last day", "state", "conversions scored by")
    return Table(headers, tuple(out), "Whole days, in UTC. './ipl recommend promote' makes the copy for a day.")


def model_events(services: Services) -> Table:
    """What happened to the models, newest first."""
    rows = tuple(
        (datetime.fromtimestamp(e["at"]).isoformat(" ", "minutes"), e["what"], e["role"], e["version"], e["why"])
        for e in services.feed.registry.events(50)
    )
    return Table(("when", "what", "role", "version", "why"), rows)


def assistant(services: Services) -> Table:
    """Drafts and what sellers made of them, by day and category."""
    with services.store.read() as session:
        events = session.execute(select(EventRow.kind, EventRow.draft_id, EventRow.at)).all()
        query = select(ListingRow).where(ListingRow.generated.is_not(None), ListingRow.published.is_not(None))
        listings = list(session.scalars(query))
    days: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for kind, draft, at in events:
        if draft is not None:
            days[at.date().isoformat()][kind].add(draft)
    by_day: dict[str, list[ListingRow]] = defaultdict(list)
    by_category: dict[str, list[ListingRow]] = defaultdict(list)
    for x in listings:
        by_day[x.created_at.date().isoformat()].append(x)
        by_category[x.category].append(x)
    out = [_assisted("day", day, len(days[day]["shown"]), len(days[day]["published"]), by_day[day])
           for day in sorted(days.keys() | by_day.keys(), reverse=True)[:DAYS]]  # fmt: skip
    out += [_assisted("category", c, None, len(rows), rows) for c, rows in sorted(by_category.items())]
    headers = ("by", "which", "drafts", "published", "adopted", "title kept", "text edit distance", "flags a draft",
               "unknown facts")  # fmt: skip
    return Table(headers, tuple(out), "Adopted: drafts that were published. Kept: titles published as written.")


def _assisted(by: str, which: str, shown: int | None, published: int, rows: Sequence[ListingRow]) -> tuple[Cell, ...]:
    pairs = [(x.generated, x.published) for x in rows if x.generated and x.published]
    titles = adoption.compare_texts([(g["title"], p["title"]) for g, p in pairs])
    texts = adoption.compare_texts([(g["description"], p["description"]) for g, p in pairs])
    facts = [a for g, _ in pairs for a in g["attributes"]]
    unknown = sum(a["status"] == "unknown" for a in facts)
    flags = sum(len(g["flags"]) for g, _ in pairs) / len(pairs) if pairs else None
    adopted = share(published, shown) if shown else None
    return (by, which, shown, published, adopted, _r(titles.untouched, 2), _r(texts.edit_distance, 2), _r(flags, 2),
            share(unknown, len(facts)) if facts else None)  # fmt: skip


def experiments(services: Services) -> Table:
    """Verdicts of the papers' recipes, from the results that come with the code."""
    out: list[tuple[Cell, ...]] = []
    for file in sorted(RESULTS.glob("*.json")):
        try:
            found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            for kind in ("claims", "controls"):
                for c in found[kind]:
                    reach = f"{_signed(c['mean'])} [{_signed(c['low'])}, {_signed(c['high'])}]"
                    holds = "holds" if c["holds"] else "does not hold"
                    name = f"control: {c['name']}" if kind == "controls" else c["name"]
                    pair = f"{c['arm']} - {c['baseline']}"
                    out.append(
                        (found["recipe"], found["scale"], found["verdict"], name, holds, reach, c["metric"], pair)
                    )
        except (OSError, ValueError, KeyError):
            continue
    headers = ("recipe", "scale", "verdict", "claim", "reads", "mean [95 %]", "in", "difference")
    return Table(headers, tuple(out), "Above 0 is better; a control holds when its effect has vanished.")


def visitors(services: Services, most: int = 100) -> list[str]:
    """Visitors who came last, by name, latest first."""
    ids = services.feed.feed.visitors.ids(most)
    with services.store.read() as session:
        names = {row.id: row.key for row in session.scalars(select(NumberRow).where(NumberRow.id.in_(ids)))}
    return [names[i] for i in ids if i in names]


TABLES: dict[str, Callable[[Services], Table]] = {
    "new-listings": new_listings,
    "model-health": model_health,
    "drift": drift,
    "drift-by-feature": drift_by_feature,
    "models": models,
    "promotions": promotions,
    "model-events": model_events,
    "assistant": assistant,
    "experiments": experiments,
}


def _waited(published: datetime, first: datetime | None) -> float | None:
    return None if first is None else round((milliseconds(first) - milliseconds(published)) / 60_000, 1)


def minutes(value: float) -> str:
    """Minutes for people; hours from two on."""
    return f"{value:.0f} min" if value < 120 else f"{value / 60:.1f} h"


def _ms(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.0f} ms"


def _signed(value: float | None) -> str:
    return "?" if value is None else f"{value:+.4f}"
