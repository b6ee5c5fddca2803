"""Drafts of the demo's own photos: one more source says what they show, and the usual pipeline writes the listing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from threading import Lock
from typing import cast

from app.demo.things import Thing
from listing.backends.base import Backend
from listing.calibration import Calibration
from listing.decide.decision import Rules
from listing.events import Event
from listing.observe.source import Context, Source
from listing.pipeline import Pipeline
from listing.pipeline_parts import PipelineParts
from listing.request import DraftPipeline, DraftRequest, Photo
from listing.schema import Observation
from listing.taxonomy import load_taxonomy


class DemoItems(Source):
    """What the demo's own photos show, as the word of their sellers; a source, and a model that is never asked."""

    name, concurrency = "demo", 1

    def __init__(self) -> None:
        self.items: dict[str, Thing] = {}

    def of(self, photos: Sequence[Photo]) -> Thing | None:
        """The item of these photos, where it is one of the demo's."""
        return next((self.items[p.ref.id] for p in photos if p.ref.id in self.items), None)

    def observe(self, photos: Sequence[Photo], context: Context) -> Iterator[Observation]:
        """Category, facts and details, all of them sure."""
        if (item := self.of(photos)) is None:
            return
        for question, value in {"category": item.kind.category, **item.facts}.items():
            yield Observation(source="seller", question=question, probabilities={value: 1.0}, text=value)
        details = dict.fromkeys(item.details, 1.0)
        yield Observation(source="mllm", question="detail", photo=0, probabilities=details)


class KnownThings:
    """Implements ``DraftPipeline``: drafts of the demo's own photos at once, others by the model.

    Args:
        model: loads the model that writes drafts of other photos; called when the first one comes.
    """

    concurrency = 1

    def __init__(self, model: Callable[[], DraftPipeline]) -> None:
        self._load, self._lock = model, Lock()
        self._model: DraftPipeline | None = None
        self._demo = DemoItems()
        rules = Rules(load_taxonomy(), Calibration())
        self._pipeline = Pipeline(PipelineParts(cast(Backend, self._demo), (self._demo,), rules, writes=False))

    def tell(self, photo_id: str, thing: Thing) -> None:
        """A photo that will come shows this item."""
        self._demo.items[photo_id] = thing

    def run(self, request: DraftRequest) -> Iterator[Event]:
        """See ``DraftPipeline``."""
        if self._demo.of(request.photos) is not None:
            yield from self._pipeline.run(request)
            return
        with self._lock:
            self._model = self._model or self._load()
        yield from self._model.run(request)
