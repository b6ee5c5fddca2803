"""What is there on 4,408 photos and what is not: the annotations of ``finetune/annotations`` as rows.

Details are there (``yes``), not settled by the photo (``maybe``) or absent (every other word). Rows of photos that are
annotated twice hold the keys of both; of the others the closed attributes are filled from what stands beside.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from random import Random
from typing import Any

ANNOTATIONS = Path(__file__).parents[1] / "annotations"
FILES = ("clothing_cc0", "clothing_cc0_details", "clothing_cc0_further")
WEAR = {
    "creased": "creased",
    "worn or faded": "faded",
    "stain or hole": "stain",
    "tag still on": "tag-attached",
    "worn toes": "scuffed",
}
_NO_CLASS = "other"

Row = dict[str, Any]


def read_details(folder: Path) -> list[Row]:
    """Every annotated photo, ``image`` as the path under ``folder``; the order is that of the files."""
    first, details, further = (_lines(name) for name in FILES)
    before = {row["image"]: row for row in first}
    rows = [{**before[row["image"]], **row, "label": before[row["image"]]["label"]} for row in details]
    rows += [_filled(row) for row in further]
    return [{**row, "image": str(folder / row["image"])} for row in rows]


def _lines(name: str) -> list[Row]:
    with gzip.open(ANNOTATIONS / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _filled(row: Mapping[str, Any]) -> Row:
    """A row of ``further`` with the keys that rows of the first annotation have."""
    return {
        **row,
        "label_ok": row["label"] != _NO_CLASS and "label" not in row["guess"],
        "item": row["kind"],
        "colour": row["c"][0],
        "colour2": row["c"][1] if len(row["c"]) > 1 else None,
        "pattern": row["pat"],
        "condition": [WEAR[word] for word in row["yes"] if word in WEAR] or ["none-visible"],
        "description": row["desc"],
    }


def draw(rows: Iterable[Mapping[str, Any]], count: int, seed: int, without: Iterable[str] = ()) -> list[str]:
    """Names of ``count`` photos, sorted, drawn by seed from those whose class is right."""
    names = {Path(row["image"]).name for row in rows if row["label_ok"]}
    return sorted(Random(seed).sample(sorted(names - set(without)), count))
