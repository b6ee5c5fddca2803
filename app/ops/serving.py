"""What serves in each stage: read from the models that score, so that page, tables and metrics agree."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from app.feed.live_feed import LiveFeed
from app.feed.phenomena import last_measurement
from app.market.promotions import day_of
from app.ops.figures import CALENDAR_DAY, Figures
from app.ops.tables import Table
from listing.errors import PROGRAM
from recommend.cascade.routes import ROLES


class Stage(NamedTuple):
    """A model of a stage, or the simpler way, and its share of the visitors."""

    role: str
    serves: str
    share: float
    installed: str
    learned: str


def serving(feed: LiveFeed) -> tuple[Stage, ...]:
    """Every stage, in their order."""
    stages = []
    for role in ROLES:
        name, entries = role.replace("_", "-"), feed.models.serving(role)
        for loaded, share in ((entry.loaded, entry.share) for entry in entries):
            first, last = loaded.manifest.get("train_days", (0, 0))
            learned = f"{day_of(first)} to {day_of(last)}" if first >= CALENDAR_DAY else "a simulated log"
            installed = datetime.fromtimestamp(loaded.manifest.get("installed", 0), UTC)
            stages.append(Stage(name, loaded.name, share, f"{installed:%Y-%m-%d %H:%M}", learned))
        if not entries:
            stages.append(Stage(name, feed.models.simpler(role), 1.0, "-", "-"))
    return tuple(stages)


def since(feed: LiveFeed) -> str:
    """What ranks for most visitors, and since when, as the end of a sentence."""
    stage = max((s for s in serving(feed) if s.role == "ranking"), key=lambda s: s.share)
    if stage.installed == "-":
        return f"{stage.serves} ranks"
    at = datetime.fromisoformat(stage.installed)
    return f"{stage.serves} serves since {at:%A} {at.day} {at:%B, %H:%M} UTC"


def models(figures: Figures) -> Table:
    """What serves, by stage, and the clicks of what each ranking model, and each model on trial, showed."""
    rows = []
    for stage in serving(figures.feed):
        clicks = figures.clicks(stage.role.replace("-", "_"), stage.serves)
        words = clicks.words if clicks is not None else None
        rows.append((*stage[:2], f"{100 * stage.share:g} %", *stage[3:], words))
    headers = ("stage", "serves", "share", "installed (UTC)", "learned from", "clicks of what it showed")
    note = (
        "Without a model popularity chooses, orders do not count, and the ranking model scores ads. "
        f"“{PROGRAM} recommend promote STAGE VERSION” gives a version all visitors, "
        f"“{PROGRAM} recommend rollback STAGE” takes this stage alone back to the version before."
    )
    return Table(headers, tuple(rows), note)


def model_events(feed: LiveFeed) -> Table:
    """What happened to the models, newest first."""
    rows = tuple(
        (f"{datetime.fromtimestamp(e['at'], UTC):%Y-%m-%d %H:%M}", e["what"], e["role"].replace("_", "-"),
         e["version"], e["why"])
        for e in feed.registry.events(50)
    )  # fmt: skip
    return Table(("when (UTC)", "what", "role", "version", "why"), rows)


def phenomena(home: Path) -> tuple[str, tuple[str, ...]]:
    """When the log was measured last and on how much, and a sentence a method; empty where it was not."""
    last = last_measurement(home)
    if not last:
        return "", ()
    at, found = last["as_of"].partition("+")[0].replace("T", " "), last["found"]
    as_of = f"as of {at} UTC, over {last['impressions']:,} impressions of {last['days']} days"
    return as_of, tuple(f"{row['method']}: {row['sentence']}" for row in found)
