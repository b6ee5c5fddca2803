"""A few words of our own, and an encoder that finds words alike whose letters are."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from rag_index.imports.words import Vocabulary

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
