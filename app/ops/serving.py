"""What serves in each stage, and why: read from the models that score, so that page, tables and metrics agree."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from app.feed.live_feed import LiveFeed
from app.feed.model_selection import METHODS, last_measurement
from app.market.promotions import Calendar, day_of
from app.ops.numbers import CALENDAR_DAY
from app.ops.table import Table
from recommend.cascade.registry import PROMOTION, ROLES

COMMAND = "a server measures it once a day, './ipl recommend phenomena' at once"


class Stage(NamedTuple):
    """A stage and what scores in it. ``because``: why that is, or is not, the version that is meant to."""

    role: str
    serves: str
    installed: str
    learned: str
    meant: str
    because: str


def serving(feed: LiveFeed) -> tuple[Stage, ...]:
    """Every stage, in their order, then the copy for a promotion's days."""
    moment = feed.moment()
    of = {role: (feed.models.get(role), feed.models.serving(role, moment)) for role in ROLES}
    copy = feed.models.copy(moment)
    of[PROMOTION] = copy, copy.name if copy is not None else "none"
    stages = []
    for role, (loaded, name) in of.items():
        current, facts = feed.registry.current(role), loaded.manifest if loaded is not None else {}
        day = int(facts.get("train_days", (0, 0))[1])
        learned = str(day_of(day)) if day >= CALENDAR_DAY else "a simulated log" if facts else "-"
        installed = f"{datetime.fromtimestamp(facts['installed'], UTC):%Y-%m-%d %H:%M}" if "installed" in facts else "-"
        because = _because(feed, role, current, loaded is not None and loaded.version == current)
        stages.append(Stage(role.replace("_", "-"), name, installed, learned, current or "-", because))
    return tuple(stages)


def _because(feed: LiveFeed, role: str, current: str, serves: bool) -> str:
    """Of a paper's model what the log says of its method; of others why they do not serve."""
    if not current:
        return "none installed"
    model = feed.registry.manifest(role, current).get("model")
    for name, decision in feed.model_selection.decisions().items():
        if model in METHODS[name].models:
            return f"{METHODS[name].label} {decision.state}: {decision.because}"
    return "" if serves or role == PROMOTION else "the current one failed its check"


def models(feed: LiveFeed, home: Path) -> Table:
    """What serves, by stage."""
    headers = ("stage", "serves", "installed (UTC)", "learned up to", "meant to serve", "why")
    note = (
        "Without a model popularity chooses, orders do not count, and the ranking model scores ads. A paper's model "
        f"that could not be measured serves; IPL_FEED_ALWAYS overrules. {_as_of(home)}"
    )
    return Table(headers, serving(feed), note)


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


def model_events(feed: LiveFeed) -> Table:
    """What happened to the models, newest first."""
    rows = tuple(
        (f"{datetime.fromtimestamp(e['at'], UTC):%Y-%m-%d %H:%M}", e["what"], e["role"].replace("_", "-"),
         e["version"], e["why"])
        for e in feed.registry.events(50)
    )  # fmt: skip
    return Table(("when (UTC)", "what", "role", "version", "why"), rows)


def promotions(feed: LiveFeed, calendar: Calendar) -> Table:
    """The calendar, the latest first, and what scores conversions on a promotion's days."""
    moment, version = feed.moment(), feed.registry.current(PROMOTION)
    copied = feed.registry.manifest(PROMOTION, version).get("promotion") if version else None
    day, rows = day_of(moment.day), []
    for p in reversed(calendar.promotions):
        state, scores = p.state(day), "-"
        if state == "on":
            by = feed.models.serving("conversion", moment)
            scores = by if feed.models.copy(moment) is not None else f"no copy: {by}"
        elif state == "to come":
            scores = f"copy {version}" if copied == p.id else "no copy yet"
        rows.append((p.id, p.name, str(p.first_day), str(p.last_day), state, scores))
    headers = ("number", "name", "first day", "last day", "state", "conversions scored by")
    return Table(headers, tuple(rows), "Whole days, in UTC. './ipl recommend promote' makes the copy for a day.")
