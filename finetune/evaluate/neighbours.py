"""Neighbours of annotated photos among the sample's past listings, kept by photo and category.

The index is the evaluation's own: what users added to theirs changes no figure. The sample leaves out every validation
sender; the leakage rules are on all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from finetune.evaluate.row_cache import RowCache
from listing.observe.neighbours import Neighbours
from listing.schema import NeighbourRef
from listing.taxonomy import Taxonomy


class Neighbourhood:
    """Looks up photos; encoders and index are opened when something has to be looked up that was not before.

    image, text: folders of the encoders. store: folder for the index and the kept rows.
    """

    def __init__(self, image: Path, text: Path, store: Path, taxonomy: Taxonomy) -> None:
        from rag_index import Encoders

        self.encoders = Encoders(str(image), str(text))
        self.store = store
        self.taxonomy = taxonomy
        revision = self.encoders.info.image.revision
        self._kept = RowCache(store / f"neighbours-{revision}.jsonl", lambda row: f"{row['image']} {row['category']}")

    @cached_property
    def past(self) -> Any:
        """The open sample; made at first."""
        from listing.observe.past_listings import PastListings
        from rag_index import IndexMismatch, IndexMissing, ListingIndex, build, sample_records

        place, info = self.store / "index", self.encoders.info
        try:
            index = ListingIndex.open(place, info)
        except (IndexMissing, IndexMismatch):
            build(sample_records(info), place, info)
            index = ListingIndex.open(place, info)
        return PastListings(index, self.encoders, self.taxonomy)

    def near(self, row: dict[str, Any], category: str | None) -> dict[str, Any]:
        """``{image, category, categories, votes, ids, neighbours: [{listing_id, score}], nearest}``.

        nearest: the best neighbour's ``{listing_id, category, attributes, text}``, or None.
        """
        image = Path(row["image"]).name
        key = f"{image} {category}"
        return self._kept[key] if key in self._kept else self._kept.put(self._look_up(row, image, category))

    def found(self, row: dict[str, Any], category: str | None) -> Neighbours:
        """The same as the pipeline has it."""
        near = self.near(row, category)
        refs = [NeighbourRef.model_validate(n) for n in near["neighbours"]]
        return Neighbours(refs, near["categories"], near["votes"], near["ids"])

    def _look_up(self, row: dict[str, Any], image: str, category: str | None) -> dict[str, Any]:
        from listing.intake.photos import intake

        seller = f"sample-{row['sender_id']}"
        found = self.past.find(intake([row["image"]]), category=category, seller_id=seller)
        return {
            "image": image,
            "category": category,
            "categories": dict(found.categories),
            "votes": {name: dict(shares) for name, shares in found.votes.items()},
            "ids": {name: {v: list(ids) for v, ids in values.items()} for name, values in found.ids.items()},
            "neighbours": [n.model_dump() for n in found.neighbours],
            "nearest": self._record(found.neighbours),
        }

    def _record(self, neighbours: Sequence[NeighbourRef]) -> dict[str, Any] | None:
        if not neighbours:
            return None
        record = self.past.index.get(neighbours[0].listing_id)
        return record.model_dump(include={"listing_id", "category", "attributes", "text"}) if record else None
