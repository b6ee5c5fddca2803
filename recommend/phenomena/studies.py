"""The studies' verdicts on the methods, and the gain that they let expect on another log.

``verdicts/`` holds of each study what is displayed of it; ``./ipl recommend study`` writes it beside its results.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

VERDICTS = Path(__file__).with_name("verdicts")
_FIELDS = ("verdict", "gains", "specific", "exploratory", "regime", "unit", "crossing")
_POINT_FIELDS = ("dose", "phenomenon", "gain", "low", "high", "open")
Conclusion = Mapping[str, Any]


@dataclass(frozen=True)
class Expected:
    """Gain of the study's primary claim with its 95 % interval, in its unit, and its verdict.

    Attributes:
        beyond: the log's number lies outside the study's range, whose nearest end stands here.
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
    conclusion = read_conclusion(VERDICTS / f"{name}.json")
    points = [p for p in measured_points(conclusion) if p["low"] is not None]
    if not points:
        return None
    x = [p["phenomenon"] for p in points]
    gain, low, high = (float(np.interp(value, x, [p[end] for p in points])) for end in ("gain", "low", "high"))
    return Expected(gain, low, high, conclusion["unit"], conclusion["verdict"], not x[0] <= value <= x[-1])


def read_conclusion(file: Path) -> Conclusion:
    """The conclusion of a study that is done; empty without one, and while it runs."""
    conclusion = json.loads(file.read_text(encoding="utf-8")).get("conclusion", {}) if file.is_file() else {}
    return conclusion if conclusion.get("curve") else {}


def publish(name: str, conclusion: Conclusion, folder: Path = VERDICTS) -> None:
    """Keep of a study's conclusion what is displayed."""
    text = json.dumps({"conclusion": displayed(conclusion)}, indent=1, sort_keys=True)
    (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def displayed(conclusion: Conclusion) -> Conclusion:
    """The part of a conclusion that is displayed."""
    curve = [{field: point[field] for field in _POINT_FIELDS} for point in conclusion["curve"]]
    return {**{field: conclusion[field] for field in _FIELDS}, "curve": curve}


def measured_points(conclusion: Conclusion) -> list[Mapping[str, Any]]:
    """Points of the curve whose phenomenon was measured, the weakest first."""
    points = (p for p in conclusion.get("curve", []) if p["phenomenon"] is not None)
    return sorted(points, key=lambda p: p["phenomenon"])


def interval(point: Conclusion) -> str:
    """A gain with its ends; an unknown one is a question mark."""
    return with_ends((point["gain"], point["low"], point["high"]))


def with_ends(three: Sequence[float | None]) -> str:
    """A mean and its interval."""
    mean, low, high = signed(three)
    return f"{mean} [{low}, {high}]"


def signed(values: Sequence[float | None]) -> list[str]:
    """With as many decimals as show three digits of the largest, six at most; a question mark where unknown."""
    finite = [v if v is not None and math.isfinite(v) else None for v in values]
    largest = max((abs(v) for v in finite if v), default=1.0)
    decimals = min(max(2 - math.floor(math.log10(largest)), 0), 6)
    return ["?" if v is None else f"{v:+.{decimals}f}" for v in finite]
