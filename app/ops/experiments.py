"""What the studies say of each method, in an operator's words beside the results' own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

import recommend.studies
from app.ops.table import Cell, Table

WORDS = Path(__file__).with_name("experiments.yaml")
RESULTS = Path(recommend.studies.__file__).with_name("results")
NONE = "no study has judged it yet"
HEADERS = ("method", "what it does", "where it can pay", "verdict", "gain", "where the gain begins", "study")


def experiments() -> Table:
    """A row a method: what it is for, what it feeds on, and the verdict of its study, where there is one."""
    words = yaml.safe_load(WORDS.read_text(encoding="utf-8"))
    rows = tuple(_row(name, said, _conclusion(name)) for name, said in words.items())
    note = ("In the simulated marketplace, by dose of what the method feeds on, judged by the truth. "
            "'./ipl recommend study NAME' makes a study, './ipl recommend report NAME' prints it.")  # fmt: skip
    return Table(HEADERS, rows, note)


def _conclusion(name: str) -> dict[str, Any]:
    """Of a study that is done; empty while it runs, as its file is written after each arm."""
    file = RESULTS / f"{name}.json"
    found = json.loads(file.read_text(encoding="utf-8")).get("conclusion", {}) if file.is_file() else {}
    return found if found.get("curve") else {}


def _row(name: str, said: dict[str, str], c: dict[str, Any]) -> tuple[Cell, ...]:
    if not c:
        return (said["name"], said["does"], said["pays"], NONE, "", "", name)
    point = next((p for p in c["curve"] if p["dose"] == c["regime"]), None)
    gain = ""
    if point is not None:
        low, high = ("?" if point[end] is None else f"{point[end]:+.4f}" for end in ("low", "high"))
        gain = f"{point['gain']:+.4f} [{low}, {high}] {c['unit']}"
    above = "" if c["crossing"] is None else f"{c['crossing']:.3g}"
    verdict = f"{c['verdict']}: {c['why']}" + (" (exploratory)" if c["exploratory"] else "")
    return (said["name"], said["does"], said["pays"], verdict, gain, above, name)
