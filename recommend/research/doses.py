"""Each phenomenon of World 2 at its knob's default, off and doses, with headroom: the table that precedes any study.

``results`` measures (a world a row, each kept in the file as soon as it is known, so a run goes on where it ended),
``markdown`` writes ``docs/phenomena.md``.
"""

from __future__ import annotations

import importlib
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from recommend.phenomena.log import Log, Missing
from recommend.phenomena.table import NINE
from recommend.research import headroom
from recommend.research.world import KNOBS, WORLD_VERSION, WorldConfig, write_world

SEED = 50  # of the table; below those that judge
SIZES: dict[str, dict[str, int]] = {
    "candidates": {"impressions": 300_000, "requests": 150},
    "impressions": {"impressions": 400_000},
    "clicks": {"clicks": 150_000},
}
Row = dict[str, Any]

INTRODUCTION = """# Phenomena of World 2

What the nine papers mend, measured in [World 2](world.md) {version} before any study, seed {seed}, views of
{sizes}.
A cell is the knob's value (*off*, default, strongest dose) and what `./ipl recommend phenomena --data LOG` would print
for that log, with its interval over groups of users (MSNet: of things); [papers](papers/README.md) says from where on a
method can pay. *Headroom*, at the same values: what the best possible model gains over one without the phenomenon, by
the truth (`recommend/research/headroom.py`).

Written by `./ipl recommend world --table recommend/research/results/doses.json > docs/phenomena.md`, which goes on
where it was interrupted; the file has the doses between.
"""


def points(name: str) -> list[float]:
    """Off and the five doses, the default among them."""
    return [KNOBS[name].off, *KNOBS[name].doses]


def measured(names: list[str], view: str, knobs: dict[str, Any], folder: Path, seed: int = SEED) -> dict[str, Row]:
    """Phenomena of one view in one world: number with interval, headroom, CPU seconds of all together."""
    began = time.process_time()
    simulate(folder, view, seed, knobs)
    return {name: phenomenon(name, folder) | {"cpu_s": round(time.process_time() - began, 1)} for name in names}


def simulate(folder: Path, view: str, seed: int, knobs: dict[str, Any]) -> None:
    """Write a world, with its candidates' scores where the view has candidates."""
    write_world(folder, view=view, seed=seed, knobs=knobs)
    if view == "candidates":
        from recommend.research.world.candidates import add_candidates

        add_candidates(folder)


def phenomenon(name: str, root: Path) -> Row:
    """A world's number with its interval, or why it is missing, and its headroom."""
    measure = importlib.import_module(f"recommend.phenomena.{name}").measure
    try:
        number = asdict(measure(Log(root / "log")))
    except Missing as error:
        number = {"missing": str(error)}
    return {**number, "headroom": getattr(headroom, name)(root)}


def results(file: Path, say: Callable[[str], None], seed: int = SEED) -> Row:
    """All phenomena at all points; what the file holds already, of the same version, sizes and seed, stays."""
    head: Row = {"world_version": WORLD_VERSION, "seed": seed, "sizes": SIZES}
    table: Row = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if {name: table.get(name) for name in head} != head:
        table = {**head, "rows": {}}
    default = asdict(WorldConfig())
    for view, size in SIZES.items():
        names = [n for n in KNOBS if KNOBS[n].view == view]
        worlds: list[tuple[list[str], Row]] = [(names, {})]  # one world has all knobs at their defaults
        worlds += [([n], {KNOBS[n].name: v}) for n in names for v in points(n) if v != default[KNOBS[n].name]]
        for of, knobs in worlds:
            keys = {n: f"{n} {knobs.get(KNOBS[n].name, default[KNOBS[n].name]):g}" for n in of}
            if all(key in table["rows"] for key in keys.values()):
                continue
            with tempfile.TemporaryDirectory() as folder:
                rows = measured(of, view, {**size, **knobs}, Path(folder) / "world", seed)
            table["rows"] |= {keys[n]: row for n, row in rows.items()}
            file.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
            for n, row in rows.items():
                say(f"{keys[n]}: {row}")
    return table


def markdown(table: Row) -> str:
    """``docs/phenomena.md``: a line a phenomenon."""
    default = asdict(WorldConfig())
    sizes = "; ".join(
        f"{view}: " + ", ".join(f"{count:,} {name}" for name, count in size.items())
        for view, size in table["sizes"].items()
    )
    lines = [
        INTRODUCTION.format(version=table["world_version"], seed=table["seed"], sizes=sizes),
        "| phenomenon | knob | off | default | strongest | headroom |",
        "|---|---|---|---|---|---|",
    ]
    for p in NINE:
        off, *_, strongest = points(p.name)
        rows = {v: table["rows"][f"{p.name} {v:g}"] for v in (off, default[KNOBS[p.name].name], strongest)}
        cells = [f"{value:g}: {_number(row)}" for value, row in rows.items()]
        cells += ["the default"] * (3 - len(cells))
        headroom = ", ".join(f"{round(row['headroom'], 4):.3g}" for row in rows.values())
        lines.append(f"| {p.method} | `{KNOBS[p.name].name}` | {' | '.join(cells)} | {headroom} {p.unit} |")
    return "\n".join(lines)


def _number(row: Row) -> str:
    return row.get("missing") or f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
