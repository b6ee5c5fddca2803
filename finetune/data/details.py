"""Details that are on 4,408 photos or are not: the annotations of ``finetune/annotations`` as rows and as targets.

    python -m finetune.data.details        # writes listing/observe/detail_rates.json again

Details are there (``yes``), not settled by the photo (``maybe``) or absent (every other word). Rows of photos that are
annotated twice hold the keys of both; of the others the closed attributes are filled from what stands beside.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from random import Random
from typing import Any

import yaml

from finetune.data.files import read_lines
from finetune.data.splits import split_rows
from listing.details import RATES_FILE

ANNOTATIONS = Path(__file__).parents[1] / "annotations"
FILES = ("clothing_cc0", "clothing_cc0_details", "clothing_cc0_further")
WORDS = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
MOTIFS = {phrase: re.compile("|".join(patterns)) for phrase, patterns in WORDS["motifs"].items()}
PARTS = {part: re.compile(pattern) for part, pattern in WORDS["parts"].items()}
PART = "{} in the second colour"
_NO_CLASS = "other"

Row = dict[str, Any]


def read_details(folder: Path) -> list[Row]:
    """Every annotated photo, ``image`` as the path under ``folder``; the order is that of the files."""
    first, details, further = (read_lines(ANNOTATIONS / f"{name}.jsonl.gz") for name in FILES)
    before = {row["image"]: row for row in first}
    rows = [{**before[row["image"]], **row, "label": before[row["image"]]["label"]} for row in details]
    rows += [_filled(row) for row in further]
    return [{**row, "image": str(folder / row["image"])} for row in rows]


def _filled(row: Mapping[str, Any]) -> Row:
    """A row of ``further`` with the keys that rows of the first annotation have."""
    return {
        **row,
        "label_ok": row["label"] != _NO_CLASS and "label" not in row["guess"],
        "item": row["kind"],
        "colour": row["c"][0],
        "colour2": row["c"][1] if len(row["c"]) > 1 else None,
        "pattern": row["pat"],
        "condition": [WORDS["wear"][word] for word in row["yes"] if word in WORDS["wear"]] or ["none-visible"],
        "description": row["desc"],
    }


def draw(rows: Iterable[Mapping[str, Any]], count: int, seed: int, without: Iterable[str] = ()) -> list[str]:
    """Names of ``count`` photos, sorted, drawn by seed from those whose class is right."""
    names = {Path(row["image"]).name for row in rows if row["label_ok"]}
    return sorted(Random(seed).sample(sorted(names - set(without)), count))


def details_of(row: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    """(phrases that are there, phrases that the photo does not settle), motif and place of the second colour included.

    A place that no phrase names leaves all places open.
    """
    others = {*WORDS["attributes"], *WORDS["wear"]}
    there, unsettled = ({WORDS["phrases"].get(w, w) for w in row[key] if w not in others} for key in ("yes", "maybe"))
    motif = (row["motif"] or "").lower()
    there |= {phrase for phrase, pattern in MOTIFS.items() if pattern.search(motif)}
    parts = second_parts(row)
    there |= {PART.format(part) for part in parts or ()}
    unsettled |= {PART.format(part) for part in PARTS if parts is None}
    return there, unsettled - there


def second_parts(row: Mapping[str, Any]) -> list[str] | None:
    """Places of the second colour, as names of ``PARTS``; empty where there is none, None where no name fits."""
    if len(row["c"]) < 2:
        return []
    place = (row["at"] or {}).get(row["c"][1], "")
    if re.search(WORDS["no_part"], place):
        return []
    return [part for part, pattern in PARTS.items() if pattern.search(place)] or None


def rates() -> dict[str, dict[str, float]]:
    """Category -> share of its training photos that have a detail, or a value ("neckline=crew"): what is common."""
    counts: dict[str, Counter[str]] = {}
    rows = [row for row in split_rows(read_details(Path()))[0] if row["label_ok"]]
    for row in rows:
        values = {f"{name}={row[name]}" for name in ("sleeve", "neckline", "closure", "pattern")}
        counts.setdefault(row["label"], Counter()).update(values | details_of(row)[0])
    total = Counter(row["label"] for row in rows)
    return {
        label: {name: round(count / total[label], 3) for name, count in sorted(counts[label].items()) if _told(name)}
        for label in sorted(counts)
    }


def _told(name: str) -> bool:
    return not name.endswith(("=n/a", "=unknown"))


if __name__ == "__main__":
    RATES_FILE.write_text(json.dumps(rates()) + "\n", encoding="utf-8")
