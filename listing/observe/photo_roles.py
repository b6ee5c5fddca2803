"""The role of a photo: it shows the item, or a label, or nothing that could be sold.

A photo that the towers know shows the item, whatever else is on it. Of the others, one with the words of a label is a
label; one on which the mask finds nothing, in which ImageNet sees next to nothing that is sold, or that is a page of
text, shows no item. Every other one is taken to show the item, known or not: a seller photographs what they sell.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from typing import Literal

from listing.observe.past_listings import PastListings
from listing.observe.printed.labels import label_words
from listing.observe.printed.ocr import OcrSpan
from listing.observe.source import Context, Source
from listing.request import Photo
from listing.schema import CLOTHES, Observation

Role = Literal["item", "label", "nothing"]
SURE = 0.65  # of the likeliest category: such a photo shows an item, and its text is not read for this
LABEL_LINES = 2  # of a label's words, where no tower says what a photo shows
FAMILIAR = 0.55  # cosine of the nearest past listing: of 400 catalogue photos 98 in 100 have one, of blank ones none
_LOST = 0.35  # below it the towers know no category
_OTHER = 0.35  # probability of another known item
_FOREIGN = 0.2  # of clothes and all other leaves together: a landscape or a face has less, furniture and packets more
_PAGE_LINES, _EVEN = 12, 1.7  # a page of text, by its lines: how many, and the highest over the median one


class PhotoRoles(Source):
    """The role of each photo, by what the towers, ImageNet, the mask and print say of it."""

    name = "roles"

    def __init__(self, search: PastListings | None = None) -> None:
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
        view = context.of("evidence_tower", "category", photo)
        if not view:
            return "label" if label_words(context.lines(photo)) >= LABEL_LINES else "item"
        top = max(view.values())
        if top >= SURE:
            return "item"
        if label_words(context.lines(photo)):
            return "label"
        leaves = context.of("imagenet", "category", photo)
        others = {name: p for name, p in leaves.items() if name not in context.taxonomy.tuned()}
        if top >= _LOST or max(others.values(), default=0.0) >= _OTHER:
            return "item"
        for_sale = context.of("imagenet", "garment", photo).get(CLOTHES, 0.0) + sum(others.values())
        foreign = bool(leaves) and (for_sale < _FOREIGN or is_page(context.lines(photo)))
        return "nothing" if foreign or context.masks.get(photo, photo) is None else "item"


def is_page(lines: Sequence[OcrSpan]) -> bool:
    """True of a receipt, a letter or a screen: many lines of like height. A packet names itself in larger letters."""
    heights = [line.box[3] - line.box[1] for line in lines]
    return len(heights) >= _PAGE_LINES and max(heights) <= _EVEN * statistics.median(heights)
