"""Observations of a shop's photos by the sources that no shop has taught, stored by photo, and in the shop's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

import rag_index
from listing.calibration import Calibration
from listing.decide.decision import Decision
from listing.decide.views import Distribution
from listing.intake.photos import intake
from listing.measure.row_cache import RowCache
from listing.observe.heads import VERSION, PhotoFeatures
from listing.observe.past_listings import Neighbours, PastListings, vote_observations
from listing.observe.source import Context, Source, shares
from listing.pipeline_parts import Installed, build_sources
from listing.request import DraftRequest, Photo
from listing.rules import Rules
from listing.schema import Observation
from listing.shops.translation import in_shop_words
from listing.taxonomy import DEFAULT_FILE, Taxonomy, load_taxonomy
from rag_index.imports.importer import Features

UNHEARD = ("seller", "roles", "neighbours", "heads", "mllm", "ocr")  # here; ``roles`` reads print


class PhotoObserver:
    """The untaught sources of a model folder. ``file``: where observations are stored, by the digest of the photo."""

    def __init__(self, folder: Path, stamp: str, file: Path) -> None:
        self.folder, self.stamp = folder, stamp
        self._cache = RowCache(file, lambda row: f"{row['stamp']} {row['photo']}")

    @cached_property
    def installed(self) -> Installed:
        """The networks, loaded when the first photo has to be looked at."""
        return Installed(backend=None, folder=self.folder)  # type: ignore[arg-type]  # no source here asks a model

    @cached_property
    def _sources(self) -> Sequence[Source]:
        return build_sources(self.installed, UNHEARD)

    @property
    def features(self) -> Features:
        """The features that heads are fitted on."""
        return Features(f"features {VERSION} {self.stamp}", self._encode)

    def _encode(self, photos: Sequence[Any]) -> np.ndarray:
        return self._photo_features(photos)

    @cached_property
    def _photo_features(self) -> PhotoFeatures:
        if self.installed.imagenet is None:
            raise FileNotFoundError(self.folder)
        return PhotoFeatures(self.installed.imagenet.classifier)

    def first_photo(
        self, files: Mapping[str, Path], past: PastListings, record: rag_index.IndexRecord, vector: list[float]
    ) -> tuple[list[Observation], Neighbours]:
        """Observations of the first of a listing's files, and the past listings of others that look like it.

        files: by the digest of the file, by which observations are stored. vector: of the first photo.
        """
        digest, file = next(iter(files.items()))
        key = f"{self.stamp} {digest}"
        if key not in self._cache:
            rows = [o.model_dump(exclude_defaults=True) for o in self._observed(intake([file])[0])]
            self._cache.put({"stamp": self.stamp, "photo": digest, "observations": rows})
        observations = [Observation.model_validate(row) for row in self._cache[key]["observations"]]
        seller = record.seller_id
        return observations, past.like([vector], record.phashes[:1], category=None, seller_id=seller)

    def _observed(self, photo: Photo) -> list[Observation]:
        taxonomy, observations = load_taxonomy(DEFAULT_FILE), list[Observation]()
        rules = Rules(taxonomy, Calibration.load(self.folder))
        request = DraftRequest(photos=(photo,))
        context = Context(
            request, taxonomy, rules.calibration, partial(Decision, observations, 1, rules), observations=observations
        )
        for source in self._sources:
            context.ask(source)
        return observations


def in_a_draft(
    observations: Sequence[Observation], taxonomy: Taxonomy, heads: Mapping[str, Distribution], neighbours: Neighbours
) -> list[Observation]:
    """Observations that a shop's draft is decided from: those in our words, its heads', and the votes of past listings.

    heads: question -> distribution over the shop's words. near: the past listings of others that look alike.
    """
    words = [
        o.model_copy(update={"probabilities": dict(in_shop_words(o.probabilities, o.question, taxonomy))})
        for o in observations
    ]
    taught = [
        Observation(source="heads", question=question, photo=0, probabilities=shares(distribution))
        for question, distribution in heads.items()
    ]
    return [*words, *taught, *vote_observations(neighbours)]


def by_name(values: Sequence[str], row: np.ndarray) -> dict[str, float]:
    """Probabilities [values] by name."""
    return dict(zip(values, row.tolist(), strict=True))
