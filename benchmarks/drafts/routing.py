"""Garment or not: the error both ways, and the threshold of ``listing/decide/category.json``.

    python -m benchmarks.drafts.routing           the errors (needs the photo folders of IPL_DATA and the model folder)
    python -m benchmarks.drafts.routing --write   sets the threshold first, from the *training* garments alone

Garments: photos of the validation senders of clothing_cc0. Not garments: the tuning part of ikea_interior, and the
domains Food and Home of implicit_ave. The threshold comes from training garments alone; which
quantile of them, and the hard choice of a range, were picked with these errors in sight.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.drafts.ikea_300 import mapped_photos, model_folder, test_ids, wilson
from finetune.data.photosets import data_root, read_annotations
from finetune.data.splits import split_rows
from listing.decide.category import DEFAULT_FILE, CategoryRule, decide, garment_probability, load_rule, log_ratio
from listing.observe.networks.imagenet import ImageNetClassifier, category_scores
from listing.taxonomy import load_taxonomy

TRAINING_PHOTOS = 600


def not_garments(root: Path) -> dict[str, list[Path]]:
    """Photos of things that are no garment, by set."""
    held_out = set(test_ids())
    ikea = [p.path for p in mapped_photos(root / "ikea_interior") if p.id not in held_out]
    sets = {"ikea_interior (tuning part)": ikea}
    with (root / "implicit_ave" / "eval.csv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    for domain in ("Home", "Food"):
        names = sorted({row["images"] for row in rows if row["domain"] == domain})
        sets[f"implicit_ave ({domain})"] = [root / "implicit_ave" / "images" / name for name in names]
    return sets


def probabilities(classifier: ImageNetClassifier, paths: Iterable[Path | str]) -> Iterator[np.ndarray]:
    """ImageNet probabilities [1000] of each photo."""
    for path in paths:
        with Image.open(path) as photo:
            yield classifier.probabilities(photo)


def fit_threshold(classifier: ImageNetClassifier, paths: list[str]) -> CategoryRule:
    """The rule with the threshold below which ``garment_quantile`` of these garments lie."""
    rule, taxonomy = load_rule(), load_taxonomy()
    ratios = [log_ratio(p, taxonomy) for p in probabilities(classifier, paths)]
    threshold = round(float(np.quantile(ratios, rule.garment_quantile)), 3)
    return rule.model_copy(update={"garment_threshold": threshold})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=None, help="folder that holds imagenet.safetensors")
    parser.add_argument(
        "--write", action="store_true", help="set the threshold in listing/decide/category.json first"
    )
    parser.add_argument("--every", type=int, default=1, help="take every n-th photo only")
    args = parser.parse_args()
    root, taxonomy = data_root(), load_taxonomy()
    classifier = ImageNetClassifier(args.model or model_folder())
    train, validation = split_rows(read_annotations(root / "clothing_cc0"))
    rule = load_rule()
    if args.write:
        step = max(1, len(train) // TRAINING_PHOTOS)
        rule = fit_threshold(classifier, sorted(row["image"] for row in train)[::step])
        DEFAULT_FILE.write_text(json.dumps(rule.model_dump(), indent=2) + "\n", encoding="utf-8")
        print(f"threshold {rule.garment_threshold} from {len(train[::step])} training garments")
    sets: dict[str, list[Path]] = {"clothing_cc0 (validation senders)": [Path(row["image"]) for row in validation]}
    for name, paths in {**sets, **not_garments(root)}.items():
        chosen = paths[:: args.every]
        wanted = name.startswith("clothing_cc0")
        wrong = outside = 0
        for found in probabilities(classifier, chosen):
            garment = garment_probability(found, taxonomy, rule)
            wrong += (garment >= 0.5) != wanted
            alone = decide({"imagenet": category_scores(found, taxonomy)}, taxonomy, garment=garment, rule=rule)
            outside += garment < 0.5 and not alone.in_range
        low, high = wilson(wrong, len(chosen))
        share = f"{wrong / len(chosen):.3f} [{low:.3f}, {high:.3f}]"
        print(f"{name:36} n={len(chosen):4}  wrong range {share}  outside what I know {outside / len(chosen):.3f}")


if __name__ == "__main__":
    main()
