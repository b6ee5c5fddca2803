"""The form of a source, and the context that it may look at while it observes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, Protocol

from listing.calibration import Calibration
from listing.observe.printed.ocr import OcrSpan, Reader
from listing.request import DraftRequest, Photo
from listing.schema import Box, Observation
from listing.taxonomy import CategoryNode, Taxonomy

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

Stage = Literal["category", "facts", "reading"]
_SMALLEST = 1e-4  # probabilities below it count as this much, so that they need not be kept


class Likely(Protocol):
    """The likeliest answers by the observations so far."""

    @property
    def node(self) -> CategoryNode:
        """The category, or the node of an item that has none."""
        ...

    @property
    def sure(self) -> float:
        """The probability of the towers' likeliest category."""
        ...

    @property
    def trust(self) -> Sequence[float]:
        """How well each photo shows the item (0..1)."""
        ...


@dataclass
class Context:
    """The context that sources share: the request, the observations so far, and what one source computes for the next.

    masks: where the item is on a photo (uint8, square), as far as a source has looked for it (None: nowhere).
    views: the photos as networks of garments look at them (``listing.observe.networks.worn``), as far as there are any.
    so_far: what is likely by ``observations``. turns: quarter turns to the left of photos in ``request`` (``turn``).
    """

    request: DraftRequest
    taxonomy: Taxonomy
    calibration: Calibration
    so_far: Callable[[], Likely]
    reader: Reader = field(default_factory=Reader)
    observations: list[Observation] = field(default_factory=list)
    masks: dict[int, np.ndarray | None] = field(default_factory=dict)
    views: dict[int, Image.Image] = field(default_factory=dict)
    turns: dict[int, int] = field(default_factory=dict)
    _lines: dict[int, list[OcrSpan]] = field(default_factory=dict)

    def ask(self, source: Source) -> None:
        """Take in a source's observations, one by one: it may ask what is likely by its own word."""
        for seen in source.observe(self.request.photos, self):
            quarters = 0 if seen.photo is None else self.turns.get(seen.photo, 0)
            box = seen.box and turned_back(seen.box, quarters)
            self.observations.append(seen.model_copy(update={"box": box}) if quarters else seen)

    def turn(self, photo: int, image: Image.Image, quarters: int) -> None:
        """Later sources look at the turned image; the boxes that they give are turned back."""
        photos = list(self.request.photos)
        photos[photo] = replace(photos[photo], image=image)
        self.request, self.turns[photo] = replace(self.request, photos=tuple(photos)), quarters

    def view(self, photo: int) -> Image.Image:
        """A photo as networks of garments look at it."""
        return self.views.get(photo, self.request.photos[photo].image)

    def lines(self, photo: int) -> list[OcrSpan]:
        """The lines that can be read on a photo."""
        if photo not in self._lines:
            self._lines[photo] = self.reader.read(self.request.photos[photo].image)
        return self._lines[photo]

    def of(self, source: str, question: str, photo: int | None = None) -> Mapping[str, float]:
        """Probabilities that a source has observed; empty where it has not."""
        return next(
            (
                o.probabilities
                for o in self.observations
                if (o.source, o.question, o.photo) == (source, question, photo)
            ),
            {},
        )

    def role(self, photo: int) -> str:
        """The role of a photo: ``item``, ``label`` or ``nothing``."""
        return next(iter(self.of("roles", "role", photo)), "item")


class Source(ABC):
    """One source of observations. ``local`` ones compute in this process, for one draft at a time."""

    name: str
    stage: Stage = "category"
    local: bool = True

    @abstractmethod
    def observe(self, photos: Sequence[Photo], context: Context) -> Iterable[Observation]:
        """Observations of the source on one item's photos."""


def shares(distribution: Mapping[str, float], without: Iterable[str] = ()) -> dict[str, float]:
    """Probabilities as an observation holds them: rounded, without tiny ones and answers that tell nothing."""
    left_out = set(without)
    return {value: round(p, 6) for value, p in distribution.items() if p >= _SMALLEST and value not in left_out}


def turned_back(box: Box, quarters: int) -> Box:
    """A box on the turned photo, in shares (0..1), as it stands on the photo before its quarter turns to the left."""
    for _ in range(quarters):
        x0, y0, x1, y1 = box
        box = (1 - y1, x0, 1 - y0, x1)
    return box
