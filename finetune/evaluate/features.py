"""Pooled features of the vision tower for annotated photos, kept in one file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from finetune.data.photosets import open_photo


def features(rows: Sequence[dict[str, Any]], encoders: Any, cache: Path, batch: int = 32) -> np.ndarray:
    """float32 [rows, dimensions], each of length 1; photos that the cache holds are not encoded again.

    Args:
        encoders: ``rag_index.encoders.Encoders``; the cache belongs to one image model.
    """
    known: dict[str, np.ndarray] = {}
    if cache.is_file():
        with np.load(cache, allow_pickle=False) as kept:
            known = dict(zip(kept["names"].tolist(), kept["vectors"].astype(np.float32), strict=True))
    todo = [row["image"] for row in rows if Path(row["image"]).name not in known]
    for start in range(0, len(todo), batch):
        part = todo[start : start + batch]
        vectors = encoders.image_vectors([open_photo(path) for path in part])
        known.update({Path(path).name: vector for path, vector in zip(part, vectors, strict=True)})
    if todo:
        cache.parent.mkdir(parents=True, exist_ok=True)
        scratch = cache.with_suffix(".tmp.npz")
        np.savez(scratch, names=np.array(list(known)), vectors=np.stack(list(known.values())).astype(np.float16))
        scratch.replace(cache)
    return np.stack([known[Path(row["image"]).name] for row in rows])
