"""Garment or not, and which leaf: the opinions of the tuned sources beside the untuned ImageNet head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from PIL import Image

from listing.decide.category import decide, garment_probability, load_rule, log_ratio
from listing.observe.networks.imagenet import ImageNetClassifier, category_scores, mean_probabilities
from listing.observe.photo_roles import Range
from listing.decide.pool import Distribution
from listing.schema import Category
from listing.taxonomy import Taxonomy


class Router:
    """Decides an item's category. Without a folder with ``imagenet.safetensors`` it knows garments alone."""

    def __init__(self, folder: Path | None, taxonomy: Taxonomy) -> None:
        self.folder = folder
        self.taxonomy = taxonomy

    @cached_property
    def _imagenet(self) -> ImageNetClassifier | None:
        folder = self.folder
        return ImageNetClassifier(folder) if folder and (folder / "imagenet.safetensors").is_file() else None

    def range_of(self, photo: Image.Image) -> Range | None:
        """How far the photo shows a garment or another known thing; None without the ImageNet head."""
        if self._imagenet is None:
            return None
        probabilities = self._imagenet.probabilities(photo)
        tuned = self.taxonomy.tuned()
        others = [p for name, p in category_scores(probabilities, self.taxonomy).items() if name not in tuned]
        return Range(log_ratio(probabilities, self.taxonomy), max(others, default=0.0))

    def decide(
        self,
        photos: Sequence[Image.Image],
        opinions: Mapping[str, Distribution],
        weights: Mapping[str, float] | None = None,
    ) -> Category:
        """See ``listing.decide.category.decide``; the order of the photos makes no difference.

        weights: of the sources among garments, where they are not those of the embedded model.
        """
        rule = load_rule()
        if weights is not None:
            rule = rule.model_copy(update={"weights": {**weights}})
        if self._imagenet is None:
            return decide(opinions, self.taxonomy, rule=rule)
        probabilities = mean_probabilities([self._imagenet.probabilities(photo) for photo in photos])
        garment = garment_probability(probabilities, self.taxonomy, rule)
        seen = {**opinions, "imagenet": category_scores(probabilities, self.taxonomy)}
        return decide(seen, self.taxonomy, garment=garment, rule=rule)
