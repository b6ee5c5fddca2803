"""All arms and seeds of a market: one file each, means, and paired differences with their intervals."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from recommend.config import ConfigError
from recommend.data.oracle import no_oracle
from recommend.research.market.arms import OTHER_CHANCE, Arm, read_arm
from recommend.research.market.measures import DAILY, MEASURES, measured
from recommend.research.market.play import STATE, Player
from recommend.research.market.town import Rules, Town
from recommend.research.studies.engine import machine, read_file, write
from recommend.research.studies.statistics import t_interval

COMMON = Arm(rank="newest", exploration=0.0)  # what served in the days of the common log
Say = Callable[[str, int, int], None]  # what is going on, days done, days in all


def play_market(arms: Sequence[str], rules: Rules, seeds: Sequence[int], out: Path, say: Say) -> dict[str, Any]:
    """Play every arm and seed that ``OUT.parts`` lacks, and write the table to ``out``.

    Returns:
        ``{"arms": {arm: {measure: mean}}, "differences": {"A over B": {measure: {mean, low, high, seeds}}}, "aa": the
        same of an arm and its copy of other chance, "daily": {arm: [[sold by the end of each day], ...]}, "seeds",
        "rules", "seconds", "machine"}``.

    Raises:
        ConfigError: less than two arms, or one that there is not.
    """
    named = dict(read_arm(text) for text in arms)
    if len(named) < 2 or len(named) < len(arms):
        raise ConfigError("name two arms or more, each once (--arm dcn --arm newest).")
    parts = out.with_name(f"{out.name}.parts")
    parts.mkdir(parents=True, exist_ok=True)
    done: dict[str, list[dict[str, Any]]] = {name: [] for name in named}
    total, at = len(seeds) * len(named), 0
    for seed in seeds:
        town, common = Town(seed, rules), parts / f"common-{seed}-{_key(asdict(rules))}"
        for name, arm in named.items():
            file = parts / f"{seed}-{_key({**asdict(rules), **arm.model_dump()})}.json"
            stored = read_file(file)
            if stored is None:
                _common(town, common, _said(say, f"seed {seed}, the days before", 0, rules.before))
                stored = _play(
                    town,
                    arm,
                    common,
                    parts / f"arm-{seed}",
                    _said(say, f"{at + 1} of {total}: seed {seed}, {name}", rules.before, rules.days),
                )
                write(file, {**stored, "arm": name})
            done[name].append(read_file(file) or {})  # rounded, as whoever goes on finds it
            at += 1
        shutil.rmtree(common, ignore_errors=True)
    table = {**summary(done), "seeds": list(seeds), "rules": asdict(rules), "machine": machine()}
    write(out, table)
    return table


def _said(say: Say, what: str, first: int, days: int) -> Callable[[int], None]:
    return lambda day: say(what, day - first + 1, days)


def _common(town: Town, folder: Path, say: Callable[[int], None]) -> None:
    if (folder / STATE).exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    player = Player(town, COMMON, folder)
    player.live(range(town.rules.before), False, say)
    player.save()
    player.feed.close()


def _play(town: Town, arm: Arm, common: Path, folder: Path, say: Callable[[int], None]) -> dict[str, Any]:
    shutil.rmtree(folder, ignore_errors=True)
    began, player = time.monotonic(), Player(town, arm, folder)
    try:
        with no_oracle():
            player.go_on(common)
            player.live(range(town.rules.before, town.days), True, say)
    finally:
        player.close()
    return {**measured(town, player.record), "seconds": time.monotonic() - began, "faults": player.record.faults}


def _key(settings: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()[:10]


def summary(done: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """The table of all arms' results by seed."""
    names = list(done)
    means = {name: {m: _mean([r[m] for r in of]) for m in MEASURES} for name, of in done.items()}
    pairs = [(a, b) for n, b in enumerate(names) for a in names[n + 1 :]]
    differences = {f"{a} over {b}": {m: _paired(done[a], done[b], m) for m in MEASURES} for a, b in pairs}
    copies = [(a, a.partition(":")[0]) for a in names if a.endswith(f":{OTHER_CHANCE}")]
    return {
        "arms": means,
        "differences": differences,
        "aa": {f"{a} over {b}": {m: _paired(done[a], done[b], m) for m in MEASURES} for a, b in copies if b in done},
        "daily": {name: [r[DAILY] for r in of] for name, of in done.items()},
        "faults": {name: sorted({f for r in of for f in r["faults"].values()}) for name, of in done.items()},
        "seconds": sum(r["seconds"] for of in done.values() for r in of),
    }


def _mean(values: Sequence[float | None]) -> float | None:
    there = [v for v in values if v is not None]
    return float(np.mean(there)) if there else None


def _paired(one: Sequence[Mapping[str, Any]], other: Sequence[Mapping[str, Any]], measure: str) -> dict[str, Any]:
    pairs = [(a[measure], b[measure]) for a, b in zip(one, other, strict=True)]
    mean, low, high = t_interval([a - b for a, b in pairs if a is not None and b is not None])
    return {"mean": mean, "low": low, "high": high, "seeds": len(pairs)}
