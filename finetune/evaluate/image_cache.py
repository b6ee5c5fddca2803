"""What is worked out of each photo once: the ImageNet head's view, legible text, and the tower's pooled features."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from finetune.data.photosets import open_photo
from finetune.evaluate.row_cache import RowCache
from listing.taxonomy import Taxonomy

READ = ("brand", "text", "size", "material")


def image_views(rows: Sequence[dict[str, Any]], folder: Path, taxonomy: Taxonomy, cache: Path) -> list[dict[str, Any]]:
    """One row per photo ``{image, garment, imagenet, read, phash}``; what the cache holds is not looked at again.

    garment: probability, 1 where ``folder`` has no ImageNet head. imagenet: leaf -> probability. read: attribute ->
    value in legible text.
    """
    from listing.decide.category import garment_probability, load_rule
    from listing.observe.networks.imagenet import ImageNetClassifier, category_scores, mean_probabilities
    from listing.observe.printed.ocr import Reader
    from listing.decide.printed_facts import read_facts
    from listing.intake.photos import intake
    from listing.request import DraftRequest

    kept = RowCache(cache, lambda row: str(row["image"]))
    todo = [row for row in rows if Path(row["image"]).name not in kept]
    if todo:
        reader = Reader()
        head = ImageNetClassifier(folder) if (folder / "imagenet.safetensors").is_file() else None
        node = next(node for node in taxonomy.leaves() if all(name in node.attributes for name in READ))
        for row in todo:
            request = DraftRequest(photos=intake([row["image"]]))
            photo = request.photos[0]
            garment, scores = 1.0, {}
            if head is not None:
                seen = mean_probabilities([head.probabilities(photo.image)])
                garment, scores = garment_probability(seen, taxonomy, load_rule()), category_scores(seen, taxonomy)
            kept.put(
                {
                    "image": Path(row["image"]).name,
                    "garment": garment,
                    "imagenet": {name: p for name, p in scores.items() if p > 1e-6},
                    "read": {fact.name: fact.value for fact in read_facts(request, node, [reader.read(photo.image)])},
                    "phash": photo.ref.phash,
                }
            )
    return [kept[Path(row["image"]).name] for row in rows]


def features(rows: Sequence[dict[str, Any]], encoders: Any, cache: Path, batch: int = 32) -> np.ndarray:
    """float32 [rows, dimensions], each of length 1; what the cache (of one image model) holds is not encoded again."""
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
