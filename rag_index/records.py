"""The record that the index accepts: text already scrubbed, hashes already computed (by the caller)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class IndexRecord(BaseModel):
    """One past listing. ``image_vectors`` is one vector per photo; ``phashes`` are 16 hex digits, one per photo.

    ``listed_on``: the day on which it went on sale. ``text`` must hold no contact data any more: the caller scrubs it
    and passes the index a check that it was done.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    listing_id: str
    seller_id: str
    category: str
    phashes: list[str] = Field(default_factory=list)
    image_vectors: list[list[float]] = Field(default_factory=list)
    text: str = ""
    text_vector: list[float] | None = None
    attributes: dict[str, str] = Field(default_factory=dict)
    price: float | None = None
    currency: str | None = None
    sold: bool = False
    listed_on: date | None = None
    origin: Literal["user", "sample", "world"] = "user"

    @property
    def tells_prices(self) -> bool:
        """True for a price that a person asked: sample and simulated listings tell nothing of prices."""
        price = self.price or 0.0
        return self.origin == "user" and bool(self.currency) and math.isfinite(price) and price > 0


@dataclass(frozen=True)
class Neighbour:
    """A past listing that may be used. Its record carries no vectors.

    score: fused rank score over its possible maximum, 0..1. image_cosine, text_cosine: None where that search did not
    find it.
    """

    record: IndexRecord
    score: float
    image_cosine: float | None
    text_cosine: float | None

    @property
    def similarity(self) -> float:
        """0..1, from the photos where they were compared, else from the text."""
        cosine = self.image_cosine if self.image_cosine is not None else self.text_cosine
        return max(0.0, cosine or 0.0)
