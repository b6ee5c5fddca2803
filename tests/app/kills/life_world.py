"""What must be true of a store: drafts, listings and orders as their seller last set them."""

from __future__ import annotations

from dataclasses import dataclass, field

ENDED = ("refunded", "cancelled")


@dataclass
class DraftModel:
    """An unpublished draft: its photos in their order, and the words that stand in it."""

    id: str
    photos: list[str]
    words: list[str]
    state: str = "ready"
    price: float | None = None


@dataclass
class ListingModel:
    """A listing as its seller last set it. words: all that ever stood in it or its draft."""

    id: str
    draft: str
    key: str
    photos: list[str]
    title: str
    price: float | None
    words: list[str]
    status: str = "active"
    stock: int = 1


@dataclass
class OrderModel:
    """An order; it outlives its listing."""

    id: str
    listing: str
    amount: float
    state: str = "open"
    lines: list[str] = field(default_factory=list)  # messages, and what was done, as its conversation has them


@dataclass
class World:
    """Everything that must be true of the store."""

    drafts: dict[str, DraftModel] = field(default_factory=dict)
    listings: dict[str, ListingModel] = field(default_factory=dict)
    orders: dict[str, OrderModel] = field(default_factory=dict)
    gone_photos: set[str] = field(default_factory=set)
    gone_words: set[str] = field(default_factory=set)

    def standing(self, listing: str) -> list[OrderModel]:
        """Orders of a listing that were neither given back nor cancelled."""
        return [o for o in self.orders.values() if o.listing == listing and o.state not in ENDED]

    def forget(self, item: DraftModel | ListingModel) -> None:
        """It was deleted: no photo and no word of it may be left."""
        self.gone_photos.update(item.photos)
        self.gone_words.update(item.words)
