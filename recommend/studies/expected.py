"""What a study lets expect of a method on another log: its gain where the phenomenon was as strong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommend.studies import engine


@dataclass(frozen=True)
class Expected:
    """Gain of the study's primary claim with its 95 % interval, in its unit, and its verdict.

    Attributes:
        beyond: the log's number lies outside what the study has seen, whose nearest end stands here.
    """

    gain: float
    low: float
    high: float
    unit: str
    verdict: str
    beyond: bool

    def sentence(self) -> str:
        """For people."""
        where = "at its nearest dose" if self.beyond else "at this strength"
        return f"in its study {self.gain:+.2g} [{self.low:+.2g}, {self.high:+.2g}] {self.unit} {where} ({self.verdict})"


def expected(name: str, value: float) -> Expected | None:
    """By straight lines between the doses; None where no study has run.

    Args:
        value: the phenomenon's number in the log.
    """
    found = engine.read_file(engine.RESULTS / f"{name}.json") or {}
    c = found.get("conclusion", {})
    points = sorted((p for p in c.get("curve", []) if p["phenomenon"] is not None), key=lambda p: p["phenomenon"])
    points = [p for p in points if p["low"] is not None]
    if not points:
        return None
    x = [p["phenomenon"] for p in points]
    gain, low, high = (float(np.interp(value, x, [p[of] for p in points])) for of in ("gain", "low", "high"))
    return Expected(gain, low, high, c["unit"], c["verdict"], not x[0] <= value <= x[-1])
