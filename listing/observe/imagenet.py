"""The untuned ImageNet head: all leaves of the tree that it knows, and how much it sees clothes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from listing.errors import IplError
from listing.observe.source import Context, Source, shares
from listing.request import Photo
from listing.schema import CLOTHES, Observation
from listing.taxonomy import Taxonomy

ARCHITECTURE = "tf_efficientnet_lite0"
FILE = "imagenet.safetensors"
SIDE = 224
# EfficientNet's own evaluation crop: 224 px are the inner seven eighths of 256.
CROP = 0.875

View = Literal["crop", "letterbox"]
# Chosen on catalogue photos of furniture, 150 of each half.
VIEWS: tuple[View, ...] = ("crop", "letterbox")


class ClassifierError(IplError, RuntimeError):
    """The classifier's weights cannot be used; the message says what to do."""


def view(image: Image.Image, kind: View) -> Image.Image:
    """A square of ``SIDE`` pixels: its middle, or all of it on its own border colour."""
    photo = image.convert("RGB")
    if kind == "crop":
        side = round(min(photo.size) * CROP)
        left, top = (photo.width - side) // 2, (photo.height - side) // 2
        photo = photo.crop((left, top, left + side, top + side))
    else:
        edge = max(photo.size)
        pixels = np.asarray(photo)
        border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
        square = Image.new("RGB", (edge, edge), tuple(int(v) for v in np.median(border, axis=0)))
        square.paste(photo, ((edge - photo.width) // 2, (edge - photo.height) // 2))
        photo = square
    return photo.resize((SIDE, SIDE), Image.Resampling.BICUBIC)


class ImageNetClassifier:
    """Loads ``imagenet.safetensors`` (timm's tensor names) from the model folder.

    Raises:
        ClassifierError: the file is missing or does not fit.
    """

    def __init__(self, folder: str | Path) -> None:
        import timm
        import torch
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        file = Path(folder) / FILE
        if not file.is_file():
            raise ClassifierError(f"{file} is missing; run `./ipl doctor`, which says how to assemble the model.")
        model: Any = timm.create_model(ARCHITECTURE, pretrained=False)
        try:
            tensors = load_file(file)
            have = {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}
            counters = {n: t for n, t in model.state_dict().items() if n.endswith("num_batches_tracked")}
            model.load_state_dict({**counters, **have})
        except (SafetensorError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise ClassifierError(f"{file} is not {ARCHITECTURE}; assemble the model again ({reason}).") from None
        self._model = model.to(memory_format=torch.channels_last).eval()

    def view_logits(self, image: Image.Image) -> np.ndarray:
        """Logits float32 [len(VIEWS), 1000]."""
        import torch

        pixels = np.stack([np.asarray(view(image, kind)) for kind in VIEWS])
        batch = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1.0
        with torch.inference_mode():
            return np.asarray(self._model(batch))

    def features(self, images: Sequence[Image.Image]) -> np.ndarray:
        """The pooled features below the head, float32 [images, 1280], of the whole photos."""
        import torch

        pixels = np.stack([np.asarray(view(image, "letterbox")) for image in images])
        batch = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1.0
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            maps = self._model.forward_features(batch.contiguous(memory_format=torch.channels_last))
        return np.asarray(maps.float().mean((2, 3)))

    def probabilities(self, image: Image.Image) -> np.ndarray:
        """Probabilities of the 1000 ImageNet classes, float32 [1000]: the mean over ``VIEWS``."""
        from scipy.special import softmax

        return np.asarray(softmax(self.view_logits(image), axis=-1).mean(axis=0))


def category_scores(probabilities: np.ndarray, taxonomy: Taxonomy) -> dict[str, float]:
    """Probability of each leaf that ImageNet knows: its classes times their shares. Sums to at most 1."""
    return {
        node.name: float(sum(probabilities[index] * share for index, share in node.weights))
        for node in taxonomy.leaves()
        if node.weights
    }


def garment_share(probabilities: np.ndarray, taxonomy: Taxonomy) -> float:
    """Probability, 0..1, of clothes: the classes of the tuned leaves and those that only say 'clothes'."""
    tuned = sum(probabilities[i] * w for node in taxonomy.leaves() if node.tuned for i, w in node.weights)
    return float(tuned + probabilities[list(taxonomy.clothing)].sum())


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
