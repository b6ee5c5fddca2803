"""A phenomenon of World 2 at a knob's values: a world of that dose, its number and the headroom."""

from __future__ import annotations

import importlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from recommend.phenomena.log import Log, Missing
from recommend.research import headroom
from recommend.research.world import KNOBS, write_world

Row = dict[str, Any]


def points(name: str) -> list[float]:
    """Off and the five doses, the default among them."""
    return [KNOBS[name].off, *KNOBS[name].doses]


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
