"""A paper's model serves only where the store's own log holds what its method feeds on; measured once a day, aside.

No request measures anything: a process of its own writes ``FILE``, and the feed reads it when it looks for models.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import select

from app.feed.log import write_log
from app.settings import Settings, SettingsError
from app.store.db import Store, open_store
from app.store.files import replace_privately
from app.store.tables import FeedPageRow
from app.views import AppError
from listing.errors import did_you_mean
from recommend.cascade.registry import PROMOTION
from recommend.data.parquet import DataError

if TYPE_CHECKING:
    from recommend.phenomena.table import Finding

FILE = "phenomena.json"
LATEST = 10_000  # pages that a server measures: of long ago nothing is left, and a log is made in memory
FRESH = timedelta(days=1)
PLACE = re.compile(r"(?:exp\()?\{value[^}]*\}\)?")  # of the number in a phenomenon's sentence


@dataclass(frozen=True)
class Method:
    """A paper's method in the feed: ``role`` is its usual one, ``models`` are those that live by its phenomenon."""

    label: str
    role: str
    models: tuple[str, ...]


METHODS = {
    "copr": Method("COPR", "pre_ranking", ("copr",)),
    "msnet": Method("MSNet", "ranking", ("msnet",)),
    "keep": Method("KEEP", "ranking", ("keep",)),
    "clid": Method("CLID", "ranking", ("clid",)),
    "ecad": Method("ECAD", "conversion", ("ecad",)),
    "hdr": Method("HDR", PROMOTION, ("hdr", "esmm_copy", "ecad_copy")),
    "rec4ad": Method("Rec4Ad", "ads", ("rec4ad",)),
    "mkt": Method("MKT", "posts", ("mkt",)),
}


@dataclass(frozen=True)
class Decision:
    """State of a method's models and the reason, for an operator."""

    state: Literal["serves", "idle", "not measured", "overruled"]
    because: str


class ModelSelection:
    """The decisions by what was measured last. Any thread may ask.

    Args:
        promotions: whether the calendar knows any.

    Raises:
        SettingsError: IPL_FEED_ALWAYS names what is no paper's method.
    """

    def __init__(self, settings: Settings, promotions: Callable[[], bool] = lambda: True) -> None:
        self._home, self._promotions = settings.home, promotions
        self._always = {name.strip() for name in settings.feed_always.split(",") if name.strip()}
        for name in sorted(self._always - METHODS.keys()):
            otherwise = f"there are {', '.join(METHODS)}."
            raise SettingsError(f"IPL_FEED_ALWAYS names '{name}'; {did_you_mean(name, METHODS, otherwise)}")

    def idle(self) -> dict[str, str]:
        """Models that are not to serve, and why."""
        decisions = self.decisions()
        return {m: decisions[n].because for n, of in METHODS.items() for m in of.models if decisions[n].state == "idle"}

    def decisions(self) -> dict[str, Decision]:
        """By the names of ``METHODS``."""
        measured = {row["name"]: row for row in last_measurement(self._home).get("found", ())}
        return {name: self._decision(name, measured.get(name)) for name in METHODS}

    def _decision(self, name: str, row: dict[str, Any] | None) -> Decision:
        decided = decision(row)
        if name == "hdr" and not self._promotions():
            decided = Decision("idle", "no promotion declared")
        elif name == "hdr" and row and row.get("lacks"):  # declared, but nothing of it was seen yet
            decided = Decision("not measured", "nothing in the log is of a promotion's day")
        if decided.state == "idle" and name in self._always:
            return Decision("overruled", f"by IPL_FEED_ALWAYS, although {decided.because}")
        return decided


def decision(row: dict[str, Any] | None) -> Decision:
    """Decision by a measured phenomenon (``as_json``); one that could not be measured switches nothing off."""
    if row is None:
        return Decision("not measured", "the log has not been measured yet")
    e = row["estimate"]
    if e is None:
        return Decision("idle" if row.get("lacks") else "not measured", f"in the log: {row.get('missing')}")
    sentence, edge = row["says"].format(value=e["value"]), PLACE.findall(row["says"])[0].format(value=row["edge"])
    if row["verdict"] == "open":
        return Decision("serves", f"{sentence}; whether it reaches {edge}, from where on it can pay, is open")
    if row["verdict"] == "absent" and row.get("rough"):
        return Decision("not measured", f"{sentence}, but of {e['groups']} groups only, too few to tell")
    return Decision("idle" if row["verdict"] == "absent" else "serves", f"{sentence}; it can pay from {edge}")


def last_measurement(home: Path) -> dict[str, Any]:
    """The latest measurement; empty where there is none that can be read."""
    try:
        measurement = json.loads((home / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return measurement if isinstance(measurement, dict) else {}


def measure(store: Store, home: Path, latest: int | None = None) -> list[Finding]:
    """Measure the store's log and keep what was found.

    Args:
        latest: the latest pages that are looked at; None looks at all.

    Raises:
        DataError: nobody has seen anything yet.
    """
    from recommend.phenomena.table import as_json, findings

    with TemporaryDirectory(prefix="ipl-phenomena-", dir=home) as folder:
        written = write_log(store, Path(folder), latest=latest)
        if not written.days:
            raise DataError("nobody has seen a listing yet, so that there is nothing to measure.")
        rows = list(findings(Path(folder)))
    measurement = {"as_of": datetime.now(UTC).isoformat(timespec="minutes"), "impressions": written.rows["impression"],
            "days": written.days, "found": [as_json(f) for f in rows]}  # fmt: skip
    replace_privately(home / FILE, json.dumps(measurement, indent=1).encode())
    return rows


def measure_daily(store: Store, settings: Settings) -> None:
    """Measure in a process of its own, which takes no time from requests, unless that was done within a day.

    Raises:
        AppError: the process failed; what was measured before stays.
    """
    last = last_measurement(settings.home).get("as_of")
    if last is not None and datetime.now(UTC) - datetime.fromisoformat(last) < FRESH:
        return
    with store.read() as session:
        if session.scalar(select(FeedPageRow.id).limit(1)) is None:
            return
    process = get_context("spawn").Process(target=_apart, args=(settings.store_url, settings.home), daemon=True)
    process.start()
    process.join()
    if process.exitcode:
        raise AppError("not_measured", f"the process that measures the log ended with {process.exitcode}", 500)


def _apart(url: str, home: Path) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # a server that stops leaves no copy of its log behind
    os.nice(10)
    store = open_store(url)
    try:
        with contextlib.suppress(DataError):
            measure(store, home, LATEST)
    finally:
        store.engine.dispose()
