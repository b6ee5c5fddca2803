"""The shipped sample as records: texts and facts of real garments, their vectors, no photos, no prices."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

from rag_index.errors import IndexMismatch
from rag_index.records import IndexRecord
from rag_index.storage.manifest import EncodersInfo

SAMPLE_FOLDER = Path(__file__).parent


def sample_encoders(folder: Path = SAMPLE_FOLDER) -> EncodersInfo:
    """The models that made the sample's vectors."""
    from safetensors import safe_open

    with safe_open(folder / "vectors.safetensors", "np") as file:
        return EncodersInfo.model_validate_json(file.metadata()["encoders"])


def sample_records(encoders: EncodersInfo, folder: Path = SAMPLE_FOLDER) -> Iterator[IndexRecord]:
    """All listings of the sample.

    IndexMismatch: their vectors were made by other weights than ``encoders``; there are no photos to make new ones.
    """
    from safetensors.numpy import load_file

    shipped = sample_encoders(folder)
    for kind in ("image", "text"):
        if getattr(shipped, kind).revision != getattr(encoders, kind).revision:
            raise IndexMismatch(
                f"The sample listings' vectors belong to the {kind} model {getattr(shipped, kind).model} with other "
                "weights than the one in use: build from a table of your own (ipl index build --from TABLE), or start "
                "empty (--empty)."
            )
    vectors = load_file(folder / "vectors.safetensors")
    with gzip.open(folder / "listings.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    for row, image, text in zip(rows, vectors["image"], vectors["text"], strict=True):
        yield IndexRecord(
            listing_id=row["listing_id"],
            seller_id=row["seller_id"],
            category=row["category"],
            phashes=[row["phash"]],
            image_vectors=[image.astype(float).tolist()],
            text=row["text"],
            text_vector=text.astype(float).tolist(),
            attributes=row["attributes"],
            origin="sample",
        )
