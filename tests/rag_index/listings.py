"""Small listings (8 numbers a photo, 4 a text), and a few words with an encoder that goes by their letters."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from rag_index import EncoderInfo, EncodersInfo, IndexRecord
from rag_index.imports.words import Vocabulary

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


COLOURS = {"black": ("jet black",), "navy": ("navy blue", "dark blue"), "red": ("cherry",), "white": ("cream",)}
WORDS = Vocabulary(
    kinds={
        "Hat": ("hat", "cap", "beanie"),
        "Dress": ("dress", "gown"),
        "T-Shirt": ("t-shirt", "tee"),
        "Shoes": ("shoes",),
    },
    values={
        "colour": {**COLOURS, "beige": ("cream", "sand")},
        "material": {"cotton": ("jersey",), "leather": ()},
        "size": {},
        "brand": {},
        "audience": {"women": ("female",), "men": ("male",)},
        "condition_grade": {"good": (), "fair": ()},
    },
    nouns={"tunic": ("Dress", "T-Shirt"), "frock": ("Dress",)},
    has={
        "Hat": frozenset(("colour", "size", "brand")),
        "T-Shirt": frozenset(("colour", "material", "size", "brand", "audience")),
    },
)


def by_letters(texts: Sequence[str]) -> np.ndarray:
    """float32 [texts, 256]: which runs of three letters occur."""
    vectors = np.zeros((len(texts), 256), np.float32)
    for row, text in zip(vectors, texts, strict=True):
        padded = f"  {text.lower()} "
        for start in range(len(padded) - 2):
            row[zlib.crc32(padded[start : start + 3].encode()) % 256] = 1
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
