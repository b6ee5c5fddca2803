"""What the papers' methods feed on, measured in the store's own log when an operator asks; ``/ops`` shows it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from app.feed.log import write_log
from app.store.db import Store
from app.store.files import replace_privately
from recommend.data.parquet import DataError

if TYPE_CHECKING:
    from recommend.phenomena.table import Finding

FILE = "phenomena.json"


def last_measurement(home: Path) -> dict[str, Any]:
    """The latest measurement; empty where there is none that can be read."""
    try:
        measurement = json.loads((home / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return measurement if isinstance(measurement, dict) else {}


def measure(store: Store, home: Path) -> list[Finding]:
    """Measure the store's log and keep the result.

    Raises:
        DataError: nobody has seen anything yet.
    """
    from recommend.phenomena.table import as_json, findings

    with TemporaryDirectory(prefix="ipl-phenomena-", dir=home) as folder:
        written = write_log(store, Path(folder))
        if not written.days:
            raise DataError("nobody has seen a listing yet, so that there is nothing to measure.")
        rows = list(findings(Path(folder)))
    measurement = {"as_of": datetime.now(UTC).isoformat(timespec="minutes"), "impressions": written.rows["impression"],
            "days": written.days, "found": [as_json(f) for f in rows]}  # fmt: skip
    replace_privately(home / FILE, json.dumps(measurement, indent=1).encode())
    return rows
