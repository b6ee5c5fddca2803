"""Results on the disk: each arm and seed is written as it ends, so that an interrupted run goes on where it was.

What is done lies in ``FILE.tmp`` until everything is; then ``FILE`` is written in one step. ``FILE`` is always whole.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from recommend.data.parquet import DataError

Done = dict[str, dict[str, float]]  # "ARM/SEED" to its measures


class Progress:
    """The arms and seeds that are done.

    Args:
        key: what must be equal for a run to go on (recipe, world, scale, knobs); else it starts anew.
    """

    def __init__(self, out: Path, key: dict[str, Any]) -> None:
        self.out, self.key = Path(out), json.loads(json.dumps(key))
        self.path = self.out.with_name(self.out.name + ".tmp")
        self.done: Done = {}
        try:
            self.out.parent.mkdir(parents=True, exist_ok=True)
            if self.path.exists():
                found = json.loads(self.path.read_text(encoding="utf-8"))
                if found.get("key") == self.key:
                    self.done = found["done"]
        except (OSError, ValueError, KeyError) as error:
            raise DataError(f"{self.path} cannot be used ({error}); delete it to start anew.") from error

    def get(self, arm: str, seed: int) -> dict[str, float] | None:
        """Measures of an arm and seed that are done."""
        return self.done.get(f"{arm}/{seed}")

    def add(self, arm: str, seed: int, measures: dict[str, float]) -> None:
        """Write one more."""
        self.done[f"{arm}/{seed}"] = measures
        write_json(self.path, {"key": self.key, "done": self.done})

    def finish(self, results: dict[str, Any]) -> None:
        """Write the results and forget the progress."""
        write_json(self.out, results)
        self.path.unlink(missing_ok=True)


def write_json(path: Path, data: dict[str, Any]) -> None:
    """In one step; what is no number (an AUC of one class, an endless interval) becomes null."""
    draft = path.with_name(path.name + ".part.tmp")
    draft.write_text(json.dumps(_plain(data), indent=1) + "\n", encoding="utf-8")
    draft.replace(path)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(v) for name, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return round(value, 7) if math.isfinite(value) else None
    return value
