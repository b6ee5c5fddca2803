"""Linear heads that a shop's past listings taught: one a question, on the frozen features of the photos."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from listing.observe.imagenet import ImageNetClassifier
from listing.observe.networks import colour_pixels
from listing.observe.source import Context, Source, shares
from listing.request import Photo
from listing.schema import Observation
from listing.shops.shop import ShopError

FILE = "heads.safetensors"
VERSION = 2  # raise when the same photos give other numbers
BATCH = 8
Vectors = Callable[[Sequence[Photo]], Sequence[Sequence[float]]]  # those of the index


class PhotoFeatures:
    """Beside a photo's vector in the index: a frozen network's pooled features of the whole of it, and its colours."""

    def __init__(self, classifier: ImageNetClassifier) -> None:
        self.classifier = classifier

    def __call__(self, photos: Sequence[Image.Image]) -> np.ndarray:
        """float32 [photos, numbers]; the network's block has length 1, that of the colours about 1."""
        book = colour_pixels.load_model().codebook
        rows = []
        for start in range(0, len(photos), BATCH):
            some = photos[start : start + BATCH]
            colours = np.stack([colour_pixels.describe(*colour_pixels.small_lab(photo, None), book) for photo in some])
            pooled = self.classifier.features(some)
            rows.append(np.hstack([pooled / np.linalg.norm(pooled, axis=1, keepdims=True), colours / 3]))
        return np.concatenate(rows).astype(np.float32)


@dataclass(frozen=True)
class Heads:
    """``mean`` [n] and ``axes`` [n, k] project the features; question -> its values, and weights [k + 1, values]."""

    mean: np.ndarray
    axes: np.ndarray
    values: Mapping[str, Sequence[str]]
    weights: Mapping[str, np.ndarray]

    def __call__(self, features: np.ndarray, question: str) -> np.ndarray:
        """Features [photos, n] -> probabilities [photos, values]."""
        scores = self.project(features) @ self.weights[question][:-1] + self.weights[question][-1]
        exp = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(exp / exp.sum(axis=1, keepdims=True))

    def project(self, features: np.ndarray) -> np.ndarray:
        """Features [photos, n] -> [photos, k]."""
        return np.asarray((features - self.mean) @ self.axes)

    @classmethod
    def load(cls, file: Path) -> Heads:
        """Read a file of ``save``. ShopError: it rests on other features of photos."""
        import json

        from safetensors import safe_open

        with safe_open(file, "np") as opened:
            values = json.loads(opened.metadata()["values"])
            if opened.metadata().get("version") != str(VERSION):
                raise ShopError(f"{file.parent} was learned by another version of this program; learn the table again.")
            tensors = {name: opened.get_tensor(name).astype(np.float32) for name in opened.keys()}  # noqa: SIM118
        weights = {name: tensors[f"heads.{name}"] for name in values}
        return cls(tensors["mean"], tensors["axes"], values, weights)

    def save(self, file: Path) -> None:
        """Write all as safetensors, the values' names in its metadata."""
        import json

        from safetensors.numpy import save_file

        tensors = {"mean": self.mean, "axes": self.axes, **{f"heads.{n}": w for n, w in self.weights.items()}}
        save_file({n: np.ascontiguousarray(t, np.float32) for n, t in tensors.items()}, file,
                  metadata={"values": json.dumps(self.values), "version": str(VERSION)})  # fmt: skip


class ShopHeads(Source):
    """The heads of a shop's folder: its categories and attributes, in its own words."""

    name = "heads"

    def __init__(self, heads: Heads, features: PhotoFeatures, vectors: Vectors) -> None:
        self.heads, self.features, self.vectors = heads, features, vectors

    def observe(self, photos: Sequence[Photo], context: Context) -> Iterator[Observation]:
        """A distribution over the values of each question, of each photo."""
        features = np.hstack([self.vectors(photos), self.features([photo.image for photo in photos])])
        for question, values in self.heads.values.items():
            for i, row in enumerate(self.heads(features, question).tolist()):
                probabilities = shares(dict(zip(values, row, strict=True)))
                yield Observation(source=self.name, question=question, photo=i, probabilities=probabilities)
