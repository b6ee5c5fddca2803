"""Numbers of a photo for the heads that a shop's listings teach: ImageNet's, the evidence tower's, and its colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from listing.observe.networks import colour_pixels
from listing.observe.networks.evidence_tower import EvidenceTower
from listing.observe.networks.imagenet import ImageNetClassifier

VERSION = 1  # raise when the same networks give other numbers
BATCH = 8


class PhotoFeatures:
    """Each photo's pooled features of two frozen networks, which look at the whole of it, and its colours."""

    def __init__(self, classifier: ImageNetClassifier, tower: EvidenceTower) -> None:
        self.classifier, self.tower = classifier, tower

    def __call__(self, photos: Sequence[Image.Image]) -> np.ndarray:
        """float32 [photos, numbers]; the block of each network has length 1, that of the colours about 1."""
        book = colour_pixels.load_model().codebook
        rows = []
        for start in range(0, len(photos), BATCH):
            some = photos[start : start + BATCH]
            colours = np.stack([colour_pixels.describe(*colour_pixels.small_lab(photo, None), book) for photo in some])
            networks = (self.classifier.features(some), self.tower.features(some))
            rows.append(np.hstack([*(x / np.linalg.norm(x, axis=1, keepdims=True) for x in networks), colours / 3]))
        return np.concatenate(rows).astype(np.float32)
