"""Observations by question, source and photo, and how well each photo shows the item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from listing.decide.pool import Distribution, certainty, mean, over_photos
from listing.prompts import UNKNOWN
from listing.schema import Observation, Source

EVIDENCE_NAMES: Mapping[str, Source] = {  # of observations: as a draft's evidence names them
    "tower": "classifier",
    "evidence_tower": "classifier",
    "imagenet": "classifier",
    "heads": "classifier",
    "pixels": "pixels",
    "ocr": "ocr",
    "neighbours": "neighbours",
    "mllm": "mllm",
    "seller": "seller",
    "note": "seller",
}
_MIN_TRUST = 0.05  # a photo never counts for nothing: it may be the only one
_CLEAR = 0.5  # of the best photo's trust: what one such photo shows is enough


_WITHOUT_UNKNOWN = ("category", "garment", "detail", "item_type")


class Views:
    """All observations of one item of ``count`` photos, as the decisions need them."""

    def __init__(self, observations: Sequence[Observation], count: int) -> None:
        self.observations, self.count = observations, count

    def by(self, question: str, source: str) -> list[Observation]:
        """The observations of one source on one question."""
        return [o for o in self.observations if o.question == question and o.source == source]

    def speaks(self, source: str) -> bool:
        """True if a source has observed anything."""
        return any(o.source == source for o in self.observations)

    def first(self, question: str, source: str) -> str | None:
        """The value that a source states, or None."""
        return next((value for o in self.by(question, source) for value in o.probabilities), None)

    @cached_property
    def roles(self) -> list[str]:
        """The role of each photo: ``item``, ``label`` or ``nothing``."""
        roles = {o.photo: next(iter(o.probabilities)) for o in self.observations if o.question == "role"}
        return [roles.get(i, "item") for i in range(self.count)]

    @cached_property
    def items(self) -> list[int]:
        """Numbers of the photos that show the item; all of them where none does."""
        return [i for i, role in enumerate(self.roles) if role == "item"] or list(range(self.count))

    @cached_property
    def trust(self) -> list[float]:
        """How well each photo shows the item, 0..1: how sure towers or model are of its category there."""
        views = self.classifier("category") or self.per_photo("category", "mllm")
        trust = [0.0] * self.count
        for i in self.items:
            # Which photo shows the item best was not asked where nothing looks at single ones: the first is the cover.
            unseen = 1.0 if i == self.items[0] else _MIN_TRUST
            trust[i] = max(_MIN_TRUST, certainty(views[i])) if i in views else unseen
        return trust

    @cached_property
    def clear(self) -> list[int]:
        """Numbers of the photos that show the item well."""
        return [i for i in self.items if self.trust[i] >= _CLEAR * max(self.trust)]

    def per_photo(self, question: str, source: str) -> dict[int, Distribution]:
        """A source's distribution by photo; of an attribute, what is missing from 1 is ``unknown``."""
        views: dict[int, Distribution] = {
            o.photo: o.probabilities for o in self.by(question, source) if o.photo is not None
        }
        marks = question == "condition" and source == "evidence_tower"  # independent of each other
        return views if marks or question in _WITHOUT_UNKNOWN else {i: _completed(view) for i, view in views.items()}

    def classifier(self, question: str) -> dict[int, Distribution]:
        """The mean of the towers by photo."""
        towers = [self.per_photo(question, name) for name in ("tower", "evidence_tower")]
        photos = sorted({photo for views in towers for photo in views})
        return {i: mean([views[i] for views in towers if i in views]) for i in photos}

    def pooled(self, question: str) -> dict[str, Distribution]:
        """Distributions of a question by source over all photos that show the item, by its name in the calibration."""
        pools = {
            "classifier": over_photos(self._items(self.classifier(question)), self.trust)
            if question != "condition"
            else {},
            "pixels": over_photos(self._clear(self.per_photo(question, "pixels")), [1.0] * self.count),
            "heads": over_photos(self._items(self.per_photo(question, "heads")), self.trust),
            "neighbours": next((o.probabilities for o in self.by(question, "neighbours")), {}),
            "mllm": over_photos(self._items(self.per_photo(question, "mllm")), self.trust)
            or next((o.probabilities for o in self.by(question, "mllm") if o.photo is None), {}),
        }
        return {source: distribution for source, distribution in pools.items() if distribution}

    def _items(self, views: Mapping[int, Distribution]) -> dict[int, Distribution]:
        return {i: view for i, view in views.items() if self.trust[i] > 0}

    def _clear(self, views: Mapping[int, Distribution]) -> dict[int, Distribution]:
        return {i: view for i, view in views.items() if i in self.clear}


def _completed(view: Distribution) -> Distribution:
    unknown = 1.0 - sum(view.values())
    return {**view, UNKNOWN: unknown} if unknown > 0 else view
