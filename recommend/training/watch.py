"""Tells when a further pass begins to overfit (the one-epoch phenomenon, arXiv 2209.06053).

A model with ids is often at its best after exactly one pass, and the training loss does not show it: it falls all the
faster. So rows that are never trained on are scored at the end of the first pass and a few times within each later one.
Watching changes nothing: it draws no random number and moves no weight, so that a continued run stays identical.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

MARGIN = 0.005  # of AUC: falls smaller than this are not worth a warning
LOOKS = 4  # within each pass after the first
STATE = "watch.json"


class Watch:
    """Scores rows at the moments that the trainer passes on.

    Args:
        measure: the AUC of rows that are not trained on, of the model as it is now.
        rows: of a pass.
        say: gets the warning, once.
        folder: keeps the first pass's AUC for a run that is continued; None forgets it.
        what: what is watched, for the warning.
    """

    def __init__(
        self,
        measure: Callable[[], float],
        rows: int,
        say: Callable[[str], None],
        folder: Path | None = None,
        what: str = "rows that are not trained on",
    ) -> None:
        self.measure, self.rows, self.say, self.what = measure, rows, say, what
        self.path = Path(folder) / STATE if folder is not None else None
        self.first: float | None = None
        self.warned = False
        self.done = 0  # rows of this pass
        if self.path is not None and self.path.exists():
            state = json.loads(self.path.read_text(encoding="utf-8"))
            self.first, self.warned = state["first"], state["warned"]

    def epoch(self, number: int) -> None:
        """Before the first step of pass ``number`` (0 is the first pass)."""
        self.done = 0
        if number == 1 and self.first is None:
            self.first = self.measure()
            self._keep()

    def step(self, number: int, size: int) -> None:
        """After a step of pass ``number`` of so many rows."""
        before, after, quarter = self.done, self.done + size, max(self.rows // LOOKS, 1)
        self.done = after
        if number < 1 or self.first is None or self.warned or before // quarter == after // quarter:
            return
        now = self.measure()
        if now < self.first - MARGIN:
            self.warned = True
            self._keep()
            self.say(
                f"pass {number + 1} overfits: the AUC of {self.what} was {self.first:.4f} after the first pass and is "
                f"{now:.4f} after {after / self.rows:.0%} of this one; train with epochs=1."
            )

    def _keep(self) -> None:
        if self.path is not None:
            self.path.write_text(json.dumps({"first": self.first, "warned": self.warned}) + "\n", encoding="utf-8")
