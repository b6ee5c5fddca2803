"""The item's colours: by a small network for garments, by the pixels alone for everything else.

The network works on early ImageNet features and on the pixels under the mask. The features are those of the untuned
backbone: the tuned towers have seen the colours of the training photos, and a network that learnt from what they say of
those would trust them too much. Trained by ``benchmarks.training.colour``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from listing.observe import imagenet
from listing.observe.networks import colour_pixels as colour
from listing.observe.networks.colour_pixels import pixel_view
from listing.observe.networks.foreground import crop_box
from listing.observe.source import Context, Source, Stage, shares
from listing.request import Photo
from listing.schema import IMPOSSIBLE_COLOUR, Observation
from listing.shops.translation import in_shop_words

_LEAST_TRUST = 0.5  # of the best photo's, for a photo's colours to count
FILE = "colour.safetensors"
SIDE = 176  # pixels of the square that holds the item
GREY = 128
NONE = "none"  # no second colour
BLOCKS = (0, 1, 2, 4)  # of the backbone, whose maps are pooled: strides 2, 4, 8, 16
_INSIDE = 100  # of 255
_LEAST = 0.02  # share of the square that a mask must cover
_CLIP = 4.0  # deviations: a photo unlike all others says no more than an odd one


@dataclass(frozen=True)
class ItemColours:
    """Probability of each colour as the main one, and as the second one (``none`` among them); each sums to 1."""

    first: Mapping[str, float]
    second: Mapping[str, float]


class Features:
    """Numbers [n] of a photo and its mask; the backbone is that of ``imagenet.safetensors`` up to its fifth block."""

    def __init__(self, folder: Path) -> None:
        import timm
        from safetensors.torch import load_file

        backbone: Any = timm.create_model(imagenet.ARCHITECTURE, pretrained=False, num_classes=0)
        tensors = load_file(folder / imagenet.FILE)
        state = {n: t.float() if t.is_floating_point() else t for n, t in tensors.items()}
        backbone.load_state_dict({n: t for n, t in state.items() if not n.startswith("classifier.")}, strict=False)
        backbone.eval()
        self._stem: Any = (backbone.conv_stem, backbone.bn1)
        self._blocks: Any = backbone.blocks[: max(BLOCKS) + 1]

    def __call__(self, photo: Image.Image, mask: np.ndarray | None) -> np.ndarray:
        """float32: pixels (``colour.describe``), background, and maps pooled inside and outside of the mask."""
        photo = photo.convert("RGB")
        lab, inside = colour.small_lab(photo, mask)
        book = colour.load_model().codebook
        numbers = [colour.describe(lab, inside, book), background(lab, inside, book), self._pooled(photo, mask)]
        return np.concatenate(numbers).astype(np.float32)

    def _pooled(self, photo: Image.Image, mask: np.ndarray | None) -> np.ndarray:
        import torch
        from torch.nn import functional as F

        pixels, where = cut_out(photo, mask)
        x = torch.from_numpy(pixels)[None].permute(0, 3, 1, 2).float() / 127.5 - 1.0
        share = torch.from_numpy(where)[None, None].float()
        pooled = []
        with torch.inference_mode():
            x = x.contiguous(memory_format=torch.channels_last)
            for layer in self._stem:
                x = layer(x)
            for number, block in enumerate(self._blocks):
                x = block(x)
                if number in BLOCKS:
                    item = F.interpolate(share, x.shape[-2:], mode="area")
                    mean, spread = _moments(x, item)
                    pooled += [mean, spread, _moments(x, 1.0 - item)[0]]
        return np.asarray(torch.cat(pooled).numpy())


def _moments(maps: Any, where: Any) -> tuple[Any, Any]:
    """Mean and deviation [channels] of ``maps`` [1, c, h, w] under the weights ``where`` [1, 1, h, w]."""
    total = where.sum() + 1e-3
    mean = (where * maps).sum((0, 2, 3)) / total
    return mean, ((where * (maps - mean[None, :, None, None]) ** 2).sum((0, 2, 3)) / total).sqrt()


def cut_out(photo: Image.Image, mask: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The item on a grey square: (uint8 [SIDE, SIDE, 3], where it is: bool [SIDE, SIDE]); all of it without a mask."""
    width, height = photo.size
    left, top, right, bottom = (0.0, 0.0, 1.0, 1.0) if mask is None else crop_box(mask)
    box = (round(left * width), round(top * height), round(right * width), round(bottom * height))
    crop = _square(photo.crop(box), (GREY,) * 3)
    if mask is not None:
        inside = _square(Image.fromarray(mask).resize(photo.size).crop(box), 0) > _INSIDE
        if inside.mean() >= _LEAST:
            return crop, inside
    return crop, np.ones((SIDE, SIDE), bool)


def _square(image: Image.Image, fill: Any) -> np.ndarray:
    edge = max(image.size)
    paper = Image.new(image.mode, (edge, edge), fill)
    paper.paste(image, ((edge - image.width) // 2, (edge - image.height) // 2))
    return np.array(paper.resize((SIDE, SIDE), Image.Resampling.BICUBIC))  # a copy, because torch writes


def background(lab: np.ndarray, inside: np.ndarray, codebook: np.ndarray) -> np.ndarray:
    """The item's surroundings, which tell the light: counts of colours, percentiles, and how large the item is."""
    around = lab[~inside] if (~inside).sum() > 30 else lab.reshape(-1, 3)
    percentiles = np.percentile(around, (10, 50, 90), axis=0).ravel() / 50
    counts = np.sqrt(colour.count(around[::3], codebook)) * 0.5
    return np.concatenate([counts, percentiles, [inside.mean()]])


class ColourNetwork:
    """Several small networks with one hidden layer each, and their mean.

    The file holds ``mean``, ``deviation`` [n], ``weight`` [nets, hidden, n], ``bias`` [nets, hidden], and for ``first``
    and ``second``: ``.weight`` [nets, answers, hidden], ``.bias`` [nets, answers], ``.power`` [1]; the answers' names
    stand in its metadata.
    """

    def __init__(self, folder: Path) -> None:
        self._features = Features(folder)
        self._heads = ColourHeads.load(folder / FILE)

    @classmethod
    def load(cls, folder: Path) -> ColourNetwork | None:
        """The network of a model folder, or None where it has none."""
        return cls(folder) if all((folder / n).is_file() for n in (FILE, imagenet.FILE)) else None

    def look(self, photo: Image.Image, mask: np.ndarray | None) -> ItemColours:
        """The colours of the item under the mask."""
        first, second = self._heads(self._features(photo, mask)[None])
        names = self._heads.names
        return ItemColours(
            dict(zip(names, first[0].tolist(), strict=True)), dict(zip((*names, NONE), second[0].tolist(), strict=True))
        )


@dataclass(frozen=True)
class ColourHeads:
    """The tensors of the file (see ``ColourNetwork``) and the colours' names."""

    names: tuple[str, ...]
    tensors: Mapping[str, np.ndarray]

    @classmethod
    def load(cls, file: Path) -> ColourHeads:
        """Read a file."""
        from safetensors import safe_open

        with safe_open(file, "np") as tensors:
            names = tuple(tensors.metadata()["names"].split(","))
            return cls(names, {name: tensors.get_tensor(name).astype(np.float32) for name in tensors.keys()})  # noqa: SIM118

    def save(self, file: Path) -> None:
        """Write 16-bit tensors in one rename."""
        from safetensors.numpy import save_file

        scratch = file.with_suffix(".tmp")
        halves = {name: np.ascontiguousarray(t.astype(np.float16)) for name, t in self.tensors.items()}
        save_file(halves, scratch, metadata={"names": ",".join(self.names)})
        scratch.replace(file)

    def __call__(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Features [b, n] -> probabilities [b, names] and [b, names + 1]."""
        from scipy.special import erf, softmax

        t = self.tensors
        x = np.clip((inputs - t["mean"]) / t["deviation"], -_CLIP, _CLIP)
        hidden = np.einsum("bn,khn->kbh", x, t["weight"]) + t["bias"][:, None]
        hidden = 0.5 * hidden * (1.0 + erf(hidden / np.sqrt(2.0)))  # GELU
        out = []
        for head in ("first", "second"):
            scores = np.einsum("kbh,kah->kba", hidden, t[f"{head}.weight"]) + t[f"{head}.bias"][:, None]
            shares = softmax(scores, -1).mean(0) ** t[f"{head}.power"]
            out.append(shares / shares.sum(-1, keepdims=True))
        return out[0], out[1]


class Colours(Source):
    """``colour``, ``colour2``, and what the pixels rule out, of each photo that shows the item well."""

    name = "pixels"
    stage: Stage = "facts"

    def __init__(self, network: ColourNetwork | None = None) -> None:
        self.network = network

    def observe(self, photos: Sequence[Photo], context: Context) -> Iterator[Observation]:
        """Main colour with the item's box; a second colour only where the network looks."""
        likely = context.so_far()
        top = max(likely.trust)
        for i, photo in enumerate(photos):
            if likely.trust[i] < _LEAST_TRUST * top:
                continue
            mask = context.masks.get(i)
            view = pixel_view(photo.image, i, mask)
            first, second = view.shares, dict[str, float]()
            if self.network is not None and likely.node.tuned:
                colours = self.network.look(photo.image, mask)
                first, second = colours.first, dict(colours.second)
            for question, distribution in (("colour", first), ("colour2", second)):
                if named := in_shop_words(distribution, question, context.taxonomy):
                    yield Observation(
                        source=self.name, question=question, photo=i, box=view.box, probabilities=shares(named)
                    )
            if view.contradicted and not context.taxonomy.means.get("colour"):
                impossible = dict.fromkeys(view.contradicted, 1.0)
                yield Observation(source=self.name, question=IMPOSSIBLE_COLOUR, photo=i, probabilities=impossible)
