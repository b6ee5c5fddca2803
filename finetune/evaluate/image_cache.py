"""What is seen and read in a photo without the multimodal model: the ImageNet head's view, and legible text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from finetune.evaluate.row_cache import RowCache
from listing.taxonomy import Taxonomy

READ = ("brand", "text", "size", "material")


def look(rows: Sequence[dict[str, Any]], folder: Path, taxonomy: Taxonomy, cache: Path) -> list[dict[str, Any]]:
    """One row per photo ``{image, garment, imagenet, read, phash}``; what the cache holds is not looked at again.

    Args:
        folder: a model folder; without ``imagenet.safetensors`` everything counts as a garment, as in serving.

    garment: probability 0..1. imagenet: leaf -> probability. read: attribute -> value in legible text.
    """
    from listing.evidence.category import garment_probability, load_rule
    from listing.evidence.imagenet import ImageNetClassifier, category_scores, mean_probabilities
    from listing.evidence.ocr import Reader
    from listing.facts.printed_facts import read_facts
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
                    "read": {fact.name: fact.value for fact in read_facts(request, node, reader)},
                    "phash": photo.ref.phash,
                }
            )
    return [kept[Path(row["image"]).name] for row in rows]
