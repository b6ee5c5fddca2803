"""Fit what names the colours of an item: the pixels' linear model, and the colour network, on the training senders.

    python -m benchmarks.training.colour --data PHOTOS [--masks FILE] [--features FILE] [--write]

The linear model (``listing.observe.networks.colour_pixels``) says which colours are impossible and serves where there
is no network; the network (``colour_network``) names main and second colour. Five minutes of one core once masks and
features are stored. Printed: agreement on senders that were held out, by folds of training senders and on validation.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.training import colour_network as network
from benchmarks.training.masks import masks_of
from finetune.data.details import read_details
from finetune.data.photosets import open_photo
from finetune.data.splits import is_validation_sender
from finetune.embedded.assemble import WEIGHTS
from listing.home import ipl_home
from listing.observe.colours import FILE
from listing.observe.networks import colour_pixels as colour
from listing.taxonomy import load_taxonomy

K = 64
WRONG_RIGHTS = 0.01  # share of right colours that may be contradicted
Row = dict[str, Any]


def codebook(labs: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """[k, 3]: k-means of pixels of the items."""
    from scipy.cluster.vq import kmeans2

    rng = np.random.default_rng(0)
    sample = np.concatenate([lab[inside][rng.integers(0, int(inside.sum()), 60)] for lab, inside in labs])
    return np.asarray(kmeans2(sample, K, minit="++", seed=0, iter=20)[0])


def fit_pixels(rows: list[Row], masks: list[np.ndarray], write: bool) -> dict[str, float]:
    """The linear model; agreement on validation photos, and the limit."""
    from sklearn.linear_model import LogisticRegression

    sure = [i for i, row in enumerate(rows) if "colour" not in row["guess"] and row["label_ok"]]
    rows, masks = [rows[i] for i in sure], [masks[i] for i in sure]
    labs = [colour.small_lab(open_photo(row["image"]), mask) for row, mask in zip(rows, masks, strict=True)]
    is_training = np.array([not is_validation_sender(row["sender_id"]) for row in rows])
    book = codebook([lab for lab, use in zip(labs, is_training, strict=True) if use]).round(2)
    inputs = np.stack([colour.describe(lab, inside, book) for lab, inside in labs])
    main_colour = np.array([row["colour"] for row in rows])
    fitted = LogisticRegression(C=10.0, max_iter=500).fit(inputs[is_training], main_colour[is_training])
    names = fitted.classes_.tolist()
    shares = fitted.predict_proba(inputs[~is_training])
    unseen = [row for row, use in zip(rows, is_training, strict=True) if not use]
    best = [names[i] for i in shares.argmax(1)]
    right = [p[names.index(row["colour"])] for p, row in zip(shares, unseen, strict=True) if row["colour"] in names]
    limit = float(np.quantile(right, WRONG_RIGHTS))
    pairs = list(zip(best, unseen, strict=True))
    if write:
        weights = np.vstack([fitted.coef_.T, fitted.intercept_]).round(3)
        facts = {"names": names, "limit": limit, "codebook": book.tolist(), "weights": weights.tolist()}
        colour.MODEL_FILE.write_text(json.dumps(facts, separators=(",", ":")) + "\n", encoding="utf-8")
        colour.load_model.cache_clear()
    return {
        "photos": len(unseen),
        "main colour": round(float(np.mean([b == row["colour"] for b, row in pairs])), 3),
        "main or second colour": round(float(np.mean([b in (row["colour"], row["colour2"]) for b, row in pairs])), 3),
        "limit": limit,
    }


def fit_network(
    rows: list[Row], features: np.ndarray, cfg: network.NetworkConfig, file: Path | None
) -> dict[str, dict[str, float]]:
    """The network; agreement by folds of training senders and on validation photos."""
    names = load_taxonomy().attributes["colour"].values
    is_training = np.array([not is_validation_sender(row["sender_id"]) for row in rows])
    train, held = np.flatnonzero(is_training), np.flatnonzero(~is_training)
    goals = network.Goals([rows[i] for i in train], names)
    inputs = features[train]
    folds = network.folds_of([rows[i] for i in train], cfg.seed)
    first, second = network.crossed(inputs, goals, folds, names, cfg)
    heads = network.train(inputs, goals, np.arange(len(train)), names, cfg)
    sure = goals.sure
    powers = {
        "first.power": np.array([network.power(first[sure], goals.main[sure])]),
        "second.power": np.array([network.power(second[sure], goals.other[sure])]),
    }
    heads = replace(heads, tensors={**heads.tensors, **powers})
    if file is not None:
        heads.save(file)
    agreement = {"training senders, by folds": network.measured(first, second, goals)}
    if len(held):
        unseen = network.Goals([rows[i] for i in held], names)
        agreement["validation senders"] = network.measured(*heads(features[held]), unseen)
    return {**agreement, "powers": {name: float(value[0]) for name, value in powers.items()}}


def main() -> None:
    """Fit, print, and write ``colour.json`` and ``colour.safetensors`` where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=ipl_home() / "models" / "ipl-mini")
    parser.add_argument("--masks", type=Path, help="file that keeps the masks")
    parser.add_argument("--features", type=Path, help="file that keeps what the backbone and the pixels say")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="write colour.json of the networks and the weights")
    args = parser.parse_args()
    rows = [{**row, "colour": row["c"][0], "colour2": ([*row["c"], None])[1]} for row in read_details(args.data)]
    masks = masks_of(rows, args.masks)
    print(json.dumps({"pixels": fit_pixels(rows, masks, args.write)}), flush=True)
    features = network.features_of(rows, masks, args.model, args.features)
    cfg = network.NetworkConfig(seed=args.seed)
    print(json.dumps(fit_network(rows, features, cfg, WEIGHTS / FILE if args.write else None)))


if __name__ == "__main__":
    main()
