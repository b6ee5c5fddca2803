"""From the numbers of a study to its curve and its two words.

*Gains*: the interval of the primary claim lies above 0 at the paper's regime. *Specific*: with the phenomenon off the
gain is shown to be gone (within a margin, not merely unproven), and the control, in which the method is denied what it
feeds on, is shown to gain nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from recommend.phenomena.table import NINE
from recommend.research.doses import points
from recommend.research.studies.statistics import (
    crossing,
    detectable,
    holm,
    p_value,
    slope,
    t_interval,
    tost,
    worlds_needed,
)
from recommend.research.studies.study import Claim, Measures, Study
from recommend.research.world import WORLD_VERSION
from recommend.simulation.config import JUDGES

ALPHA, TIMES, COMPETENT = 0.05, 3.0, 0.6
Arms = Mapping[str, Measures]


def conclude(study: Study, results: Mapping[str, Any]) -> dict[str, Any]:
    """Curve, gates, claims and verdict of what a results file holds; seeds that lack an arm do not count."""
    runs = _runs(study, results)
    curve = [_point(study, dose, runs[dose], results["phenomenon"]) for dose in points(study.name) if runs.get(dose)]
    if not curve:
        return {"verdict": "nothing has run yet", "curve": []}
    ordered = sorted((p for p in curve if p["phenomenon"] is not None), key=lambda p: p["phenomenon"])
    whole = sorted(set.intersection(*(set(of) for of in runs.values())))
    values = {key: math.nan if m["value"] is None else m["value"] for key, m in results["phenomenon"].items()}
    x = np.array([[values[f"{dose:g} {seed}"] for dose in runs] for seed in whole], dtype=np.float64)
    y = np.array([[study.primary.gain(of[seed]) for of in runs.values()] for seed in whole], dtype=np.float64)
    at = runs.get(study.regime, {})
    off = _gains(study.primary, runs.get(study.knob.off, {}))
    control = _gains(study.control, at)
    parts: dict[str, Any] = {
        "curve": curve,
        "regime": study.regime,
        "unit": study.unit,
        "crossing": crossing([p["phenomenon"] for p in ordered], [p["low"] for p in ordered]),
        "slope": slope(x, y) if len(runs) > 1 and len(whole) > 1 else None,
        "off": {"margin": study.margin, "p": tost(off, study.margin), "gain": t_interval(off), "seeds": len(off)},
        "beside": _beside(study, runs.get(study.knob.off, {})),
        "control": {**_claim(study.control, at), "margin": study.margin, "p": p_value(control, study.margin, "less")},
        "secondary": _secondary(study, at),
        "competence": float(np.mean([a[study.base]["share"] for a in at.values() if study.base in a] or [math.nan])),
        "ceiling": _ceiling(study, runs),
        "arms": _means(study, at),
        "cpu_s": _costs(study, results),
    }  # fmt: skip
    every = sorted({seed for of in runs.values() for seed in of})
    exploratory = min(every) < JUDGES or "rc" in WORLD_VERSION
    needed = {"off": worlds_needed(off, study.margin), "control": worlds_needed(control, study.margin, one_sided=True)}
    return {**words(parts), "exploratory": exploratory, "seeds": every, "needed": needed, **parts}


def words(parts: Mapping[str, Any]) -> dict[str, Any]:
    """``gains`` (None: the regime has not run), ``specific``, and both as the words ``verdict``."""
    here = next((p for p in parts["curve"] if p["dose"] == parts["regime"]), None)
    low, high = (None, None) if here is None else (here["low"], here["high"])
    if low is None or high is None or not math.isfinite(high - low):
        return {"gains": None, "specific": False, "verdict": "not judged yet"}
    specific = parts["off"]["p"] < ALPHA and parts["control"]["p"] < ALPHA
    if low > 0:
        # Where the phenomenon was never turned off, nobody asked whether the gain is specific.
        verdict = "gains" + (f", {'' if specific else 'not shown '}specific" if parts["off"].get("seeds", 1) else "")
    else:
        verdict = "loses" if high < 0 else "no gain shown"
    return {"gains": low > 0, "specific": specific, "verdict": verdict}


def _point(study: Study, dose: float, runs: Mapping[int, Arms], phenomena: Mapping[str, Any]) -> dict[str, Any]:
    """A dose's gain with its interval, the phenomenon there, and whether the gate is open."""
    gains = [study.primary.gain(arms) for arms in runs.values()]
    mean, low, high = t_interval(gains)
    of = [phenomena[f"{dose:g} {seed}"] for seed in runs]
    measured = [m for m in of if m["value"] is not None]
    # The mean over the worlds of each world's own interval.
    value, lower, upper = (
        float(np.mean([v if (v := m.get(key)) is not None else m["value"] for m in measured])) if measured else math.nan
        for key in ("value", "low", "high")
    )
    headroom = float(np.mean([m["headroom"] for m in of]))
    sd = float(np.std(gains, ddof=1)) if len(gains) > 1 else math.inf
    smallest, edge = detectable(sd, len(gains)), _phenomenon(study).edge
    closed = ""
    if not math.isfinite(value) or not lower >= edge:
        closed = f"the phenomenon, {value:.3g} [{lower:.3g}, {upper:.3g}], is not shown to be above {edge:g}"
    elif headroom < TIMES * smallest:
        closed = f"the headroom, {headroom:.3g}, is below three times what {len(gains)} seeds detect ({smallest:.2g})"
    return {
        "dose": dose, "seeds": sorted(runs), "gain": mean, "low": low, "high": high, "p": p_value(gains),
        "phenomenon": value if math.isfinite(value) else None, "headroom": headroom, "detectable": smallest,
        "open": not closed, "closed": closed,
    }  # fmt: skip


def _runs(study: Study, results: Mapping[str, Any]) -> dict[float, dict[int, Arms]]:
    """By dose and seed the measures of the arms, of those that have what the verdict needs."""
    by_dose: dict[float, dict[int, dict[str, Measures]]] = {}
    for key, measures in results["done"].items():
        dose, seed, arm = key.split(" ")
        got = {n: math.nan if v is None else v for n, v in measures.items()}
        by_dose.setdefault(float(dose), {}).setdefault(int(seed), {})[arm] = got
    whole: dict[float, dict[int, Arms]] = {
        d: {s: a for s, a in sorted(of.items()) if set(study.at(d, deciding=True)) <= set(a)}
        for d, of in sorted(by_dose.items())
    }
    return {d: of for d, of in whole.items() if of}


def _claim(claim: Claim, runs: Mapping[int, Arms]) -> dict[str, Any]:
    """A claim over the seeds that have both arms: ablations may have run on fewer."""
    gains = _gains(claim, runs)
    mean, low, high = t_interval(gains)
    names = {"name": claim.name, "arm": claim.arm, "baseline": claim.baseline, "measure": claim.measure}
    return {**names, "gain": mean, "low": low, "high": high, "seeds": len(gains)}


def _gains(claim: Claim, runs: Mapping[int, Arms]) -> list[float]:
    return [claim.gain(arms) for arms in runs.values() if {claim.arm, claim.baseline} <= set(arms)]


def _ceiling(study: Study, runs: Mapping[float, Mapping[int, Arms]]) -> dict[str, Any]:
    """Where a trained arm did better than the one that knows the truth: then it is no ceiling."""
    best, sign, measure = study.arms[-1], -1 if study.primary.lower else 1, study.primary.measure
    beaten = [
        f"{dose:g} {seed} {arm}"
        for dose, of in runs.items()
        for seed, arms in of.items()
        for arm in arms
        if arm in study.trained and sign * (arms[arm].get(measure, math.nan) - arms[best][measure]) > 0
    ]
    return {"arm": best, "beaten": beaten}


def _beside(study: Study, off: Mapping[int, Arms]) -> list[dict[str, Any]]:
    """The secondary claims whose arms ran with the phenomenon off as well."""
    there = [c for c in study.secondary if off and all({c.arm, c.baseline} <= set(arms) for arms in off.values())]
    return [_claim(c, off) for c in there]


def _means(study: Study, runs: Mapping[int, Arms]) -> dict[str, dict[str, float]]:
    """Measures of each arm over the seeds that have it."""
    means = {}
    for arm in study.arms:
        if of := [arms[arm] for arms in runs.values() if arm in arms]:
            means[arm] = {m: float(np.mean([measures[m] for measures in of])) for m in of[0]}
    return means


def _secondary(study: Study, runs: Mapping[int, Arms]) -> list[dict[str, Any]]:
    claims = [c for c in study.secondary if _gains(c, runs)]
    p = holm([p_value(_gains(claim, runs)) for claim in claims])
    results = [_claim(claim, runs) for claim in claims]
    return [{**c, "p": q, "holds": q < ALPHA and c["gain"] > 0} for c, q in zip(results, p, strict=True)]


def _costs(study: Study, results: Mapping[str, Any]) -> dict[str, float]:
    """Mean CPU seconds an arm of one world."""
    seconds_by_arm: dict[str, list[float]] = {}
    for key, seconds in results["cpu_s"].items():
        seconds_by_arm.setdefault(key.split(" ")[2], []).append(seconds)
    return {arm: float(np.mean(seconds_by_arm[arm])) for arm in study.arms if arm in seconds_by_arm}


def _phenomenon(study: Study) -> Any:
    return next(p for p in NINE if p.name == study.name)
