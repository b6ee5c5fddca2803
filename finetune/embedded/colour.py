"""Fit the colour model of ``listing.evidence.colour`` on the training senders' photos.

python -m finetune.embedded.colour --data PHOTOS [--masks FILE] [--write]   # prints agreement on unseen senders
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from finetune.data.photosets import open_photo, read_annotations
from finetune.data.splits import is_validation_sender
from finetune.embedded.masks import masks_of
from listing.evidence import colour

K = 64
WRONG_RIGHTS = 0.01  # share of right colours that may be contradicted


def codebook(labs: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """[k, 3]: k-means of pixels of the items."""
    from scipy.cluster.vq import kmeans2

    rng = np.random.default_rng(0)
    sample = np.concatenate([lab[inside][rng.integers(0, int(inside.sum()), 60)] for lab, inside in labs])
    return np.asarray(kmeans2(sample, K, minit="++", seed=0, iter=20)[0])


def main() -> None:
    """Fit, print, and write ``colour.json`` where asked."""
    from sklearn.linear_model import LogisticRegression

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--masks", type=Path, help="file that keeps the masks")
    parser.add_argument("--write", action="store_true", help="write listing/evidence/colour.json")
    args = parser.parse_args()
    rows = [r for r in read_annotations(args.data) if "colour" not in r["guess"] and r["label_ok"]]
    masks = masks_of(rows, args.masks)
    labs = [colour.small_lab(open_photo(row["image"]), mask) for row, mask in zip(rows, masks, strict=True)]
    known = np.array([not is_validation_sender(row["sender_id"]) for row in rows])
    book = codebook([lab for lab, use in zip(labs, known, strict=True) if use]).round(2)
    inputs = np.stack([colour.describe(lab, inside, book) for lab, inside in labs])
    main_colour = np.array([row["colour"] for row in rows])
    fitted = LogisticRegression(C=10.0, max_iter=500).fit(inputs[known], main_colour[known])
    names = fitted.classes_.tolist()
    shares = fitted.predict_proba(inputs[~known])
    unseen = [row for row, use in zip(rows, known, strict=True) if not use]
    best = [names[i] for i in shares.argmax(1)]
    right = [p[names.index(row["colour"])] for p, row in zip(shares, unseen, strict=True) if row["colour"] in names]
    limit = float(np.quantile(right, WRONG_RIGHTS))
    pairs = list(zip(best, unseen, strict=True))
    result = {
        "photos": len(unseen),
        "main colour": round(float(np.mean([b == row["colour"] for b, row in pairs])), 3),
        "main or second colour": round(float(np.mean([b in (row["colour"], row["colour2"]) for b, row in pairs])), 3),
        "limit": limit,
    }
    print(json.dumps(result))
    if args.write:
        weights = np.vstack([fitted.coef_.T, fitted.intercept_]).round(3)
        facts = {"names": names, "limit": limit, "codebook": book.tolist(), "weights": weights.tolist()}
        colour.MODEL_FILE.write_text(json.dumps(facts, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
