"""Drafts of the demo's own photos: their annotations say what they show, and the usual pipeline makes the draft."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from threading import Lock
from typing import cast

from app.demo.items import Offer
from listing.backends.base import Backend
from listing.calibration import Calibration
from listing.observe.source import Context, Source
from listing.pipeline import Pipeline
from listing.pipeline_parts import PipelineParts
from listing.request import DraftPipeline, DraftRequest, Event, Photo
from listing.rules import Rules
from listing.schema import Observation
from listing.taxonomy import load_taxonomy


class Annotations(Source):
    """What the demo's own photos show, as the word of their sellers; a source, and a model that is never asked."""

    name, concurrency = "demo", 1

    def __init__(self) -> None:
        self.offers: dict[str, Offer] = {}

    def of(self, photos: Sequence[Photo]) -> Offer | None:
        """The offer of these photos, where it is one of the demo's."""
        return next((self.offers[p.ref.id] for p in photos if p.ref.id in self.offers), None)

    def observe(self, photos: Sequence[Photo], context: Context) -> Iterator[Observation]:
        """Category, facts and details, all of them sure."""
        if (offer := self.of(photos)) is None:
            return
        for question, value in {"category": offer.item.category, **offer.facts}.items():
            yield Observation(source="seller", question=question, probabilities={value: 1.0}, text=value)
        details = dict.fromkeys(offer.item.details, 1.0)
        yield Observation(source="mllm", question="detail", photo=0, probabilities=details)


class DemoPipeline:
    """Implements ``DraftPipeline``: drafts of the demo's own photos at once, others by the model.

    Args:
        model: loads the model that writes drafts of other photos; called when the first one comes.
    """

    concurrency = 1

    def __init__(self, model: Callable[[], DraftPipeline]) -> None:
        self._load, self._lock = model, Lock()
        self._model: DraftPipeline | None = None
        self._annotations = Annotations()
        rules = Rules(load_taxonomy(), Calibration())
        self._pipeline = Pipeline(
            PipelineParts(cast(Backend, self._annotations), (self._annotations,), rules, writes=False)
        )

    def expect(self, photo_id: str, offer: Offer) -> None:
        """Note that a photo that will come shows this offer."""
        self._annotations.offers[photo_id] = offer

    def run(self, request: DraftRequest) -> Iterator[Event]:
        """See ``DraftPipeline``."""
        offer = self._annotations.of(request.photos)
        if offer is not None:
            title, description = request.title or offer.item.title, request.description or offer.item.description
            yield from self._pipeline.run(replace(request, title=title, description=description))
            return
        yield from self._of_others().run(request)

    def glance(self, photo: Photo) -> tuple[str, str]:
        """See ``DraftPipeline``."""
        return self._of_others().glance(photo)

    def _of_others(self) -> DraftPipeline:
        with self._lock:
            self._model = self._model or self._load()
        return self._model
