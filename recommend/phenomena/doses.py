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
from recommend.world import KNOBS, WORLD_VERSION, WorldConfig, write_world

SEED = 50  # of the table; below those that judge
SIZES = {"impressions": 600_000, "clicks": 600_000, "requests": 400}
Row = dict[str, Any]


def points(name: str) -> list[float]:
    """Off and the five doses, the default among them."""
    return [KNOBS[name].off, *KNOBS[name].doses]


def measured(name: str, value: float, folder: Path, knobs: dict[str, Any], seed: int = SEED) -> Row:
    """A phenomenon in a world of its own, with one knob set."""
    knob, module = KNOBS[name], importlib.import_module(f"recommend.phenomena.{name}")
    began = time.process_time()
    view = "clicks" if knob.view == "clicks" else "impressions"
    write_world(folder, view=view, seed=seed, knobs={**knobs, knob.name: value})
    if knob.view == "candidates":
        from recommend.world.candidates import add_candidates

        add_candidates(folder)
    try:
        estimate = asdict(module.measure(Log(folder / "log")))
    except Missing as error:
        estimate = {"missing": str(error)}
    return {**estimate, "headroom": module.headroom(folder), "cpu_s": round(time.process_time() - began, 1)}


def results(file: Path, say: Callable[[str], None], sizes: dict[str, int] | None = None, seed: int = SEED) -> Row:
    """All phenomena at all points; what the file holds already, of the same version, sizes and seed, stays."""
    sizes = sizes or SIZES
    head: Row = {"world_version": WORLD_VERSION, "seed": seed, "sizes": sizes}
    found: Row = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if {name: found.get(name) for name in head} != head:
        found = {**head, "rows": {}}
    for phenomenon in NINE:
        for value in points(phenomenon.name):
            key = f"{phenomenon.name} {value:g}"
            if key not in found["rows"]:
                with tempfile.TemporaryDirectory() as folder:
                    found["rows"][key] = measured(phenomenon.name, value, Path(folder) / "world", sizes, seed)
                file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
                say(f"{key}: {found['rows'][key]}")
    return found


def markdown(found: Row) -> str:
    """The page's table: a line a phenomenon and point."""
    default = asdict(WorldConfig())
    lines = ["| phenomenon | knob | value | measured [95 %] | range | headroom |", "|---|---|---|---|---|---|"]
    for p in NINE:
        knob = KNOBS[p.name]
        for value in points(p.name):
            r = found["rows"][f"{p.name} {value:g}"]
            what = " (off)" if value == knob.off else " (default)" if value == default[knob.name] else ""
            number = r.get("missing") or f"{r['value']:.3f} [{r['low']:.3f}, {r['high']:.3f}]"
            edge = f"{'>=' if p.above else '<='} {p.edge:g}"
            lines.append(
                f"| {p.method} | `{knob.name}` | {value:g}{what} | {number} | {edge} | {r['headroom']:.4f} {p.unit} |"
            )
    return "\n".join(lines)
