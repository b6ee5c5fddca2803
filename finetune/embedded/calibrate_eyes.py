"""Fit what the evidence tower's details and signs of wear are worth: ``eyes_calibration.json``.

    python -m finetune.embedded.calibrate_eyes --data PHOTOS [--write]

On photos of unseen senders: logit of right = a + b * logit of the tower + an offset of the phrase, drawn towards 0
where the phrase is rare. Printed figures are cross-fitted over halves of the senders. A description does not say all
that a photo shows, so that these probabilities are too modest: for details they are fitted once more to what a reader
found on 96 of the photos (``finetune/annotations/details_read.jsonl``; what could not be told counts as wrong).
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
from listing.home import ipl_home
from listing.observe.networks.evidence_tower import CALIBRATION, EvidenceTower

LABELS = Path(__file__).parents[1] / "annotations" / "details_read.jsonl"
SHOWN = 0.2  # the least probability by the descriptions at which the reader was shown a detail
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


def seen(rows: list[dict[str, Any]], eyes: EvidenceTower, file: Path | None) -> list[dict[str, Any]]:
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


class Read:
    """The second curve: probability by the descriptions -> probability that a reader finds the detail."""

    def __init__(self, phrases: list[str], labels: list[tuple[str, float, bool]]) -> None:
        from sklearn.linear_model import LogisticRegression

        self.phrases = phrases
        inputs = np.concatenate([self._inputs(phrase, np.array([p])) for phrase, p, _ in labels])
        self.model = LogisticRegression(C=0.5, max_iter=500).fit(inputs, [right for *_, right in labels])

    def _inputs(self, phrase: str, p: np.ndarray) -> np.ndarray:
        which = np.zeros((len(p), len(self.phrases)))
        which[:, self.phrases.index(phrase)] = 1.0
        return np.hstack([logit(np.maximum(p, SHOWN)).reshape(-1, 1), which])

    def __call__(self, phrase: str, p: np.ndarray) -> np.ndarray:
        """Nothing below ``SHOWN`` was read: there it falls off quickly."""
        return np.asarray(self.model.predict_proba(self._inputs(phrase, p))[:, 1] * np.minimum(1.0, p / SHOWN) ** 2)


def reading(phrases: list[str], rows: list[dict[str, Any]], by_description: np.ndarray) -> Read:
    """Fit to the reader's labels, and print what halves of the photos say of each other."""
    place = {Path(row["image"]).name: i for i, row in enumerate(rows)}
    read = [json.loads(line) for line in LABELS.read_text(encoding="utf-8").splitlines()]
    labels = [
        (r["phrase"], float(by_description[place[r["image"]], phrases.index(r["phrase"])]), r["label"] == "right")
        for r in read
    ]
    half = [place[r["image"]] % 2 for r in read]
    said = []
    for test in (0, 1):
        fitted = Read(phrases, [label for label, h in zip(labels, half, strict=True) if h != test])
        for (phrase, p, right), h in zip(labels, half, strict=True):
            if h == test:
                said.append((float(fitted(phrase, np.array([p]))[0]), right))
    photos = len({r["image"] for r in read})
    for least in (0.5, 0.6, 0.7, 0.8):
        kept = [right for p, right in said if p >= least]
        share = round(float(np.mean(kept)), 3) if kept else None
        print(json.dumps({"read, at least": least, "a photo": round(len(kept) / photos, 2), "right": share}))
    return Read(phrases, labels)


def main() -> None:
    """Fit, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=ipl_home() / "models" / "ipl-mini")
    parser.add_argument("--sights", type=Path, help="file that keeps what the tower saw")
    parser.add_argument("--write", action="store_true", help=f"write {CALIBRATION} into finetune/weights")
    args = parser.parse_args()
    eyes = EvidenceTower(args.model, raw=True)
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
        if head == "details":
            read = reading(phrases, rows, Fitted(raw, right)(raw))
            grid = np.stack([read(phrase, grid[:, i]) for i, phrase in enumerate(phrases)], axis=1)
        curves[head] = {
            phrase: {"raw": GRID, "right": grid[:, i].round(4).tolist()} for i, phrase in enumerate(phrases)
        }
    if args.write:
        (WEIGHTS / CALIBRATION).write_text(json.dumps(curves) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
