"""Which of the papers' methods can pay on the feed's own log: measured on demand, kept in the home, shown."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from app.feed.log import write_log
from app.ops.table import Cell, Table, rounded
from app.store.db import Store
from app.store.private_file import replace_privately
from recommend.data.parquet import DataError

if TYPE_CHECKING:
    from recommend.phenomena.table import Finding

FILE = "phenomena.json"
COMMAND = "'./ipl recommend phenomena' measures it"


def measure(store: Store, home: Path) -> list[Finding]:
    """Measure the store's log and keep what was found for the page.

    Raises:
        DataError: nobody has seen anything yet.
    """
    from recommend.phenomena.table import as_json, findings

    with TemporaryDirectory(prefix="ipl-phenomena-", dir=home) as folder:
        written = write_log(store, Path(folder))
        if not written.days:
            raise DataError("nobody has seen a listing yet, so that there is nothing to measure.")
        found = list(findings(Path(folder)))
    kept = {"as_of": datetime.now(UTC).isoformat(timespec="minutes"), "impressions": written.rows["impression"],
            "days": written.days, "found": [as_json(f) for f in found]}  # fmt: skip
    replace_privately(home / FILE, json.dumps(kept, indent=1).encode())
    return found


def phenomena(home: Path) -> Table:
    """A row a method, as last measured."""
    headers = ("method", "what it says", "number", "low", "high", "can pay", "verdict")
    try:
        kept = json.loads((home / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Table(headers, (), f"The feed's own log has not been measured; {COMMAND}.")
    rows = tuple(_row(f) for f in kept["found"])
    moment = datetime.fromisoformat(kept["as_of"]).strftime("%Y-%m-%d %H:%M UTC")
    note = (f"As of {moment}, over {kept['impressions']:,} impressions of {kept['days']} days, with 95 % intervals; "
            f"{COMMAND} again.")  # fmt: skip
    return Table(headers, rows, note)


def _row(found: dict[str, Any]) -> tuple[Cell, ...]:
    e = found["estimate"]
    numbers = [rounded(e[name], 3) for name in ("value", "low", "high")] if e else [None] * 3
    pays = f"{'from' if found['above'] else 'up to'} {found['edge']:g}"
    return (found["method"], found["sentence"], *numbers, pays, found["verdict"])
