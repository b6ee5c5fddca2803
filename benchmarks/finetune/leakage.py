"""Do the retrieval rules hold, and what would figures look like without them?

    python -m benchmarks.finetune.leakage

All validation items are put into the index beside the sample, as a marketplace would have them, and each is looked up
again under its own id, seller and photo hash. Violations are counted apart from the index's own code: same listing,
same seller, hashes within six bits, or a cosine above 0.95. With the rules off the nearest listing is the item itself,
and copying it looks like a perfect system: that is how much a leak would flatter.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from finetune.data.photosets import data_root, read_annotations
from finetune.data.splits import split_rows
from finetune.evaluate.image_cache import features
from finetune.evaluate.measures import attribute_scores, rouge_l
from listing.home import ipl_home
from rag_index import (
    Encoders,
    IndexRecord,
    ListingIndex,
    Neighbour,
    Query,
    Rules,
    build,
    default_encoders,
    retrieve,
    sample_facts,
    sample_records,
)

NEAREST = 8
BITS, COSINE = 6, 0.95
WAYS = {
    "on": Rules(),
    "off but for the item itself": Rules(same_seller=False, near_duplicate=False),
    "off": Rules.off(),
}
Row = dict[str, Any]


def record(row: Row, vector: np.ndarray, phash: str) -> IndexRecord:
    """A validation item as a past listing."""
    from listing.safety.contacts import scrub

    return IndexRecord(
        listing_id=f"item-{Path(row['image']).stem}",
        seller_id=f"sample-{row['sender_id']}",
        category=row["label"],
        phashes=[phash],
        image_vectors=[vector.astype(float).tolist()],
        text=scrub(f"{row['title']}\n{row['description']}"),
        attributes={name: scrub(value) for name, value in sample_facts(row).items()},
        origin="sample",
    )


def violations(own: IndexRecord, found: list[Neighbour], vectors: dict[str, np.ndarray]) -> list[str]:
    """Which rules a list of neighbours breaks, worked out from the records alone."""
    out = []
    for neighbour in found:
        other = neighbour.record
        bits = min((int(a, 16) ^ int(b, 16)).bit_count() for a in own.phashes for b in other.phashes)
        cosine = float(np.dot(vectors[own.listing_id], vectors[other.listing_id]))
        broken = {
            "same_item": other.listing_id == own.listing_id,
            "same_seller": other.seller_id == own.seller_id,
            "near_duplicate": bits <= BITS or cosine > COSINE,
        }
        out += [name for name, is_broken in broken.items() if is_broken]
    return out


def measure(rows: list[Row], own: list[IndexRecord], base: list[IndexRecord], encoders: Encoders) -> dict[str, Any]:
    """Violations and copied texts' figures, with the rules on and off."""
    vectors = {r.listing_id: _unit(r.image_vectors[0]) for r in [*own, *base]}
    result: dict[str, Any] = {"items": len(own), "index": len(own) + len(base)}
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch) / "index"
        build([*base, *own], place, encoders.info)
        with ListingIndex.open(place, encoders.info) as index:
            for name, rules in WAYS.items():
                near = [retrieve(index, _query(r), NEAREST, rules) for r in own]
                broken = [violations(r, found, vectors) for r, found in zip(own, near, strict=True)]
                counts = {
                    kind: sum(b.count(kind) for b in broken) for kind in ("same_item", "same_seller", "near_duplicate")
                }
                result[f"rules {name}"] = {
                    "neighbours": sum(map(len, near)),
                    "violations": counts,
                    "items with a violation": sum(map(bool, broken)),
                    **copied(rows, near),
                }
    return result


def copied(rows: list[Row], near: list[list[Neighbour]]) -> dict[str, float]:
    """What copying the nearest listing is worth: category, attributes, ROUGE-L of the text."""
    nearest = [found[0].record if found else None for found in near]
    texts = [
        rouge_l(n.text if n else "", f"{r['title']}\n{r['description']}") for n, r in zip(nearest, rows, strict=True)
    ]
    hits = [n is not None and n.category == r["label"] for n, r in zip(nearest, rows, strict=True)]
    scores = attribute_scores(rows, [n.attributes if n else {} for n in nearest])
    return {
        "category_accuracy": float(np.mean(hits)),
        "micro_f1": scores["micro_f1"],
        "rouge_l": float(np.mean(texts)),
    }  # fmt: skip


def _query(item: IndexRecord) -> Query:
    return Query(
        image_vectors=item.image_vectors,
        phashes=tuple(item.phashes),
        listing_id=item.listing_id,
        seller_id=item.seller_id,
    )


def _unit(vector: list[float]) -> np.ndarray:
    found = np.asarray(vector, np.float64)
    return found / np.linalg.norm(found)


def hashes(rows: list[Row]) -> Iterator[str]:
    """Perceptual hash of each photo, as intake makes it."""
    from listing.intake.photos import intake

    for row in rows:
        yield intake([row["image"]])[0].ref.phash


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=data_root() / "clothing_cc0")
    parser.add_argument("--store", type=Path, default=ipl_home() / "evaluation", help="where features are kept")
    args = parser.parse_args()
    _, rows = split_rows(read_annotations(args.data))
    encoders = default_encoders(ipl_home())
    made = features(rows, encoders, args.store / f"features-validation-{encoders.info.image.revision}.npz")
    own = [record(row, vector, phash) for row, vector, phash in zip(rows, made, hashes(rows), strict=True)]
    result = measure(rows, own, list(sample_records(encoders.info)), encoders)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
