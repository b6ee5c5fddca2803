"""The item's colours: by a small network for garments, by the pixels alone for everything else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from listing.observe.networks.colour_network import ColourNetwork
from listing.observe.networks.colour_pixels import pixel_view
from listing.observe.source import Context, Source, Stage, shares
from listing.request import Photo
from listing.schema import IMPOSSIBLE_COLOUR, Observation
from listing.shops.translation import in_shop_words

_LEAST_TRUST = 0.5  # of the best photo's, for a photo's colours to count


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
                    yield self._observation(question, i, named, view.box)
            if view.contradicted and not context.taxonomy.means.get("colour"):
                yield self._observation(IMPOSSIBLE_COLOUR, i, dict.fromkeys(view.contradicted, 1.0), None)

    def _observation(
        self, question: str, photo: int, distribution: Mapping[str, float], box: tuple[float, ...] | None
    ) -> Observation:
        return Observation.model_validate(
            {
                "source": self.name,
                "question": question,
                "photo": photo,
                "box": box,
                "probabilities": shares(distribution),
            }
        )
