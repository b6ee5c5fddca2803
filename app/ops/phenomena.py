"""What the feed's own log says of the papers' methods, and which of their models serve for it: read, never measured."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.feed.live_feed import LiveFeed
from app.feed.model_selection import METHODS, Method, last_measurement
from app.ops.table import Cell, Table, rounded
from recommend.cascade.registry import PROMOTION, ROLES
from recommend.cascade.scoring import SIMPLE

COMMAND = "a server measures it once a day, './ipl recommend phenomena' at once"


def phenomena(home: Path) -> Table:
    """A row a method, as last measured."""
    headers = ("method", "what it says", "number", "low", "high", "can pay", "verdict")
    return Table(headers, tuple(_row(f) for f in last_measurement(home).get("found", ())), _as_of(home))


def gate(feed: LiveFeed, home: Path) -> Table:
    """A row a paper's model: whether it serves, what serves in its place, and why."""
    decided, rows = feed.model_selection.decisions(), []
    for name, method in METHODS.items():
        for role in _roles(feed, method) or [""]:
            now, because = _now(feed, method, role, decided[name].state), decided[name].because
            rows.append((method.label, (role or method.role).replace("_", "-"), now, because))
    note = f"What could not be measured switches nothing off; IPL_FEED_ALWAYS overrules. {_as_of(home)}"
    return Table(("model", "stage", "now", "because"), tuple(rows), note)


def _roles(feed: LiveFeed, method: Method) -> list[str]:
    """Where a model of the method is meant to serve."""
    registry = feed.registry
    of = {role: registry.manifest(role, registry.current(role)).get("model") for role in (*ROLES, PROMOTION)}
    return [role for role, model in of.items() if model in method.models]


def _now(feed: LiveFeed, method: Method, role: str, state: str) -> str:
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


def _row(found: dict[str, Any]) -> tuple[Cell, ...]:
    e = found["estimate"]
    numbers = [rounded(e[name], 3) for name in ("value", "low", "high")] if e else [None] * 3
    pays = f"{'from' if found['above'] else 'up to'} {found['edge']:g}"
    return (found["method"], found["sentence"], *numbers, pays, found["verdict"])
