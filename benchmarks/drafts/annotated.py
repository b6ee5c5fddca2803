"""Drafts of annotated photos, for ``effort`` and ``details``: one line ``{"draft", "annotation"}`` a photo.

    python -m benchmarks.drafts.annotated --out FILE [--data DIR] [--names finetune/annotations/judged_photos.txt]

Each photo alone, without past listings and without a note. ``--names``: the photos, one name a line; all validation
photos without it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.common import arguments
from benchmarks.drafts.photos import CLOTHING
from finetune.data.photosets import read_annotations
from finetune.data.splits import split_rows
from listing.home import ipl_home
from listing.pipeline import build_pipeline


def chosen(rows: list[dict[str, Any]], names: Path | None) -> list[dict[str, Any]]:
    """The rows of the photos that are named, or of all validation senders."""
    if names is None:
        return split_rows(rows)[1]
    requested = set(names.read_text(encoding="utf-8").split())
    return [row for row in rows if Path(row["image"]).name in requested]


def main() -> None:
    parser = arguments(__doc__, data=CLOTHING)
    parser.add_argument("--names", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    pipeline = build_pipeline(None, False, ipl_home())
    with args.out.open("w", encoding="utf-8") as out:
        for row in chosen(read_annotations(args.data), args.names):
            draft = pipeline.draft([row["image"]])
            line = {"draft": draft.model_dump(mode="json"), "annotation": {**row, "image": Path(row["image"]).name}}
            out.write(json.dumps(line) + "\n")
            out.flush()


if __name__ == "__main__":
    main()
