"""Names that drafts give to goods of three catalogues that nothing was trained on: kind, group, confidence.

    python -m benchmarks.drafts.kinds --photos 150 --seed 44 [--only ikea]

Draws as many photos of ``ikea_interior``, ``fashion_catalog`` and ``implicit_ave``, drafts each with the embedded
model, and judges by ``kinds.yaml``: the leaves and groups that are right for each type of the catalogues, written by
somebody who saw no draft. 95 % intervals by bootstrap over photos. ``--fit`` prints the ``temper_*`` of the calibration
that these drafts and those of the validation photos of clothes ask for, and each set's calibration error with them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from benchmarks.common import arguments
from finetune.data.photosets import data_root, read_annotations
from finetune.data.splits import split_rows
from finetune.evaluate.measures import calibration_error, interval
from listing.decide.category import clothes_ratio
from listing.decide.decision import Decision
from listing.home import ipl_home
from listing.pipeline import build_pipeline
from listing.rules import Rules
from listing.schema import Draft
from listing.taxonomy import load_taxonomy

TRUTH: dict[str, dict[str, Any]] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))


def photos_of(name: str, root: Path) -> list[tuple[Path, str]]:
    """(photo, type) of a catalogue, each photo once, those that can be judged."""
    if name == "ave":
        table = pd.read_csv(root / "implicit_ave" / "eval.csv").drop_duplicates("images")
        rows = [
            (root / "implicit_ave" / "images" / p, kind) for p, kind in zip(table.images, table.category, strict=True)
        ]
    elif name == "ikea":
        table = pd.read_parquet(root / "ikea_interior" / "listings.parquet").drop_duplicates("image")
        rows = [(root / "ikea_interior" / p, kind) for p, kind in zip(table.image, table.type, strict=True)]
    else:
        folder = root / "fashion_catalog"
        table = pd.read_parquet(folder / "listings.parquet")
        rows = [(folder / "images" / f"{i}.jpg", kind) for i, kind in zip(table.id, table.article_type, strict=True)]
    return [(path, kind) for path, kind in rows if not TRUTH[name].get(kind, {"skip": True}).get("skip")]


def judged(draft: Draft, truth: dict[str, Any]) -> dict[str, float]:
    """Judgements of one draft; for items without a leaf in the tree, ``first`` and ``three`` are not asked."""
    taxonomy, category = load_taxonomy(), draft.category
    leaves, groups = set(truth["leaves"]), set(truth["groups"])
    path = set(taxonomy.node(category.value).path) if category.value else set[str]()
    right = category.value in (leaves if category.value in taxonomy.categories else groups)
    candidates = [c.value for c in category.candidates]
    asked = {"first": bool(leaves & set(candidates[:1])), "three": bool(leaves & set(candidates))} if leaves else {}
    return {
        "empty": not (draft.title or draft.description),
        "named": category.value is not None,
        "right": right if category.value else np.nan,
        "group": bool(path & groups),
        "confidence": category.confidence if category.value else np.nan,
        **{name: asked.get(name, np.nan) for name in ("first", "three")},
    }


def table(rows: list[dict[str, float]], seed: int) -> Iterator[str]:
    """One line a measure, with its interval."""
    values = pd.DataFrame(rows).astype(float)
    photos = [{"sender_id": number} for number in range(len(rows))]
    for name in ("empty", "named", "right", "group", "first", "three"):
        column = values[name].to_numpy()
        low, high = interval(photos, lambda index, of=column: float(np.nanmean(of[index])), seed=seed)
        yield f"{name} {np.nanmean(column):.3f} [{low:.3f}, {high:.3f}]"
    named = values.dropna(subset="confidence")
    yield f"calibration error {calibration_error(named.confidence, named.right):.3f}"


def tempering(drafts: dict[str, list[tuple[Draft, bool]]], rules: Rules) -> Iterator[str]:
    """The constants by logistic regression over all sets, and the calibration error of each by ten folds."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict

    plain = {"temper_slope": 1.0, "temper_ratio": 0.0, "temper_bias": 0.0, "temper_studio": 0.0}
    cold = rules.calibration.model_copy(update={"range": rules.calibration.range.model_copy(update=plain)})
    names, inputs, right = [], [], []
    for name, pairs in drafts.items():
        for draft, truth in pairs:
            decision = Decision(draft.observations, 1, Rules(rules.taxonomy, cold, rules.types))
            category = decision.category
            if category.value is None or not rules.taxonomy.node(category.value).tuned:
                continue
            p = min(0.999, category.confidence)
            studio = bool(decision.views.by("ground", "evidence_tower"))
            names.append(name)
            inputs.append((np.log(p / (1 - p)), clothes_ratio(decision.views, rules.taxonomy), studio))
            right.append(truth)
    model = LogisticRegression(C=10.0)
    shares = cross_val_predict(model, inputs, right, cv=10, method="predict_proba")[:, 1]
    fitted = model.fit(inputs, right)
    values = (*fitted.coef_[0], fitted.intercept_[0])
    yield ", ".join(f"{n} {v:.2f}" for n, v in zip(("slope", "ratio", "studio", "bias"), values, strict=True))
    for name in drafts:
        chosen = [i for i, n in enumerate(names) if n == name]
        before = [1 / (1 + np.exp(-inputs[i][0])) for i in chosen]
        truth = [right[i] for i in chosen]
        errors = (calibration_error(before, truth), calibration_error(shares[chosen], truth))
        yield f"{name}: {len(chosen)} garments, calibration error {errors[0]:.3f} -> {errors[1]:.3f}"


def main() -> None:
    """Draw, draft, judge, print."""
    parser = arguments(__doc__, photos=150, seed=44)
    parser.add_argument("--only", choices=TRUTH, help="one of the catalogues")
    parser.add_argument("--fit", action="store_true")
    args = parser.parse_args()
    pipeline = build_pipeline(None, False, ipl_home())
    drafts: dict[str, list[tuple[Draft, bool]]] = {}
    for name in [args.only] if args.only else TRUTH:
        photos = photos_of(name, data_root())
        random.Random(args.seed).shuffle(photos)
        pairs = [(pipeline.draft([path]), TRUTH[name][kind]) for path, kind in photos[: args.photos]]
        rows = [judged(*pair) for pair in pairs]
        drafts[name] = [(draft, bool(row["right"] == 1)) for (draft, _), row in zip(pairs, rows, strict=True)]
        print(f"{name}, {len(rows)} photos: {'; '.join(table(rows, args.seed))}", flush=True)
    if args.fit:
        clothes = split_rows(read_annotations(data_root() / "clothing_cc0"))[1]
        pairs = [(pipeline.draft([row["image"]]), row["label"]) for row in clothes]
        drafts["clothes"] = [(draft, draft.category.value == label) for draft, label in pairs]
        print("\n".join(tempering(drafts, pipeline.parts.rules)))


if __name__ == "__main__":
    main()
