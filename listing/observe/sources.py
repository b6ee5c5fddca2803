"""The table of sources: what observes, in this order, and where each is on. A new source is a file and a row here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from listing.backends.base import Backend
from listing.observe.colours import Colours
from listing.observe.imagenet import ImageNetHead
from listing.observe.language_model import LanguageModel
from listing.observe.neighbours import NeighbourSearch, PastListingVotes
from listing.observe.networks.colour_network import ColourNetwork
from listing.observe.networks.evidence_tower import EvidenceTower
from listing.observe.photo_roles import PhotoRoles
from listing.observe.print import Print
from listing.observe.seller import Seller
from listing.observe.source import Source
from listing.observe.towers import EvidenceTowerHeads, TowerHeads


@dataclass
class Installed:
    """What there is to observe with. ``folder``: the embedded model's, None where it is not set up."""

    backend: Backend
    folder: Path | None = None
    search: NeighbourSearch | None = None
    types: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @cached_property
    def evidence_tower(self) -> EvidenceTower | None:
        """The evidence tower, loaded once."""
        tower = EvidenceTower.load(self.folder) if self.folder else None
        self.types = tower.types if tower else {}
        return tower


SOURCES: Mapping[str, Callable[[Installed], Source | None]] = {
    "seller": lambda i: Seller(),
    "tower": lambda i: TowerHeads(i.backend),
    "evidence_tower": lambda i: EvidenceTowerHeads(i.evidence_tower) if i.evidence_tower else None,
    "imagenet": lambda i: ImageNetHead.load(i.folder) if i.folder else None,
    "roles": lambda i: PhotoRoles(),
    "neighbours": lambda i: PastListingVotes(i.search) if i.search else None,
    "mllm": lambda i: LanguageModel(i.backend),
    "pixels": lambda i: Colours(ColourNetwork.load(i.folder) if i.folder else None),
    "ocr": lambda i: Print(),
}


def build_sources(installed: Installed, without: Sequence[str] = ()) -> tuple[Source, ...]:
    """The sources that are on, in the table's order; ``without`` names those to leave out."""
    made = (build(installed) for name, build in SOURCES.items() if name not in without)
    return tuple(source for source in made if source is not None)
