"""The two vision towers: the MLLM's own heads, and the evidence tower, which also finds where the item is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from listing.backends.base import Backend
from listing.observe.networks.evidence_tower import EvidenceTower
from listing.observe.source import Context, Source, shares
from listing.prompts import UNKNOWN
from listing.request import Photo
from listing.schema import Observation
from listing.shops.translation import in_shop_words
from listing.taxonomy import Taxonomy

_QUESTIONS = {"label": "category"}  # the towers' word: ours


class TowerHeads(Source):
    """The heads of the MLLM's vision tower, where its model has any."""

    name = "tower"

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    def observe(self, photos: Sequence[Photo], context: Context) -> Iterator[Observation]:
        """Category and attributes of each photo."""
        for i, photo in enumerate(photos):
            yield from tower_observations(self.name, i, self.backend.opinions(photo.image), context.taxonomy)


class EvidenceTowerHeads(Source):
    """Category, attributes, type, details and signs of wear by the evidence tower."""

    name = "evidence_tower"

    def __init__(self, tower: EvidenceTower) -> None:
        self.tower = tower

    def observe(self, photos: Sequence[Photo], context: Context) -> Iterator[Observation]:
        """All that the tower says of each photo; the mask of the item goes into the context."""
        for i, photo in enumerate(photos):
            view = self.tower.look(photo.image)
            context.masks[i] = view.mask
            if not context.taxonomy.tuned():  # a custom taxonomy, of whose categories it knows nothing
                continue
            yield from tower_observations(self.name, i, view.opinions, context.taxonomy)
            for question, marks in (("detail", view.details), ("condition", view.condition)):
                yield Observation(source=self.name, question=question, photo=i, probabilities=shares(marks))


def tower_observations(
    source: str, photo: int, answers: Mapping[str, Mapping[str, float]], taxonomy: Taxonomy
) -> Iterator[Observation]:
    """A tower's answers about one photo in the taxonomy's words; ``unknown`` among them is what is missing from 1."""
    for name, distribution in answers.items():
        question = _QUESTIONS.get(name, name)
        probabilities = shares(in_shop_words(distribution, question, taxonomy), (UNKNOWN,))
        yield Observation(source=source, question=question, photo=photo, probabilities=probabilities)
