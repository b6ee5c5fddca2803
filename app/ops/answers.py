"""The three questions of the operator's first screen, answered from the store and the live feed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from app.feed.live_feed import LiveFeed
from app.market.promotions import Promotions
from app.ops.impressions import Impressions, impressions, share, wilson
from app.ops.numbers import HIGH, LOW, STARVED_HOURS, minutes, new_listings
from app.ops.table import Table
from app.store.db import Store
from app.store.tables import now
from recommend.metrics.calibration import pcoc

MIN_CLICKS = 30  # below them PCOC says nothing


@dataclass(frozen=True)
class Answer:
    """One of the three questions of the first screen. ``state``: good, look, bad, unknown."""

    question: str
    state: str
    says: str
    detail: str


def answers(store: Store, feed: LiveFeed, promotions: Promotions) -> list[Answer]:
    """Is the feed healthy? Are new one-of-a-kind items getting their chance? Which model is off?"""
    seen = impressions(store, 2)
    return [_healthy(feed, promotions, seen), _chance(new_listings(store)), _model_off(feed, seen)]


def _healthy(live: LiveFeed, promotions: Promotions, seen: Impressions) -> Answer:
    question = "Is the feed healthy?"
    state = live.models.state()
    simple = [row["role"].replace("_", "-") for row in state if "no model" in row["serves"]]
    today = now().date().isoformat()
    of_today, before = seen.day == today, seen.day != today
    rate = share(int(seen.click[of_today].sum()), int(of_today.sum()))
    earlier = share(int(seen.click[before].sum()), int(before.sum()))
    slow = live.p99_ms()
    on_sale = len(live.feed.catalog)
    detail = f"{on_sale} listings live; clicks today {rate}, yesterday {earlier}; p99 of the last pages {_ms(slow)}"
    if not on_sale:
        return Answer(question, "unknown", "Nothing is on sale yet.", detail)
    if slow is not None and slow > 150:
        return Answer(question, "bad", f"Pages are slow: p99 {_ms(slow)} (limit 150 ms).", detail)
    lacks = [f"without a model for {', '.join(simple)}"] if simple else []
    here = promotions.calendar().on(live.moment().day)
    if here is not None and live.models.copy(live.moment()) is None:
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
        return Answer(
            question, "bad", f"{len(starved)} are starved: unseen for over {STARVED_HOURS:.0f} hours.", detail
        )
    if starved:
        return Answer(question, "look", f"Mostly; {len(starved)} unseen for over {STARVED_HOURS:.0f} hours.", detail)
    return Answer(question, "good", "Yes: none waits unseen.", detail)


def _model_off(live: LiveFeed, seen: Impressions) -> Answer:
    question = "Which model is off?"
    rolled = [e for e in live.registry.events(20) if e["what"] in ("failed", "rolled back")]
    recent = [e for e in rolled if e["at"] > (now() - timedelta(days=2)).timestamp()]
    if recent:
        e = recent[0]
        why = e["why"] or "its health check failed"
        return Answer(
            question, "bad", f"{e['role']} {e['version']}: {e['what']} ({why}).", f"{len(recent)} in two days"
        )
    clicks = int(seen.click.sum())
    if clicks < MIN_CLICKS:
        return Answer(question, "unknown", "Too few clicks to tell.", f"{clicks} clicks in two days")
    ratio = pcoc(seen.click, seen.pctr)
    low, high = wilson(clicks, len(seen))
    mean = float(seen.pctr.mean())
    detail = f"predicted {100 * mean:.1f} %, observed {share(clicks, len(seen))}; PCOC {ratio:.2f}"
    if not LOW <= ratio <= HIGH and not low <= mean <= high:
        return Answer(question, "bad", f"Ranking is miscalibrated: PCOC {ratio:.2f}.", detail)
    return Answer(question, "good", "None: predictions agree with clicks.", detail)


def _ms(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.0f} ms"
