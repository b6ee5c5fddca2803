"""What paired seeds say about a claim, and the verdict over all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

LEVEL = 0.95
VANISHED = 0.1  # a control's effect counts as gone below this share of the effect that it controls
ENOUGH = 0.5  # share of the expected effect from which a claim counts as reproduced


@dataclass(frozen=True)
class Claim:
    """``arm`` beats ``baseline`` in ``metric``.

    Attributes:
        expected: the difference that the paper (or whoever ran its models) reports; 0 when only the direction is known.
        controls: for a control, the name of the claim whose effect must vanish here.
        lower_is_better: for losses and errors; differences are turned round, so that above 0 is always better.
    """

    name: str
    metric: str
    arm: str
    baseline: str
    expected: float = 0.0
    controls: str = ""
    lower_is_better: bool = False


def interval(differences: Sequence[float]) -> tuple[float, float, float]:
    """Mean and 95 % t-interval of paired differences; the interval is infinite with fewer than two."""
    values = np.asarray(differences, dtype=np.float64)
    if len(values) < 2:
        return (float(values.mean()) if len(values) else math.nan), -math.inf, math.inf
    half = stats.t.ppf((1 + LEVEL) / 2, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values))
    return float(values.mean()), float(values.mean() - half), float(values.mean() + half)


def judge(claim: Claim, arms: dict[str, dict[str, list[float]]]) -> dict[str, Any]:
    """A claim as the results state it; ``holds`` when the whole interval lies on the claimed side of 0."""
    sign = -1 if claim.lower_is_better else 1
    pairs = zip(arms[claim.arm][claim.metric], arms[claim.baseline][claim.metric], strict=True)
    mean, low, high = interval([sign * (a - b) for a, b in pairs])
    return {
        "name": claim.name,
        "metric": claim.metric,
        "arm": claim.arm,
        "baseline": claim.baseline,
        "mean": mean,
        "low": low,
        "high": high,
        "expected": claim.expected,
        "holds": low > 0,
    }


def judge_control(claim: Claim, arms: dict[str, dict[str, list[float]]], effect: float) -> dict[str, Any]:
    """A control; ``holds`` when the effect vanished: the interval has 0, or lies below a tenth of the effect."""
    found = judge(claim, arms)
    found["holds"] = found["low"] <= 0 <= found["high"] or found["high"] < VANISHED * effect
    return found


def verdict(claims: Sequence[dict[str, Any]], controls: Sequence[dict[str, Any]]) -> str:
    """One word for a recipe.

    ``reproduced``: every claim holds with at least half of its expected effect, and every control holds.
    ``direction only``: every claim holds, but an effect is smaller than that or a control fails.
    ``underpowered``: a claim does not hold, and its interval is too wide to have shown the expected effect (or has no
    width, with one seed). ``not reproduced``: anything else.
    """
    if all(c["holds"] for c in claims):
        large = all(c["mean"] >= ENOUGH * c["expected"] for c in claims)
        return "reproduced" if large and all(c["holds"] for c in controls) else "direction only"
    failed = [c for c in claims if not c["holds"]]
    wide = [c for c in failed if c["high"] > 0 and (c["high"] - c["low"]) / 2 >= max(c["expected"], 1e-12)]
    return "underpowered" if len(wide) == len(failed) else "not reproduced"
