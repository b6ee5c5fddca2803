"""What the studies say of each method, in an operator's words beside the results' own."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from markupsafe import Markup

import recommend.studies
from app.ops import charts
from app.ops.table import Cell, Table
from recommend.studies.page import interval
from recommend.studies.plot import pays_from

WORDS = Path(__file__).with_name("studies.yaml")
RESULTS = Path(recommend.studies.__file__).with_name("results")
NONE = "no study has judged it yet"
HEADERS = ("method", "what it does", "where it can pay", "verdict", "gain", "where the gain begins", "study")


def studies() -> Table:
    """A row a method: what it is for, what it feeds on, and the verdict of its study; those with one come first."""
    words = yaml.safe_load(WORDS.read_text(encoding="utf-8"))
    rows = [_row(name, said, _conclusion(RESULTS / f"{name}.json")) for name, said in words.items()]
    note = ("In the simulated marketplace, by dose of what the method feeds on, judged by the truth. "
            "'./ipl recommend study NAME' makes a study, './ipl recommend report NAME' prints it.")  # fmt: skip
    return Table(HEADERS, tuple(sorted(rows, key=lambda row: row[3] == NONE)), note)


def curves() -> dict[str, Markup]:
    """The curve of each study that is done, by its name."""
    files = {name: RESULTS / f"{name}.json" for name in yaml.safe_load(WORDS.read_text(encoding="utf-8"))}
    found = {name: _curve(file, file.stat().st_mtime_ns) for name, file in files.items() if file.is_file()}
    return {name: picture for name, picture in found.items() if picture}


@lru_cache(maxsize=64)
def _curve(file: Path, changed: int) -> Markup:
    """Drawn once until the file is ``changed``."""
    found = _conclusion(file)
    return charts.picture(charts.study_curve(found)) if found else Markup("")


def _conclusion(file: Path) -> dict[str, Any]:
    """Of a study that is done; empty while it runs, as its file is written after each arm."""
    found = json.loads(file.read_text(encoding="utf-8")).get("conclusion", {}) if file.is_file() else {}
    return found if found.get("curve") else {}


def _row(name: str, said: dict[str, str], c: dict[str, Any]) -> tuple[Cell, ...]:
    if not c:
        return (said["name"], said["does"], said["pays"], NONE, "", "", name)
    point = next((p for p in c["curve"] if p["dose"] == c["regime"]), None)
    gain = f"{interval(point)} {c['unit']}" if point is not None else ""
    begins = pays_from(c)
    verdict = f"{c['verdict']}: {c['why']}" + (" (exploratory)" if c["exploratory"] else "")
    return (said["name"], said["does"], said["pays"], verdict, gain, "" if begins is None else f"{begins:.3g}", name)
