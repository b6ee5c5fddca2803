"""The role of a photo: it shows the item, or a label, or nothing that could be sold.

A photo that the towers know shows the item, whatever else is on it. Of the others, one with the words of a label is a
label; one on which the mask finds nothing, or ImageNet neither a garment nor another known item, shows no item.
The limits were chosen on training senders.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from listing.calibration import log_ratio
from listing.observe.neighbours import NeighbourSearch
from listing.observe.printed.labels import label_words
from listing.observe.source import Context, Source
from listing.request import Photo
from listing.schema import CLOTHES, Observation

Role = Literal["item", "label", "nothing"]
SURE = 0.65  # of the likeliest category: such a photo shows an item, and its text is not read for this
LABEL_LINES = 2  # of a label's words, where no tower says what a photo shows
FAMILIAR = 0.55  # cosine of the nearest past listing: of 400 catalogue photos 98 in 100 have one, of blank ones none
_LOST = 0.35  # below it the towers know no category
_STRANGE = -1.3  # log ratio of clothes to other items, below which ImageNet sees no garment
_OTHER = 0.35  # probability of another known item


class PhotoRoles(Source):
    """The role of each photo, by what the towers, ImageNet, the mask and print say of it."""

    name = "roles"

    def __init__(self, search: NeighbourSearch | None = None) -> None:
        self.search = search

    def observe(self, photos: Sequence[Photo], context: Context) -> Iterator[Observation]:
        """One role a photo."""
        for i, photo in enumerate(photos):
            role = self._role(i, context)
            if role == "nothing" and self._is_familiar(photo, context):
                role = "item"
            yield Observation(source=self.name, question="role", photo=i, probabilities={role: 1.0})

    def _is_familiar(self, photo: Photo, context: Context) -> bool:
        """True if a past listing looks like the photo: then it shows an item, though no network knows its kind."""
        if self.search is None:
            return False
        near = self.search.find([photo], category=None, seller_id=context.request.seller_id)
        return near.similarity >= FAMILIAR

    def _role(self, photo: int, context: Context) -> Role:
        views = [view for name in ("tower", "evidence_tower") if (view := context.of(name, "category", photo))]
        if not views:
            return "label" if label_words(context.lines(photo)) >= LABEL_LINES else "item"
        top = max(sum(view.get(value, 0.0) for view in views) / len(views) for value in views[0])
        if top >= SURE:
            return "item"
        if label_words(context.lines(photo)):
            return "label"
        leaves = context.of("imagenet", "category", photo)
        others = {name: p for name, p in leaves.items() if name not in context.taxonomy.tuned()}
        if top >= _LOST or max(others.values(), default=0.0) >= _OTHER:
            return "item"
        clothes = context.of("imagenet", "garment", photo).get(CLOTHES, 0.0)
        strange = bool(leaves) and log_ratio(clothes, sum(others.values())) < _STRANGE
        return "nothing" if strange or context.masks.get(photo, photo) is None else "item"
