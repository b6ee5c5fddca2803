"""Small listings: 8 numbers a photo, 4 a text, records that only differ where a test says so."""

from __future__ import annotations

import numpy as np

from rag_index import EncoderInfo, EncodersInfo, IndexRecord

IMAGE, TEXT = 8, 4
INFO = EncodersInfo(
    image=EncoderInfo(model="tower", revision="aaaa", dimensions=IMAGE),
    text=EncoderInfo(model="minilm", revision="bbbb", dimensions=TEXT),
)


def unit(values: np.ndarray) -> list[float]:
    return [float(x) for x in values / np.linalg.norm(values)]


def make(number: int, **changes: object) -> IndexRecord:
    """Listing ``number``: vectors, hash and seller of its own, reproducible."""
    rng = np.random.default_rng(number)
    fields: dict[str, object] = {
        "listing_id": f"l{number}",
        "seller_id": f"s{number}",
        "category": "Hat" if number % 2 else "Dress",
        "phashes": [f"{int(rng.integers(0, 2**63)):016x}"],
        "image_vectors": [unit(rng.standard_normal(IMAGE))],
        "text": f"Listing number {number}",
        "text_vector": unit(rng.standard_normal(TEXT)),
        "attributes": {"colour": "blue"},
    }
    return IndexRecord.model_validate({**fields, **changes})
