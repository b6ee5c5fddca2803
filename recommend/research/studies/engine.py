"""Runs a study: every dose, every paired seed, every arm, in one file that always holds what is done.

The same call goes on where an interrupted one ended, and more seeds or doses are added to the same file: what is in it
depends on nothing else (but for the measured CPU seconds).
"""

from __future__ import annotations

import json
import math
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recommend.config import ConfigError
from recommend.data.parquet import DataError
from recommend.research.doses import phenomenon, points, simulate
from recommend.research.studies.study import BASE, PLAIN, Measures, Setting, Study
from recommend.research.studies.verdict import conclude
from recommend.research.world import WORLD_VERSION

RESULTS = Path(__file__).parents[1] / "results"
Results = dict[str, Any]
Say = Callable[[str], None]


def run_study(
    study: Study,
    seeds: Sequence[int],
    out: Path,
    doses: Sequence[float] = (),
    rows: int = 0,
    say: Say = print,
    clock: Callable[[], float] = time.process_time,
    deciding: bool = False,
) -> Results:
    """Run what the file lacks, and conclude from all that is in it.

    Args:
        doses: of the study's; empty: all.
        rows: of the world; 0: the study's.
        deciding: no ablations.
        say: gets a line for each arm as it ends.

    Raises:
        ConfigError: a dose that the study does not have, or a file of other settings.
    """
    declared = points(study.name)
    if wrong := [d for d in doses if d not in declared]:
        raise ConfigError(f"{study.name} has no dose {wrong[0]:g}; it has {', '.join(f'{d:g}' for d in declared)}.")
    sizes = study.sized(rows)
    results = _opened(study, out, sizes)
    for dose in doses or declared:
        for seed in seeds:
            _world(study, Setting(dose, seed, plain=study.plain), study.at(dose, deciding), results, out, say, clock)
    results["conclusion"] = conclude(study, results)
    write(out, results)
    return results


def _world(
    study: Study,
    setting: Setting,
    arms: Sequence[str],
    results: Results,
    out: Path,
    say: Say,
    clock: Callable[[], float],
) -> None:
    """The arms of one world that are not done yet; the file is written after each."""
    world = f"{setting.dose:g} {setting.seed}"
    left = [arm for arm in arms if f"{world} {arm}" not in results["done"]]
    if not left:
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "world"
        simulate(root, study.knob.view, setting.seed, {**results["sizes"], study.knob.name: setting.dose})
        if world not in results["phenomenon"]:
            results["phenomenon"][world] = _plain({"value": math.nan, **phenomenon(study.name, root)})
        prepared = study.prepare(root, setting)
        for arm in left:
            began = clock()
            measures: Measures = study.run(arm, prepared, setting)
            # As the file will hold it, so that who goes on from the file has the same numbers.
            results["done"][f"{world} {arm}"] = _plain(dict(measures))
            results["cpu_s"][f"{world} {arm}"] = round(clock() - began, 1)
            write(out, results)
            say(f"{study.knob.name} {world} {arm}: " + ", ".join(f"{k} {v:.4g}" for k, v in measures.items()))


def _opened(study: Study, out: Path, sizes: dict[str, Any]) -> Results:
    """The file's results, or new ones."""
    base = PLAIN if study.plain else BASE
    head = {"study": study.name, "paper": study.paper, "title": study.title, "claim": study.claim, "sizes": sizes,
            "world_version": WORLD_VERSION, "knob": study.knob.name, "base": base}  # fmt: skip
    head = json.loads(json.dumps(head))
    stored = read_file(out)
    if stored is None:
        return {**head, "machine": machine(), "phenomenon": {}, "done": {}, "cpu_s": {}}
    if other := next((n for n, value in head.items() if stored.get(n) != value), None):
        raise ConfigError(f"{out} holds a study with another '{other}'; name another file.")
    return stored


def read_file(file: Path) -> Results | None:
    """The content of a file; None where there is none.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
    except (OSError, ValueError) as error:
        raise DataError(f"{file} cannot be read ({error}); delete it to start anew.") from error


def read_results(file: Path) -> Results:
    """A study's results.

    Raises:
        ConfigError: there are none yet.
    """
    stored = read_file(file)
    if stored is None or "conclusion" not in stored:
        raise ConfigError(f"{file} holds no results of a study; './ipl recommend study NAME --out FILE' makes them.")
    return stored


def write(file: Path, results: Results) -> None:
    """In one step, names sorted; what is no finite number becomes null."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(file.name + ".tmp")
    draft.write_text(json.dumps(_plain(results), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    draft.replace(file)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(v) for name, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float | np.floating):
        return float(f"{value:.7g}") if math.isfinite(value) else None
    return value


def machine() -> str:
    """The machine of the figures."""
    import torch

    return f"{platform.machine()}, one thread, Python {platform.python_version()}, torch {torch.__version__}"
