"""Runs a recipe over paired seeds and states what came of it."""

from __future__ import annotations

import math
import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from recommend.data.world.config import WORLD_VERSION, Scale
from recommend.experiments.recipe import Changes, Recipe, Setting
from recommend.experiments.results import Progress
from recommend.experiments.statistics import judge, judge_control, verdict

RESULTS = Path(__file__).parent / "results"
Say = Callable[[str], None]


def result_file(recipe: str, scale: Scale) -> Path:
    """Where the verdicts lie that come with the code."""
    return RESULTS / (f"{recipe}.json" if scale == "full" else f"{recipe}.{scale}.json")


def run_recipe(
    recipe: Recipe,
    seeds: Sequence[int],
    scale: Scale,
    changes: Changes,
    worlds: Path,
    out: Path,
    say: Say = print,
    deciding: bool = False,
) -> dict[str, Any]:
    """Every arm on every seed, arms of a seed on the same world; returns and writes the results.

    Args:
        say: gets one line for each arm as it ends.
        deciding: only the arms that decide the verdict, at every scale.
    """
    key = {"recipe": recipe.name, "world_version": WORLD_VERSION, "scale": scale, "knobs": changes.any}
    progress, arms = Progress(out, key), recipe.arms_at(scale, deciding)
    for number, seed in enumerate(seeds):
        setting = Setting(scale, seed, worlds, changes.world, changes.model, changes.train)
        prepared = None
        for arm in arms:
            if progress.get(arm, seed) is not None:
                continue
            began = time.monotonic()
            prepared = recipe.prepare(setting) if prepared is None else prepared
            measures = {name: float(value) for name, value in recipe.run(arm, prepared, setting).items()}
            measures["seconds"] = time.monotonic() - began
            progress.add(arm, seed, measures)
            say(f"seed {seed} ({number + 1} of {len(seeds)}), {arm}: {line(measures)}")
    results = conclude(recipe, arms, seeds, progress)
    progress.finish({"paper": recipe.paper, **progress.key, "seeds": list(seeds), **results})
    return {"paper": recipe.paper, **progress.key, "seeds": list(seeds), **results}


def conclude(recipe: Recipe, names: Sequence[str], seeds: Sequence[int], progress: Progress) -> dict[str, Any]:
    """Verdict, claims, controls and the measures of the arms ``names`` by seed."""
    arms: dict[str, dict[str, list[float]]] = {}
    for arm in names:
        of_arm = [progress.done[f"{arm}/{seed}"] for seed in seeds]
        arms[arm] = {name: [_number(m[name]) for m in of_arm] for name in of_arm[0]}
    claims = [judge(claim, arms) for claim in recipe.claims]
    effects = {c["name"]: c["mean"] for c in claims}
    controls = [judge_control(c, arms, effects[c.controls]) for c in recipe.controls]
    return {
        "verdict": verdict(claims, controls),
        "claims": claims,
        "controls": controls,
        "arms": arms,
        "seconds": sum(sum(of_arm["seconds"]) for of_arm in arms.values()),
        "machine": machine(),
    }


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def line(measures: dict[str, float]) -> str:
    """Measures on one line."""
    return ", ".join(f"{name} {value:.4g}" for name, value in measures.items())


def machine() -> str:
    """What the figures were taken on."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{platform.machine()}, {cores} cores, Python {platform.python_version()}, torch {torch.__version__}"


def table(results: dict[str, Any]) -> str:
    """The results for people: a row an arm, a line a claim."""
    arms = results["arms"]
    names = list(dict.fromkeys(name for of_arm in arms.values() for name in of_arm))
    rows = [["arm", *names]]
    for arm, of_arm in arms.items():
        means = [sum(of_arm[n]) / len(of_arm[n]) if n in of_arm else math.nan for n in names]
        rows.append([arm, *("" if math.isnan(m) else f"{m:.4f}" for m in means)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    for kind in ("claims", "controls"):
        for c in results[kind]:
            lines.append(
                f"{kind[:-1]} {c['name']}: {c['arm']} - {c['baseline']} in {c['metric']} = {c['mean']:+.4f} "
                f"[{c['low']:+.4f}, {c['high']:+.4f}], expected {c['expected']:+.4f}: "
                f"{'holds' if c['holds'] else 'does not hold'}"
            )
    return "\n".join([*lines, f"verdict: {results['verdict']} ({len(results['seeds'])} seeds)"])
