"""Brands that stand in legible text: how many are found, and how many wrong ones are stated.

    python -m benchmarks.finetune.brand_recall [--train] [--json FILE]

A brand counts as legible where the annotated text of the photo holds its whole name. Validation photos by default;
``--train`` adds those photos of other senders that have a legible brand, because validation has few (the reader was not
fitted on either, but its rules were developed with training photos in sight). Wrong brands are counted on all photos
that were read.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.drafts.ikea_300 import wilson
from finetune.data.photosets import data_root, read_annotations
from finetune.data.splits import split_rows
from finetune.evaluate.image_cache import image_views
from listing.observe.printed.folding import fold
from listing.home import ipl_home
from listing.taxonomy import load_taxonomy

Row = dict[str, Any]


def legible(row: Row) -> bool:
    """Whether the annotated brand stands in the annotated text."""
    known = row["brand"] and row["text"] and "brand" not in row["guess"]
    return bool(known) and fold(row["brand"]) in fold(row["text"])


def measure(rows: list[Row], read: list[dict[str, str]]) -> dict[str, Any]:
    """Recall on legible brands, and stated brands that are not the annotated one; ``read`` per photo."""
    wanted = [(row["brand"], found.get("brand")) for row, found in zip(rows, read, strict=True) if legible(row)]
    stated = [(row["brand"], found["brand"]) for row, found in zip(rows, read, strict=True) if found.get("brand")]
    right = sum(found is not None and fold(found) == fold(brand) for brand, found in wanted)
    wrong = [
        {"annotated": brand, "stated": found} for brand, found in stated if brand is None or fold(brand) != fold(found)
    ]
    return {
        "photos": len(rows),
        "legible": len(wanted),
        "found": right,
        "recall": right / len(wanted) if wanted else None,
        "recall_interval": wilson(right, len(wanted)) if wanted else None,
        "missed": [brand for brand, found in wanted if found is None],
        "stated": len(stated),
        "wrong": wrong,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=data_root() / "clothing_cc0")
    parser.add_argument("--cache", type=Path, default=ipl_home() / "evaluation" / "seen.jsonl")
    parser.add_argument("--model", type=Path, default=ipl_home() / "models" / "ipl-mini")
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    train, validation = split_rows(read_annotations(args.data))
    sets = {"validation": validation}
    if args.train:
        sets["training photos with a legible brand"] = [row for row in train if legible(row)]
    results = {}
    for name, rows in sets.items():
        seen = image_views(rows, args.model, load_taxonomy(), args.cache)
        found = results[name] = measure(rows, [row["read"] for row in seen])
        low, high = found["recall_interval"] or (float("nan"), float("nan"))
        print(
            f"{name}: {found['photos']} photos, {found['found']} of {found['legible']} legible brands found "
            f"[{low:.2f}, {high:.2f}], {found['stated']} brands stated, "
            f"{len(found['wrong'])} of them not the annotated one"
        )
        for case in found["wrong"]:
            print(f"  stated {case['stated']}, annotated {case['annotated']}")
        print(f"  missed: {', '.join(found['missed']) or 'none'}")
    if args.json:
        args.json.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
