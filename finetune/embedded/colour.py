"""Train the colour network of ``listing.evidence.colour`` on the training senders' photos.

    python -m finetune.embedded.colour --data PHOTOS [--write]   # prints agreement on unseen senders; minutes

Five networks of different seeds, each a hidden layer of 64; a second annotated colour has a quarter of the target.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from finetune.data.photosets import open_photo, read_annotations
from finetune.data.splits import is_validation_sender
from finetune.embedded.masks import masks_of
from listing.evidence import colour

K, HIDDEN, NETWORKS, EPOCHS = 64, 64, 5, 60
WRONG_RIGHTS = 0.01  # share of right colours that may be contradicted


def codebook(labs: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """[k, 3]: k-means of pixels of the items."""
    from scipy.cluster.vq import kmeans2

    rng = np.random.default_rng(0)
    sample = np.concatenate([lab[inside][rng.integers(0, int(inside.sum()), 60)] for lab, inside in labs])
    return np.asarray(kmeans2(sample, K, minit="++", seed=0, iter=20)[0])


def targets(rows: list[dict[str, Any]], names: list[str]) -> torch.Tensor:
    """[n, names]: the main colour, with a quarter for a second one."""
    out = torch.zeros(len(rows), len(names))
    for goal, row in zip(out, rows, strict=True):
        second = row["colour2"] in names
        goal[names.index(row["colour"])] = 0.75 if second else 1.0
        if second:
            goal[names.index(row["colour2"])] += 0.25
    return out


def train(inputs: torch.Tensor, goal: torch.Tensor, seed: int) -> nn.Sequential:
    """One network."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = nn.Sequential(
        nn.Dropout(0.2),
        nn.Linear(inputs.shape[1], HIDDEN),
        nn.GELU(),
        nn.Dropout(0.4),
        nn.Linear(HIDDEN, goal.shape[1]),
    )
    optimizer = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=0.05)
    for _ in range(EPOCHS):
        for batch in np.array_split(rng.permutation(len(inputs)), len(inputs) // 64):
            loss = -(goal[batch] * network(inputs[batch]).log_softmax(-1)).sum(1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return network.eval()


def limit(shares: np.ndarray, right: np.ndarray) -> float:
    """The probability below which ``WRONG_RIGHTS`` of the annotated colours lie: shares [n, names], right [n]."""
    return float(np.quantile(shares[np.arange(len(right)), right], WRONG_RIGHTS))


def main() -> None:
    """Train, print, and write ``colour.json`` where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--masks", type=Path, help="file that keeps the masks")
    parser.add_argument("--write", action="store_true", help="write listing/evidence/colour.json")
    args = parser.parse_args()
    rows = [r for r in read_annotations(args.data) if "colour" not in r["guess"] and r["label_ok"]]
    masks = masks_of(rows, args.masks)
    labs = [colour.small_lab(open_photo(row["image"]), mask) for row, mask in zip(rows, masks, strict=True)]
    known = np.array([not is_validation_sender(row["sender_id"]) for row in rows])
    book = codebook([lab for lab, use in zip(labs, known, strict=True) if use])
    described = np.stack([colour.describe(lab, inside, book) for lab, inside in labs])
    mean, deviation = described[known].mean(0), described[known].std(0) + 1e-3
    inputs = torch.tensor((described - mean) / deviation, dtype=torch.float32)
    names = sorted({row["colour"] for row in rows})
    goal = targets(rows, names)
    networks = [train(inputs[known], goal[known], seed) for seed in range(NETWORKS)]
    with torch.inference_mode():
        shares = torch.stack([network(inputs).softmax(-1) for network in networks]).mean(0).numpy()
    first = np.array([names.index(row["colour"]) for row in rows])
    best = shares.argmax(1)
    either = np.array([names[b] in (row["colour"], row["colour2"]) for b, row in zip(best, rows, strict=True)])
    unseen = ~known
    fitted = limit(shares[known], first[known])
    result = {
        "photos": int(unseen.sum()),
        "main colour": round(float((best == first)[unseen].mean()), 3),
        "main or second colour": round(float(either[unseen].mean()), 3),
        "contradicted right ones": round(float((shares[unseen, first[unseen]] < fitted).mean()), 3),
    }
    print(json.dumps(result))
    if args.write:
        layers = [m for network in networks for m in network if isinstance(m, nn.Linear)]
        facts = {
            "names": names,
            "limit": round(limit(shares[unseen], first[unseen]), 5),
            "codebook": book.round(2).tolist(),
            "mean": mean.round(5).tolist(),
            "deviation": deviation.round(5).tolist(),
            "layers": [
                [np.round(m.weight.detach().numpy(), 4).tolist(), np.round(m.bias.detach().numpy(), 4).tolist()]
                for m in layers
            ],
        }
        colour.MODEL_FILE.write_text(json.dumps(facts, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
