"""The evidence tower: category, attributes, details and wear of a garment, and where the item is.

It looks at the whole photo and at the item cut out by its mask, each with its mirror image, and means
the four answers. ``benchmarks.training.eyes`` trains it, ``benchmarks.training.heads`` fits its heads.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from listing.details import by_family, family
from listing.observe.networks.foreground import WEIGHTS as MASK_WEIGHTS
from listing.observe.networks.foreground import Foreground, crop_box, is_studio, usable
from listing.observe.networks.worn import garment_alone
from listing.observe.source import Context, Source, shares
from listing.prompts import UNKNOWN
from listing.request import Photo
from listing.schema import STUDIO, Observation
from listing.shops.translation import in_shop_words
from listing.taxonomy import Taxonomy

_QUESTIONS = {"label": "category"}  # the tower's word: ours
WEIGHTS, FACTS, CALIBRATION = "eyes.safetensors", "eyes.json", "eyes_calibration.json"
GREY = 128
_EDGE = 32  # pixels of the square that lie outside of what the network sees, as in training
_SURE = 0.9  # of a kind after the turn, and what is as sure before is not turned
_UNSURE = 0.6  # the most that the kind after the turn had before it: a table is wide, and a table either way
_TURNS = {1: Image.Transpose.ROTATE_90, 3: Image.Transpose.ROTATE_270}
Distribution = dict[str, float]


@dataclass(frozen=True)
class TowerView:
    """The tower's view of one photo.

    mask: uint8 [320, 320], or None where it is of no use. opinions: question -> answer -> probability. details,
    condition: phrase -> calibrated probability, of details and of signs of wear. photo: what the tower looked at.
    studio: see ``is_studio``.
    """

    mask: np.ndarray | None = None
    opinions: dict[str, Distribution] = field(default_factory=dict)
    details: Distribution = field(default_factory=dict)
    condition: Distribution = field(default_factory=dict)
    photo: Image.Image | None = None
    studio: bool = False

    @property
    def kinds(self) -> Distribution:
        """Category -> probability."""
        return self.opinions.get("label", {})


def types_of(folder: Path) -> dict[str, list[str]]:
    """Category -> the specific types of the tower's training photos, by the words that say them; loads no network."""
    file = folder / FACTS
    types = json.loads(file.read_text(encoding="utf-8"))["types"] if file.is_file() else {}
    return {category: sorted({family(name) for name in names}) for category, names in types.items()}


class EvidenceTower:
    """The tower of a model folder, and the network that finds the item.

    Args:
        raw: leave the details' probabilities as the tower gives them, to fit their calibration.
    """

    def __init__(self, folder: Path, raw: bool = False) -> None:
        import timm
        from safetensors.torch import load_file

        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        tensors = load_file(folder / WEIGHTS)
        self.side: int = facts["side"]
        self.values: dict[str, list[str]] = facts["values"]
        self.any_of: list[str] = facts["any_of"]
        self._backbone: Any = timm.create_model(facts["architecture"], pretrained=False, num_classes=0, global_pool="")
        state = {n.removeprefix("backbone."): t.float() for n, t in tensors.items() if n.startswith("backbone.")}
        missing, unexpected = self._backbone.load_state_dict(state, strict=False)
        if unexpected or [name for name in missing if not name.endswith("num_batches_tracked")]:
            raise ValueError(f"{WEIGHTS} does not fit {FACTS}: assemble the model again (./ipl doctor says how).")
        self._backbone.eval()
        self.heads = {
            n: (tensors[f"heads.{n}.weight"].float(), tensors[f"heads.{n}.bias"].float()) for n in self.values
        }
        self.foreground = Foreground(folder / MASK_WEIGHTS)
        self._raw, file = raw, folder / CALIBRATION
        self._curves = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}

    @classmethod
    def load(cls, folder: Path) -> EvidenceTower | None:
        """The tower of a model folder, or None where it has none."""
        return cls(folder) if all((folder / n).is_file() for n in (WEIGHTS, FACTS, MASK_WEIGHTS)) else None

    def look(self, photo: Image.Image) -> TowerView:
        """The tower's view of a photo."""
        original, (photo, mask) = photo, self.item(photo)
        pooled = self.pooled(photo, mask)
        shares: dict[str, Distribution] = {}
        for name, (weight, bias) in self.heads.items():
            logits = pooled @ weight.T + bias
            each = logits.sigmoid() if name in self.any_of else logits.softmax(-1)
            shares[name] = dict(zip(self.values[name], each.mean(0).tolist(), strict=True))
        shares["item_type"] = by_family(shares["item_type"])
        marks = {name: self._calibrated(name, shares.pop(name)) for name in self.any_of}
        useful, studio = mask if usable(mask) else None, is_studio(original, mask)
        return TowerView(useful, shares, marks["details"], marks["condition"], photo, studio)

    def item(self, photo: Image.Image) -> tuple[Image.Image, np.ndarray]:
        """The photo and the item's mask on it; of clothes that a person wears, the garment alone on an even ground."""
        photo = photo.convert("RGB")
        mask = self.foreground.mask(photo)
        return garment_alone(photo, mask) or (photo, mask)

    def pooled(self, photo: Image.Image, mask: np.ndarray) -> Any:
        """Features [4, n] of the photo, the item cut out by its mask, and both mirrored, as float32 tensor."""
        import torch

        left, top, right, bottom = crop_box(mask)
        width, height = photo.size
        crop = photo.crop((round(left * width), round(top * height), round(right * width), round(bottom * height)))
        pixels = torch.from_numpy(np.stack([self._square(view) for view in (photo, crop)])).permute(0, 3, 1, 2)
        views = pixels.float() / 127.5 - 1.0
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            maps = self._backbone(torch.cat([views, views.flip(3)]).contiguous(memory_format=torch.channels_last))
        return maps.float().mean((2, 3))

    def state(self, heads: Mapping[str, tuple[Any, Any]]) -> dict[str, Any]:
        """The backbone's tensors with other heads, by the names of ``eyes.safetensors``."""
        weights = {f"heads.{name}.weight": weight for name, (weight, _) in heads.items()}
        biases = {f"heads.{name}.bias": bias for name, (_, bias) in heads.items()}
        return {**{f"backbone.{n}": t for n, t in self._backbone.state_dict().items()}, **weights, **biases}

    def _square(self, photo: Image.Image) -> np.ndarray:
        edge, side = max(photo.size), self.side + _EDGE
        paper = Image.new("RGB", (edge, edge), (GREY,) * 3)
        paper.paste(photo, ((edge - photo.width) // 2, (edge - photo.height) // 2))
        small = np.asarray(paper.resize((side, side), Image.Resampling.BICUBIC))
        return small[_EDGE // 2 : -_EDGE // 2, _EDGE // 2 : -_EDGE // 2]

    def _calibrated(self, head: str, raw: Distribution) -> Distribution:
        """Probabilities that are right as often as they say; phrases without a curve are left out."""
        if self._raw:
            return raw
        curves = self._curves.get(head, {})
        return {
            phrase: float(np.interp(p, curves[phrase]["raw"], curves[phrase]["right"]))
            for phrase, p in raw.items()
            if phrase in curves
        }


class EvidenceTowerHeads(Source):
    """Category, attributes, type, details and signs of wear by the evidence tower."""

    name = "evidence_tower"

    def __init__(self, tower: EvidenceTower) -> None:
        self.tower = tower

    def observe(self, photos: Sequence[Photo], context: Context) -> Iterator[Observation]:
        """All that the tower says of each photo; the item and its mask go into the context."""
        for i, photo in enumerate(photos):
            view, image, quarters = upright(photo.image, self.tower.look)
            if quarters:
                context.turn(i, image, quarters)
            context.views[i], context.masks[i] = view.photo or image, view.mask
            if not context.taxonomy.tuned():  # a custom taxonomy, of whose categories it knows nothing
                continue
            yield from tower_observations(self.name, i, view.opinions, context.taxonomy)
            if view.studio:
                yield Observation(source=self.name, question="ground", photo=i, probabilities={STUDIO: 1.0})
            for question, marks in (("detail", view.details), ("condition", view.condition)):
                yield Observation(source=self.name, question=question, photo=i, probabilities=shares(marks))


def upright(photo: Image.Image, look: Callable[[Image.Image], TowerView]) -> tuple[TowerView, Image.Image, int]:
    """The look at a photo, turned or not, the photo that was looked at, and its quarter turns to the left (0, 1, 3).

    Phones held flat write no orientation, or a wrong one: a wide photo is turned where only that makes its kind sure.
    """
    view = look(photo)
    before = view.kinds
    if photo.width <= photo.height or not before or max(before.values()) >= _SURE:
        return view, photo, 0
    found = view, photo, 0
    surest = _SURE
    for quarters, turn in _TURNS.items():
        turned = photo.transpose(turn)
        seen = look(turned)
        kind, sure = max(seen.kinds.items(), key=lambda item: item[1])
        if sure >= surest and before.get(kind, 0.0) < _UNSURE:
            found, surest = (seen, turned, quarters), sure
    return found


def tower_observations(
    source: str, photo: int, answers: Mapping[str, Mapping[str, float]], taxonomy: Taxonomy
) -> Iterator[Observation]:
    """A tower's answers about one photo in the taxonomy's words; ``unknown`` among them is what is missing from 1."""
    for name, distribution in answers.items():
        question = _QUESTIONS.get(name, name)
        probabilities = shares(in_shop_words(distribution, question, taxonomy), (UNKNOWN,))
        yield Observation(source=source, question=question, photo=photo, probabilities=probabilities)
