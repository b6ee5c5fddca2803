"""The untuned ImageNet head: all leaves of the tree that it knows, and how much it sees clothes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from listing.observe.networks.imagenet import FILE, ImageNetClassifier, category_scores, garment_share
from listing.observe.source import Context, Source, shares
from listing.request import Photo
from listing.schema import CLOTHES, Observation


class ImageNetHead(Source):
    """Category by leaf, and the question ``garment``: the share of clothes, whether they have a leaf or not."""

    name = "imagenet"

    def __init__(self, classifier: ImageNetClassifier) -> None:
        self.classifier = classifier

    @classmethod
    def load(cls, folder: Path) -> ImageNetHead | None:
        """The head of a model folder, or None where it has none."""
        return cls(ImageNetClassifier(folder)) if (folder / FILE).is_file() else None

    def observe(self, photos: Sequence[Photo], context: Context) -> Iterator[Observation]:
        """Leaves and the share of clothes, of each photo."""
        for i, photo in enumerate(photos):
            probabilities = self.classifier.probabilities(photo.image)
            leaves = category_scores(probabilities, context.taxonomy)
            clothes = {CLOTHES: round(garment_share(probabilities, context.taxonomy), 5)}
            yield Observation(source=self.name, question="category", photo=i, probabilities=shares(leaves))
            yield Observation(source=self.name, question="garment", photo=i, probabilities=clothes)
