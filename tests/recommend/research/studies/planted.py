"""Results of a study as its file would hold them, of a known gain and without a world."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from recommend.phenomena.table import NINE
from recommend.research.doses import points
from recommend.research.studies.engine import read_results, write
from recommend.research.studies.study import BASE, find_study
from recommend.research.studies.verdict import conclude

SEEDS = range(9_000, 9_006)


def planted_results(name: str, file: Path, gain: Callable[[float], float], noise: float = 0.0005) -> dict[str, Any]:
    """Write them.

    Args:
        gain: of how strong the phenomenon is, from 0 (off) to 1 (strongest dose), in the study's unit.
    """
    study, p = find_study(name), next(p for p in NINE if p.name == name)
    measures = {c.measure for c in (study.primary, *study.secondary, study.control)}
    rng = np.random.default_rng(0)
    done: dict[str, Any] = {}
    phenomena: dict[str, Any] = {}
    for place, dose in enumerate(points(name)):
        strength = place / (len(points(name)) - 1)
        for seed in SEEDS:
            phenomena[f"{dose:g} {seed}"] = {"value": p.off + 2 * strength * (p.edge - p.off), "headroom": 1e3 * noise}
            for arm in study.arms:
                value = noise * rng.normal() + gain(strength) * (arm == study.primary.arm)
                sign = -1 if study.primary.lower else 1
                done[f"{dose:g} {seed} {arm}"] = {**dict.fromkeys(measures, 0.7 + sign * value), "share": 0.8}
    results = {
        "study": name, "title": study.title, "claim": study.claim, "paper": study.paper, "sizes": study.sized(),
        "world_version": "2.0.0", "knob": study.knob.name, "machine": "a machine", "base": BASE,
        "phenomenon": phenomena, "done": done,
        "cpu_s": {key: 3.0 if key.endswith(f" {study.primary.arm}") else 2.0 for key in done},
    }  # fmt: skip
    results = json.loads(json.dumps(results))
    write(file, {**results, "conclusion": conclude(study, results)})
    return read_results(file)
