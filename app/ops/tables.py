"""The tables of the operator's page. Figures and intervals are those of ``numbers``; nothing is estimated here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein
from sqlalchemy import select

from app.feed.live_feed import LiveFeed
from app.feed.model_selection import METHODS, Method, last_measurement
from app.market.messages import Messages
from app.market.promotions import Calendar, day_of
from app.market.reviews import Reviews
from app.ops.impressions import Impressions, Window
from app.ops.intervals import share
from app.ops.numbers import TARGET_HOURS, Figures, NewListing, click_rate, quality
from app.ops.table import Cell, Table
from app.ops.table import rounded as _r
from app.ops.verdicts import WORDS, Report
from app.store.db import Store
from app.store.tables import EventRow, ListingRow
from recommend.cascade.registry import PROMOTION, ROLES
from recommend.cascade.scoring import SIMPLE
from recommend.metrics.calibration import ece
from recommend.metrics.ranks import gauc

Pair = tuple[dict[str, Any], dict[str, Any]]
"""What the model wrote, and what was published."""
Assisted = tuple[list[tuple[str, str | None, datetime]], list[tuple[str, datetime, Pair]]]
"""See ``assisted``."""
COMMAND = "a server measures it once a day, './ipl recommend phenomena' at once"


def watched(report: Report) -> Table:
    """Every figure: what it is, its limit, and how it stands to it."""
    rows: list[tuple[Cell, ...]] = [
        (f.measure.name, f.measure.words, f.rule.limit(f.measure.unit), WORDS[f.state][1], f.rule.measure)
        for f in report.findings
    ]
    rows += [(m.name, m.words, "", "", m.key) for m in report.unwatched]
    note = (
        "In brackets: the 95 % interval. Good: all of it within the limit; act: all of it outside; else not known yet."
    )
    return Table(("what", "now", "limit", "reads", "name"), tuple(rows), note)


def new_listings(figures: Figures) -> Table:
    """Listings of the window: when they were first seen, and who waits."""
    rows = [
        (x.title, x.category, x.seller, f"{x.published_at:%Y-%m-%d %H:%M}", _r(x.aged, 1),
         _r(x.waited, 2), x.impressions, x.clicks, "waits too long" if x.starved else x.status)
        for x in figures.arrived
    ]  # fmt: skip
    headers = (
        "listing",
        "category",
        "seller",
        "published (UTC)",
        "age h",
        "h to first seen",
        "seen",
        "clicks",
        "state",
    )
    note = f"Waits too long: on sale and unseen for over {TARGET_HOURS:.0f} hours."
    return Table(headers, tuple(rows), note, tuple(f"/ops/listing/{x.id}" for x in figures.arrived))


def first_impressions(figures: Figures) -> Table:
    """By category and by seller: how many of those whose time is over were seen within it."""
    due = figures.due
    rows: list[tuple[Cell, ...]] = [("all", "", *_in_time(due))] if due else []
    for by, key in (("category", _category), ("seller", _seller)):
        groups: dict[str, list[NewListing]] = defaultdict(list)
        for x in due:
            groups[key(x)].append(x)
        rows += [(by, name, *_in_time(of)) for name, of in sorted(groups.items(), key=lambda g: (-len(g[1]), g[0]))]
    note = f"Of listings that are older than {TARGET_HOURS:.0f} hours; the target is to be seen within them."
    return Table(("by", "which", "listings", "seen in time", "unseen"), tuple(rows), note)


def _category(x: NewListing) -> str:
    return x.category


def _seller(x: NewListing) -> str:
    return x.seller


def _in_time(of: Sequence[NewListing]) -> tuple[Cell, ...]:
    return (len(of), share(sum(x.in_time for x in of), len(of)), sum(x.waited is None for x in of))


def model_health(figures: Figures) -> Table:
    """The window's figures first (those of the cards), then by stock, then by day and by what ranked."""
    judged, impressions = figures.judged, figures.impressions
    rows: list[tuple[Cell, ...]] = []
    for stock, which in (("all", np.ones(len(judged), bool)), ("single", judged.single), ("many", ~judged.single)):
        if which.any():
            rows.append(_health("all", figures.ranking, stock, judged.where(which)))
    for day in sorted(set(impressions.day.tolist()), reverse=True):
        for model in sorted(set(impressions.model[impressions.day == day].tolist())):
            of = impressions.where(impressions.day == day).ranked_by(model)
            if len(of):
                rows.append(_health(day, model, "all", of))
    headers = ("day", "ranked by", "stock", "impressions", "clicks", "click rate", "AUC", "predicted over observed",
               "GAUC", "ECE", "mean predicted")  # fmt: skip
    note = "Of what was seen, ads aside. Intervals count a visitor's rows as one. Predicted over observed: 1 is true."
    return Table(headers, tuple(rows), note)


def _health(day: str, model: str, stock: str, of: Impressions) -> tuple[Cell, ...]:
    order, level = quality(of, "")
    y, p, clicks = of.click, of.pctr, int(of.click.sum())
    return (day, model, stock, len(of), clicks, click_rate(y, of.visitor).words, order.words, level.words,
            _r(gauc(y, p, of.visitor), 3), _r(ece(y, p, 10), 4), _r(float(p.mean()), 4))  # fmt: skip


def models(feed: LiveFeed) -> Table:
    """What serves, by role."""
    rows = tuple((r["role"].replace("_", "-"), r["serves"], r["wanted"]) for r in feed.models.state())
    return Table(("role", "serves", "meant to serve"), rows)


def phenomena(home: Path) -> Table:
    """A row a method, as last measured."""
    headers = ("method", "what it says", "number", "low", "high", "can pay", "verdict")
    return Table(headers, tuple(_phenomenon(f) for f in last_measurement(home).get("found", ())), _as_of(home))


def paper_models(feed: LiveFeed, home: Path) -> Table:
    """A row a paper's model: whether it serves, what serves in its place, and why."""
    decided, rows = feed.model_selection.decisions(), []
    for name, method in METHODS.items():
        for role in _roles(feed, method) or [""]:
            now, because = _service(feed, method, role, decided[name].state), decided[name].because
            rows.append((method.label, (role or method.role).replace("_", "-"), now, because))
    note = f"What could not be measured switches nothing off; IPL_FEED_ALWAYS overrules. {_as_of(home)}"
    return Table(("model", "stage", "now", "because"), tuple(rows), note)


def _roles(feed: LiveFeed, method: Method) -> list[str]:
    """Where a model of the method is meant to serve."""
    registry = feed.registry
    of = {role: registry.manifest(role, registry.current(role)).get("model") for role in (*ROLES, PROMOTION)}
    return [role for role, model in of.items() if model in method.models]


def _service(feed: LiveFeed, method: Method, role: str, state: str) -> str:
    if state == "idle" and (role or method.role == PROMOTION):  # a promotion's copy is made for the day
        other = feed.models.get("conversion" if role == PROMOTION else role)
        return f"idle; {other.name if other else SIMPLE} serves" if role else "idle"
    serves = feed.models.copy(feed.moment()) if role == PROMOTION else feed.models.get(role)
    if serves is None or serves.manifest["model"] not in method.models:
        return "does not serve" if role else "not installed"
    return "serves" if state == "serves" else f"serves, {state}"


def _as_of(home: Path) -> str:
    """When the log was measured, how long ago, and on how much."""
    last = last_measurement(home)
    if not last:
        return f"The feed's own log has not been measured; {COMMAND}."
    at = datetime.fromisoformat(last["as_of"])
    hours = int((datetime.now(UTC) - at).total_seconds() // 3600)
    ago = f"{hours} h" if hours < 48 else f"{hours // 24} days"
    return (f"As of {at:%Y-%m-%d %H:%M} UTC, {ago} ago, over {last['impressions']:,} impressions of {last['days']} "
            f"days, with 95 % intervals; {COMMAND}.")  # fmt: skip


def _phenomenon(row: dict[str, Any]) -> tuple[Cell, ...]:
    e = row["estimate"]
    numbers = [_r(e[name], 3) for name in ("value", "low", "high")] if e else [None] * 3
    pays = f"{'from' if row['above'] else 'up to'} {row['edge']:g}"
    return (row["method"], row["sentence"], *numbers, pays, row["verdict"])


def model_events(feed: LiveFeed) -> Table:
    """What happened to the models, newest first."""
    rows = tuple(
        (
            f"{datetime.fromtimestamp(e['at'], UTC):%Y-%m-%d %H:%M}",
            e["what"],
            e["role"].replace("_", "-"),
            e["version"],
            e["why"],
        )
        for e in feed.registry.events(50)
    )
    return Table(("when (UTC)", "what", "role", "version", "why"), rows)


def review_queue(reviews: Reviews) -> Table:
    """Listings that wait for a person, the longest waiting first."""
    waiting = reviews.waiting()
    out = [
        (w.title, w.name, ", ".join(w.words), w.photos, w.seller_id, f"{w.at:%Y-%m-%d %H:%M}", w.listing_id)
        for w in waiting
    ]
    headers = ("title", "may be", "words that weighed most", "photos", "seller", "since (UTC)", "listing")
    links = tuple(f"/ops/reviews?listing={w.listing_id}" for w in waiting)
    return Table(headers, tuple(out), "Nobody but its seller sees a listing of the queue.", links)


def reports(messages: Messages) -> Table:
    """What visitors reported, the oldest first."""
    reported = messages.reports()
    out = [(m.title, m.text, f"{m.at:%Y-%m-%d %H:%M}", m.listing_id) for m in reported]
    note = "A report changes nothing by itself. It goes when the listing is approved or refused."
    links = tuple(f"/ops/reviews?listing={m.listing_id}" for m in reported)
    return Table(("title", "report", "since (UTC)", "listing"), tuple(out), note, links)


def promotions(feed: LiveFeed, calendar: Calendar) -> Table:
    """The calendar, the latest first, and what scores conversions on a promotion's days."""
    registry, moment = feed.registry, feed.moment()
    version = registry.current(PROMOTION)
    facts = registry.manifest(PROMOTION, version) if version else {}
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
            scores = f"copy {version}" if facts.get("promotion") == p.id else "no copy yet"
        out.append((p.id, p.name, str(p.first_day), str(p.last_day), state, scores))
    headers = ("number", "name", "first day", "last day", "state", "conversions scored by")
    return Table(headers, tuple(out), "Whole days, in UTC. './ipl recommend promote' makes the copy for a day.")


def assistant(assisted_: Assisted) -> Table:
    """Drafts of the window and what sellers made of them, by day and by category."""
    events, pairs = assisted_
    days: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    taps: dict[str, int] = defaultdict(int)
    for kind, draft, at in events:
        day = at.date().isoformat()
        days[day][kind].add(draft or "")
        taps[day] += kind == "edited"
    by_day: dict[str, list[Pair]] = defaultdict(list)
    by_category: dict[str, list[Pair]] = defaultdict(list)
    for category, at, pair in pairs:
        by_day[at.date().isoformat()].append(pair)
        by_category[category].append(pair)
    out: list[tuple[Cell, ...]] = []
    for day in sorted(days.keys() | by_day.keys(), reverse=True):
        drafts, published = len(days[day]["shown"]), len(days[day]["published"])
        edits = _r(taps[day] / drafts, 1) if drafts else None
        out.append(("day", day, drafts, published, share(published, drafts), edits, *_unchanged(by_day[day])))
    out += [("category", c, None, len(of), None, None, *_unchanged(of)) for c, of in sorted(by_category.items())]
    headers = ("by", "which", "drafts", "published", "adopted", "changes a draft", "title kept", "text edit distance",
               "facts kept")  # fmt: skip
    return Table(headers, tuple(out), "Adopted: drafts that were published. Kept: published as the model wrote it.")


def wrong_words(assisted_: Assisted) -> Table:
    """By fact: how often what the model stated was kept, changed or left out, and what sellers had to fill in."""
    _, pairs = assisted_
    outcomes: dict[str, list[str]] = defaultdict(list)
    wrong: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for _, _, (draft, sold) in pairs:
        stated = {a["name"]: a.get("value") for a in draft["attributes"]}
        for name in stated.keys() | sold["attributes"].keys():
            was, became = stated.get(name), sold["attributes"].get(name)
            if was is None and became is None:
                continue
            what = (
                "filled in" if was is None else "kept" if was == became else "left out" if became is None else "changed"
            )
            outcomes[name].append(what)
            if what == "changed":
                wrong[name][f"{was} → {became}"] += 1
    rows: list[tuple[Cell, ...]] = []
    for name, of in outcomes.items():
        stated_n = len(of) - of.count("filled in")
        most = max(wrong[name].items(), key=lambda kv: (kv[1], kv[0]), default=("", 0))[0]
        rows.append((name.replace("_", " "), stated_n, share(of.count("kept"), stated_n), of.count("changed"),
                     of.count("left out"), of.count("filled in"), most))  # fmt: skip
    rows.sort(key=lambda r: -int(r[3] or 0) - int(r[4] or 0))
    headers = ("fact", "stated", "kept", "changed", "left out", "filled in by sellers", "changed most often")
    return Table(headers, tuple(rows), "Stated by the model, and what was published; the most often wrong first.")


def assisted(store: Store, over: Window) -> Assisted:
    """Assistant events of a window, and its listings as (category, moment, what was written and published)."""
    with store.read() as session:
        query = select(EventRow.kind, EventRow.draft_id, EventRow.at).where(
            EventRow.at >= over.since, EventRow.draft_id.is_not(None)
        )
        events = [(str(kind), draft, at) for kind, draft, at in session.execute(query)]
        columns = (ListingRow.category, ListingRow.created_at, ListingRow.generated, ListingRow.published)
        listings = select(*columns).where(
            ListingRow.generated.is_not(None), ListingRow.published.is_not(None), ListingRow.created_at >= over.since
        )
        pairs = [(category, at, (draft or {}, sold or {})) for category, at, draft, sold in session.execute(listings)]
    return events, pairs


def _unchanged(pairs: Sequence[Pair]) -> tuple[Cell, ...]:
    unchanged = [sold["attributes"].get(a["name"]) == a["value"] for draft, sold in pairs
            for a in draft["attributes"] if a.get("value") is not None]  # fmt: skip
    titles = _mean(float(draft["title"] == sold["title"]) for draft, sold in pairs)
    texts = _mean(Levenshtein.normalized_distance(draft["description"], sold["description"]) for draft, sold in pairs)
    return (_r(titles, 2), _r(texts, 2), share(sum(unchanged), len(unchanged)) if unchanged else None)


def _mean(values: Iterable[float]) -> float | None:
    numbers = list(values)
    return fmean(numbers) if numbers else None
