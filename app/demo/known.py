"""Drafts of things of which everything is known: the text is rendered from their facts, as that of any listing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import Lock

from app.demo.things import Thing
from listing.events import CategoryEvent, DraftEvent, Event
from listing.observe.neighbours import Neighbours
from listing.decide import verify
from listing.decide.pool import Calibration
from listing.request import DraftPipeline, DraftRequest
from listing.schema import Candidate, Category, Detail, Draft
from listing.taxonomy import load_taxonomy
from listing.text import seller_questions
from listing.text.compose import compose

MODEL = "demo"


class KnownThings:
    """Implements ``DraftPipeline``: drafts of the demo's own photos at once, others by the model.

    Args:
        model: loads the model that writes drafts of other photos; called when the first one comes.
    """

    concurrency = 1

    def __init__(self, model: Callable[[], DraftPipeline]) -> None:
        self._load, self._lock = model, Lock()
        self._model: DraftPipeline | None = None
        self._things: dict[str, Thing] = {}
        self._taxonomy = load_taxonomy()

    def tell(self, photo_id: str, thing: Thing) -> None:
        """A photo that will come shows this thing."""
        self._things[photo_id] = thing

    def run(self, request: DraftRequest) -> Iterator[Event]:
        """See ``DraftPipeline``."""
        thing = next((self._things[p.ref.id] for p in request.photos if p.ref.id in self._things), None)
        if thing is not None:
            yield from self._written(request, thing)
            return
        with self._lock:
            self._model = self._model or self._load()
        yield from self._model.run(request)

    def _written(self, request: DraftRequest, thing: Thing) -> Iterator[Event]:
        name, taxonomy = thing.kind.category, self._taxonomy
        category = Category(value=name, confidence=1.0, candidates=[Candidate(value=name, confidence=1.0)])
        yield CategoryEvent(category=category)
        has = {a.name: a for a in taxonomy.schema(name)}
        facts = [verify.seller_fact(has[key], value) for key, value in thing.facts.items() if key in has]
        facts += [verify.not_known(a) for key, a in has.items() if key not in thing.facts]
        details = [Detail(phrase=phrase, confidence=1.0, photo=0) for phrase in thing.details]
        told = replace(request, category=name)
        text = yield from compose(
            told,
            category,
            facts,
            details,
            Neighbours(),
            key=request.photos[0].ref.id,
            writer=None,
            taxonomy=taxonomy,
            calibration=Calibration(),
        )
        yield DraftEvent(
            draft=Draft(
                id=request.photos[0].ref.id,
                photos=[photo.ref for photo in request.photos],
                category=category,
                attributes=facts,
                details=details,
                title=text.title,
                description=text.description,
                spans=text.spans,
                questions=seller_questions.questions(category, facts, taxonomy),
                flags=list(text.flags),
                quality=seller_questions.quality(told, category, facts, text, taxonomy),
                model=MODEL,
            )
        )
