"""Rules on what may not be retrieved for an item, in serving, in training data and in evaluation alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rag_index.records import IndexRecord


@dataclass(frozen=True)
class Query:
    """The item that neighbours are wanted for, as far as it is known."""

    image_vectors: Sequence[Sequence[float]] = ()  # [photos, dimensions]
    text_vector: Sequence[float] | None = None  # [dimensions] of the recognised text and predicted facts
    phashes: Sequence[str] = ()  # 16 hex digits a photo
    listing_id: str | None = None
    seller_id: str | None = None
    category: str | None = None  # only listings of this category are found; None searches all


@dataclass(frozen=True)
class Rules:
    """Leakage rules. All are on; a measurement of their effect switches them off, one or all.

    A near-duplicate is another photo of the same item: hashes within ``max_hamming`` bits (0..64), or a cosine of the
    photos' vectors above ``max_cosine``. README.md of this package says how the two were chosen.
    """

    same_item: bool = True
    same_seller: bool = True
    near_duplicate: bool = True
    max_hamming: int = 6
    max_cosine: float = 0.95

    def violation(self, query: Query, record: IndexRecord, cosine: float | None) -> str | None:
        """Which rule forbids the record, or None; ``cosine``: of the nearest photos, None when none were compared."""
        if self.same_item and query.listing_id is not None and record.listing_id == query.listing_id:
            return "same_item"
        if self.same_seller and query.seller_id is not None and record.seller_id == query.seller_id:
            return "same_seller"
        near = cosine is not None and cosine > self.max_cosine
        near = near or any(hamming(a, b) <= self.max_hamming for a in query.phashes for b in record.phashes)
        return "near_duplicate" if self.near_duplicate and near else None


def hamming(a: str, b: str) -> int:
    """Number of differing bits of two hashes in hex."""
    return (int(a, 16) ^ int(b, 16)).bit_count()
