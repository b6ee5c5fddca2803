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
from recommend.research.studies.statistics import detectable, seeds_needed
from recommend.research.studies.study import Measures, Setting, Settings, Study
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
        ConfigError: a dose that the study does not have, a file of other settings, or a pilot that is not finished.
    """
    declared = points(study.name)
    if wrong := [d for d in doses if d not in declared]:
        raise ConfigError(f"{study.name} has no dose {wrong[0]:g}; it has {', '.join(f'{d:g}' for d in declared)}.")
    sizes = study.sized(rows)
    tuned = _tuned(study, sizes)
    settings = {arm: tuned.get(arm, study.tried(arm)[0]) for arm in study.trained}
    results = _opened(study, out, sizes, {"settings": settings, "tuned": bool(tuned)})
    for dose in doses or declared:
        for seed in seeds:
            jobs = {arm: (arm, settings) for arm in study.at(dose, deciding)}
            _world(study, Setting(dose, seed, settings), jobs, results, out, say, clock)
    results["conclusion"] = conclude(study, results)
    write(out, results)
    return results


def run_pilot(
    study: Study,
    seeds: Sequence[int],
    out: Path,
    rows: int = 0,
    say: Say = print,
    clock: Callable[[], float] = time.process_time,
) -> Results:
    """Every trained arm with every setting of the grid at the regime, on seeds that judge nothing.

    The file gets the best setting of each arm by the primary measure, and how many seeds show a third of the headroom.
    """
    sizes = study.sized(rows)
    results = _opened(
        study, out, sizes, {"grid": {arm: study.tried(arm) for arm in study.trained}, "seeds": list(seeds)}
    )
    for seed in seeds:
        jobs = {f"{arm}#{n}": (arm, dict.fromkeys(study.trained, s)) for arm in study.trained
                for n, s in enumerate(study.tried(arm))}  # fmt: skip
        _world(study, Setting(study.regime, seed, {}), jobs, results, out, say, clock)
    c = study.primary

    def of(arm: str, n: int) -> list[float]:
        measured_of = [results["done"][f"{study.regime:g} {seed} {arm}#{n}"] for seed in seeds]
        claims = (c, *(s for s in study.secondary if arm in (s.arm, s.baseline)))
        judge = next(
            s for s in claims if s.measure in measured_of[0]
        )  # such as one head, which says nothing of refunds
        return [(-1 if judge.lower else 1) * measures[judge.measure] for measures in measured_of]

    best = {arm: int(np.argmax([np.mean(of(arm, n)) for n in range(len(study.grid))])) for arm in study.trained}
    best |= {arm: best[other] for arm, other in study.follows.items()}
    gains = np.subtract(of(c.arm, best[c.arm]), of(c.baseline, best[c.baseline]))
    sd = float(gains.std(ddof=1)) if len(gains) > 1 else math.inf
    headroom = float(np.mean([results["phenomenon"][f"{study.regime:g} {seed}"]["headroom"] for seed in seeds]))
    results |= {
        "settings": {arm: list(study.tried(arm)[n]) for arm, n in best.items()},
        "sd": sd,
        "detectable_by_8": detectable(sd, 8),
        "seeds_needed": seeds_needed(sd, headroom / 3),
    }
    write(out, results)
    return results


def _tuned(study: Study, sizes: dict[str, float]) -> dict[str, Settings]:
    """The settings by arm that the study's pilot found in such worlds; empty without one."""
    file = RESULTS / f"{study.name}.pilot.json"
    pilot = read_file(file)
    if pilot is None:
        return {}
    if "settings" not in pilot:
        raise ConfigError(f"the pilot in {file} is not finished; run it again or delete it.")
    # Settings found in other worlds are not those of this one.
    if pilot["sizes"] != sizes or pilot["world_version"] != WORLD_VERSION:
        return {}
    return {arm: tuple(chosen) for arm, chosen in pilot["settings"].items()}


def _world(
    study: Study,
    setting: Setting,
    jobs: dict[str, tuple[str, dict[str, Settings]]],
    results: Results,
    out: Path,
    say: Say,
    clock: Callable[[], float],
) -> None:
    """The arms of one world that are not done yet; the file is written after each."""
    world = f"{setting.dose:g} {setting.seed}"
    left = {name: job for name, job in jobs.items() if f"{world} {name}" not in results["done"]}
    if not left:
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "world"
        simulate(root, study.knob.view, setting.seed, {**results["sizes"], study.knob.name: setting.dose})
        if world not in results["phenomenon"]:
            number = {"value": math.nan, **phenomenon(study.name, root)}
            results["phenomenon"][world] = _plain(number | {"headroom": number["value"]} if study.lost else number)
        prepared = study.prepare(root, setting)
        for name, (arm, settings) in left.items():
            began = clock()
            measures: Measures = study.run(arm, prepared, Setting(setting.dose, setting.seed, settings))
            # As the file will hold it, so that who goes on from the file has the same numbers.
            results["done"][f"{world} {name}"] = _plain(dict(measures))
            results["cpu_s"][f"{world} {name}"] = round(clock() - began, 1)
            write(out, results)
            say(f"{study.knob.name} {world} {name}: " + ", ".join(f"{k} {v:.4g}" for k, v in measures.items()))


def _opened(study: Study, out: Path, sizes: dict[str, Any], more: dict[str, Any]) -> Results:
    """The file's results, or new ones."""
    head = {"study": study.name, "paper": study.paper, "title": study.title, "claim": study.claim, "sizes": sizes,
            "world_version": WORLD_VERSION, "knob": study.knob.name, **more}  # fmt: skip
    head = json.loads(json.dumps(head))
    stored = read_file(out)
    if stored is None:
        return {**head, "machine": machine(), "phenomenon": {}, "done": {}, "cpu_s": {}}
    for name in ("settings", "grid"):  # an arm that came later changes nothing of the others
        if name in head and stored.get(name) == {arm: head[name].get(arm) for arm in stored.get(name, ())}:
            stored[name] = head[name]
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
