"""The table of sources: what observes, in this order, and where each is on. A new source is a file and a row here.

It is heard by its weight in the calibration, under the name that ``EVIDENCE_NAMES`` and ``Views.pooled`` give it
(``listing/decide/views.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from listing.backends.base import Backend
from listing.observe.colours import Colours
from listing.observe.heads import FILE as HEADS
from listing.observe.heads import Heads, ShopHeads
from listing.observe.imagenet import ImageNetHead
from listing.observe.language_model import LanguageModel
from listing.observe.neighbours import NeighbourSearch, PastListingVotes
from listing.observe.networks.colour_network import ColourNetwork
from listing.observe.networks.evidence_tower import EvidenceTower
from listing.observe.networks.photo_features import PhotoFeatures
from listing.observe.photo_roles import PhotoRoles
from listing.observe.print import Print
from listing.observe.seller import Seller
from listing.observe.source import Source
from listing.observe.towers import EvidenceTowerHeads, TowerHeads


@dataclass
class Installed:
    """The parts to observe with. ``folder``: the embedded model's, None where it is not set up; ``shop``: what was
    learned of one."""

    backend: Backend
    folder: Path | None = None
    search: NeighbourSearch | None = None
    shop: Path | None = None
    types: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @cached_property
    def evidence_tower(self) -> EvidenceTower | None:
        """The evidence tower, loaded once."""
        tower = EvidenceTower.load(self.folder) if self.folder else None
        self.types = tower.types if tower else {}
        return tower

    @cached_property
    def imagenet(self) -> ImageNetHead | None:
        """The untuned network, loaded once."""
        return ImageNetHead.load(self.folder) if self.folder else None

    @property
    def heads(self) -> ShopHeads | None:
        """The heads that a shop's listings taught, where there is one with the networks that it rests on."""
        if self.shop is None or self.imagenet is None or self.evidence_tower is None:
            return None
        features = PhotoFeatures(self.imagenet.classifier, self.evidence_tower)
        return ShopHeads(Heads.load(self.shop / HEADS), features) if (self.shop / HEADS).is_file() else None


SOURCES: Mapping[str, Callable[[Installed], Source | None]] = {
    "seller": lambda i: Seller(),
    "tower": lambda i: TowerHeads(i.backend),
    "evidence_tower": lambda i: EvidenceTowerHeads(i.evidence_tower) if i.evidence_tower else None,
    "imagenet": lambda i: i.imagenet,
    "heads": lambda i: i.heads,
    "roles": lambda i: PhotoRoles(i.search),
    "neighbours": lambda i: PastListingVotes(i.search) if i.search else None,
    "mllm": lambda i: LanguageModel(i.backend),
    "pixels": lambda i: Colours(ColourNetwork.load(i.folder) if i.folder else None),
    "ocr": lambda i: Print(),
}


def build_sources(installed: Installed, without: Sequence[str] = ()) -> tuple[Source, ...]:
    """The sources that are on, in the table's order; ``without`` names those to leave out."""
    sources = (build(installed) for name, build in SOURCES.items() if name not in without)
    return tuple(source for source in sources if source is not None)
