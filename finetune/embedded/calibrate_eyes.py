"""Fit what the evidence tower's details and signs of wear are worth: ``eyes_calibration.json``.

    python -m finetune.embedded.calibrate_eyes --data PHOTOS [--write]

On photos of unseen senders: logit of right = a + b * logit of the tower + an offset of the phrase, drawn towards 0
where the phrase is rare. Printed figures are cross-fitted over halves of the senders. A description does not say all
that a photo shows, so that these probabilities are too modest; ``docs/evaluation.md`` says how much.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from finetune.data.photosets import open_photo, read_annotations
from finetune.data.splits import split_rows
from finetune.embedded.assemble import WEIGHTS
from finetune.embedded.eyes import annotate
from finetune.evaluate.calibrate import halves
from finetune.evaluate.row_cache import RowCache
from listing.evidence.eyes import CALIBRATION, Eyes
from listing.home import ipl_home

OFFSET = 1.5  # how far a phrase's own offset may go: one-hot inputs of this size under the ridge penalty
GRID = (0.0, 0.005, 0.01, 0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 1.0)
_LEAST = 1e-3


def logit(p: np.ndarray) -> np.ndarray:
    """Log odds."""
    kept = np.clip(p, _LEAST, 1 - _LEAST)
    return np.asarray(np.log(kept / (1 - kept)))


class Fitted:
    """The curve of one head: raw [n, phrases] and right [n, phrases] -> probability."""

    def __init__(self, raw: np.ndarray, right: np.ndarray) -> None:
        from sklearn.linear_model import LogisticRegression

        self.count = raw.shape[1]
        self.model = LogisticRegression(C=1.0, max_iter=500).fit(self._inputs(raw), right.ravel())

    def _inputs(self, raw: np.ndarray) -> Any:
        from scipy.sparse import csr_array, hstack

        which = np.tile(np.eye(self.count) * OFFSET, (len(raw), 1))
        return hstack([csr_array(logit(raw).reshape(-1, 1)), csr_array(which)]).tocsr()

    def __call__(self, raw: np.ndarray) -> np.ndarray:
        """Probabilities of the same shape."""
        return np.asarray(self.model.predict_proba(self._inputs(raw))[:, 1].reshape(raw.shape))


def measured(p: np.ndarray, right: np.ndarray, photos: int) -> dict[str, float]:
    """At three thresholds: how many phrases a photo gets and how often the description says them, too."""
    out: dict[str, float] = {}
    for least in (0.3, 0.4, 0.5):
        said = p >= least
        out[f"said a photo at {least}"] = round(float(said.sum() / photos), 2)
        out[f"in the description at {least}"] = round(float(right[said].mean()), 3) if said.any() else float("nan")
    return out


def seen(rows: list[dict[str, Any]], eyes: Eyes, file: Path | None) -> list[dict[str, Any]]:
    """Details and wear of every photo as the tower gives them; ``file`` keeps them."""
    cache = RowCache(file, lambda row: str(row["image"])) if file else None
    out = []
    for row in rows:
        name = Path(row["image"]).name
        if cache is None or name not in cache:
            sight = eyes.look(open_photo(row["image"]))
            kept = {"image": name, **{head: getattr(sight, head) for head in eyes.any_of}}
            if cache is not None:
                cache.put(kept)
        else:
            kept = cache[name]
        out.append(kept)
    return out


def main() -> None:
    """Fit, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=ipl_home() / "models" / "ipl-mini")
    parser.add_argument("--sights", type=Path, help="file that keeps what the tower saw")
    parser.add_argument("--write", action="store_true", help=f"write {CALIBRATION} into finetune/weights")
    args = parser.parse_args()
    eyes = Eyes(args.model, raw=True)
    rows = split_rows(read_annotations(args.data))[1]
    annotate(rows)
    sights = seen(rows, eyes, args.sights)
    one, two = halves(rows)
    curves: dict[str, Any] = {}
    for head in eyes.any_of:
        phrases = eyes.values[head]
        raw = np.array([[sight[head][phrase] for phrase in phrases] for sight in sights])
        right = np.array([[float(phrase in row[head]) for phrase in phrases] for row in rows])
        crossed = np.zeros_like(raw)
        for train, test in ((one, two), (two, one)):
            crossed[test] = Fitted(raw[train], right[train])(raw[test])
        print(json.dumps({"head": head, **measured(crossed, right, len(rows))}))
        grid = Fitted(raw, right)(np.tile(np.array(GRID)[:, None], (1, len(phrases))))
        curves[head] = {
            phrase: {"raw": GRID, "right": grid[:, i].round(4).tolist()} for i, phrase in enumerate(phrases)
        }
    if args.write:
        (WEIGHTS / CALIBRATION).write_text(json.dumps(curves) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
