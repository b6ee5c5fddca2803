"""Fit and measure the colour check on training senders: ``python -m benchmarks.drafts.colour_agreement [--write]``.

Five folds by sender. Printed: how often the pixels' first (first two) colours are the annotated one, and, for the
limit below which a colour counts as contradicted, how often a right colour is contradicted and how many wrong ones are
caught.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

from finetune import data_root, read_annotations, split_rows
from listing.evidence import colour

K, SEED, FOLDS = 56, 0, 5
WRONG_RIGHTS = 0.01  # share of right colours that may be contradicted


def pixels(rows: list[dict]) -> list[np.ndarray]:
    """Object pixels [n, 3] of every photo."""
    rng = np.random.default_rng(SEED)
    out = []
    for row in rows:
        with Image.open(row["image"]) as opened:
            opened.draft("RGB", (256, 256))
            lab, mask = colour.object_pixels(opened)
        found = lab[mask]
        out.append(found[rng.integers(0, len(found), 700)])
    return out


def fit(counts: np.ndarray, said: np.ndarray) -> np.ndarray:
    """Weights [k + 1, names] of a multinomial logistic model on root shares."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=3.0, max_iter=400).fit(np.sqrt(counts), said)
    return np.vstack([model.coef_.T, model.intercept_])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=str(data_root() / "clothing_cc0"))
    parser.add_argument("--write", action="store_true", help="write listing/evidence/colour.json")
    args = parser.parse_args()
    train, _ = split_rows(read_annotations(Path(args.data)))
    rows = [r for r in train if "colour" not in r["guess"] and r["colour"] not in ("unknown", "n/a")]
    found = pixels(rows)
    sample = np.concatenate([p[:60] for p in found])
    codebook, _ = colour._means(sample[np.random.default_rng(SEED).permutation(len(sample))[:40000]], K, rounds=15)
    counts = np.stack([colour.count(p, codebook) for p in found])
    names = sorted({r["colour"] for r in rows})
    said = np.array([names.index(r["colour"]) for r in rows])
    second = np.array([names.index(r["colour2"]) if r["colour2"] in names else -1 for r in rows])
    fold = np.array([hash_fold(r["sender_id"]) for r in rows])
    probabilities = np.zeros((len(rows), len(names)))
    for f in range(FOLDS):
        weights = fit(counts[fold != f], said[fold != f])
        kept = sorted(set(said[fold != f]))
        for i in np.nonzero(fold == f)[0]:
            probabilities[i, kept] = colour.ColourModel(tuple(names), codebook, weights, 0.0).probabilities(counts[i])
    order = np.argsort(-probabilities, axis=1)

    def either(k: int) -> float:
        """How often one of the first k colours is the main or the second one."""
        return float(
            np.mean([any(o in (s, t) for o in row[:k]) for row, s, t in zip(order, said, second, strict=True)])
        )

    exempt = np.array([n in ("multicolour", "gold", "silver") for n in names])
    right = [probabilities[i, j] for i in range(len(rows)) for j in (said[i], second[i]) if j >= 0 and not exempt[j]]
    main_right = np.array([probabilities[i, said[i]] for i in range(len(rows)) if not exempt[said[i]]])
    limit = float(np.quantile(main_right, WRONG_RIGHTS))
    wrong = np.array(
        [
            probabilities[i, j]
            for i in range(len(rows))
            for j in range(len(names))
            if j not in (said[i], second[i]) and not exempt[j]
        ]
    )
    print(
        json.dumps(
            {
                "photos": len(rows),
                "first": round(either(1), 3),
                "first two": round(either(2), 3),
                "limit": round(limit, 5),
                "right main colours contradicted": round(float((main_right < limit).mean()), 4),
                "right colours contradicted, second ones included": round(float((np.array(right) < limit).mean()), 4),
                "wrong colours contradicted": round(float((wrong < limit).mean()), 3),
            },
            indent=1,
        )
    )
    if args.write:
        model = {
            "names": names,
            "codebook": codebook.round(1).tolist(),
            "weights": fit(counts, said).round(3).tolist(),
            "limit": round(limit, 6),
        }
        colour.MODEL_FILE.write_text(json.dumps(model) + "\n", encoding="utf-8")


def hash_fold(sender: int | str) -> int:
    """Fold of a sender, the same in every run."""
    import zlib

    return zlib.crc32(f"colour:{sender}".encode()) % FOLDS


if __name__ == "__main__":
    main()
