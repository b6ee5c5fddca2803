"""What the experiments say of each method, in an operator's words beside the figures of the results' files."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from app.ops.table import Cell, Table
from recommend.experiments import runner

WORDS = Path(__file__).with_name("experiments.yaml")
RESULTS = Path(runner.__file__).with_name("results")
SIZES = ("", ".small")  # the largest first


@cache
def experiments() -> Table:
    """A row a method: what it is for, when it pays, what was claimed first and what was found."""
    words = yaml.safe_load(WORDS.read_text(encoding="utf-8"))
    rows = tuple(_row(name, said, _results(name)) for name, said in words.items())
    note = ("In the simulated marketplace, five paired seeds; the interval is of the first claim. "
            "'./ipl recommend report NAME' prints all claims.")  # fmt: skip
    headers = (
        "method",
        "what it does",
        "when it pays",
        "first claim",
        "found",
        "claims that hold",
        "verdict",
        "recipe",
    )
    return Table(headers, rows, note)


def _results(name: str) -> dict[str, Any]:
    file = next(f for size in SIZES if (f := RESULTS / f"{name}{size}.json").is_file())
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _row(name: str, said: dict[str, str], results: dict[str, Any]) -> tuple[Cell, ...]:
    claims = results["claims"]
    first = claims[0]
    found = f"{first['mean']:+.4f} [{first['low']:+.4f}, {first['high']:+.4f}] {first['metric']}"
    held = f"{sum(c['holds'] for c in claims)} of {len(claims)}"
    return (
        said["name"],
        said["does"],
        said["pays"],
        first["name"],
        found,
        held,
        f"{results['verdict']} ({results['scale']})",
        name,
    )
