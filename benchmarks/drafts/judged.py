"""Judgements of 100 drafts by readers who saw the photos, with 95 % intervals over senders.

    python -m benchmarks.drafts.judged [finetune/annotations/judged_drafts.jsonl]

``judged_strict.jsonl``: texts read without their marks by strict readers, so that no claim counts as marked. Where two
readers judged, a photo counts as the mean of both; 1 is preferred, 0 is not, 0.5 a tie.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import arguments
from finetune.data.files import read_lines
from finetune.evaluate.measures import interval

FILE = Path(__file__).parents[2] / "finetune" / "annotations" / "judged_drafts.jsonl"
Row = dict[str, Any]


def share(rows: Sequence[Row], marked: bool, label: str) -> float:
    """Share of the claims, marked or not, that carry a label; what cannot be told counts as another."""
    labels = [c["label"] for row in rows for c in row["claims"] if c["marked"] is marked]
    return labels.count(label) / max(1, len(labels))


def mean_of(name: str) -> Callable[[Sequence[Row]], float]:
    """Mean of a judgement over the photos that have one."""
    return lambda rows: float(np.mean([np.mean(row[name]) for row in rows if row.get(name) is not None] or [np.nan]))


def earlier(name: str) -> Callable[[Sequence[Row]], float]:
    """Share of the judgements of the earlier text that say so; nan where it was not judged by itself."""
    judged = verdict(name)
    return lambda rows: judged([row["earlier"] for row in rows]) if "verdict" in rows[0]["earlier"] else float("nan")


def verdict(name: str) -> Callable[[Sequence[Row]], float]:
    """Share of the judgements that say so."""
    return lambda rows: float(np.mean([np.mean(np.array(row["verdict"]) == name) for row in rows]))


def mean(test: Callable[[Row], bool]) -> Callable[[Sequence[Row]], float]:
    return lambda rows: sum(map(test, rows)) / len(rows)


def wrong_unmarked(row: Row) -> bool:
    return any(c["label"] == "wrong" and not c["marked"] for c in row["claims"])


MEASURES: dict[str, Callable[[Sequence[Row]], float]] = {
    "published as it stands": verdict("as is"),
    "after the marks and a word or two": verdict("few taps"),
    "written anew": verdict("rewrite"),
    "earlier text: published as it stands": earlier("as is"),
    "earlier text: after a word or two": earlier("few taps"),
    "preferred to the earlier text": mean_of("over_earlier"),
    "preferred to the annotator's": mean_of("over_annotation"),
    "preferred to the text without the model": mean_of("over_without_model"),
    "earlier text: claims that are wrong": lambda rows: (
        share([row["earlier"] for row in rows], False, "wrong") if "claims" in rows[0]["earlier"] else float("nan")
    ),
    "unmarked claims that are wrong": lambda rows: share(rows, False, "wrong"),
    "drafts with an unmarked wrong claim": mean(wrong_unmarked),
    "marked claims that are right": lambda rows: share(rows, True, "right"),
    "marked claims that are wrong": lambda rows: share(rows, True, "wrong"),
    "model's own text: claims that are wrong": lambda rows: (
        share([row["own"] for row in rows], False, "wrong") if "own" in rows[0] else float("nan")
    ),
    "model's own text: published as it stands": lambda rows: (
        verdict("as is")([row["own"] for row in rows]) if "own" in rows[0] else float("nan")
    ),
    "preferred to the model's own text": mean_of("over_own"),
    "in English throughout": mean(lambda row: row["english"]),
}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=FILE)
    rows = read_lines(parser.parse_args().file)
    rows.sort(key=lambda row: row["sender_id"])
    print(f"{len(rows)} drafts of {len({row['sender_id'] for row in rows})} senders")
    for name, measure in MEASURES.items():
        if np.isnan(measure(rows)):
            continue
        low, high = interval(rows, lambda index, of=measure: of([rows[i] for i in index]))
        print(f"{name:40} {measure(rows):.3f} [{low:.3f}, {high:.3f}]")


if __name__ == "__main__":
    main()
