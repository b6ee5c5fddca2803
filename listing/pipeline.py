"""The IPL pipeline: observe, decide, say, ask. Photos become a stream of events, and the last one is the draft."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from contextvars import copy_context
from copy import copy
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import groupby
from pathlib import Path

from listing.backends.base import BackendError, FormBackend
from listing.backends.stopping import Stopped, stop_when
from listing.decide.claims import with_stated
from listing.decide.decision import Decision
from listing.decide.settle import item_of
from listing.home import ipl_home
from listing.intake.photos import intake
from listing.intake.quality import assess, photo_quality
from listing.observe.language_model import LanguageModel
from listing.observe.past_listings import Neighbours, PastListings
from listing.observe.seller import is_seller, seller_observations
from listing.observe.source import Context, Source
from listing.pipeline_parts import EMBEDDED, PipelineParts, build_parts, towers_here
from listing.request import (
    AttributeEvent,
    CategoryEvent,
    DraftEvent,
    DraftRequest,
    Event,
    Photo,
    QuestionEvent,
    StageEvent,
)
from listing.say import ask
from listing.say.compose import compose
from listing.say.render import Text
from listing.schema import AttributeValue, Draft, Observation, Quality, Question
from listing.shops.shop import Words, use_shop

log = logging.getLogger(__name__)
SHARES = {"category": 0.05, "facts": 0.3, "reading": 0.5, "text": 0.6}  # of the usual work, at the stage's begin


@dataclass
class Clock:
    """Milliseconds of a draft, by stage, from the moment when it is made."""

    spent: dict[str, float] = field(default_factory=dict)
    began: float = field(default_factory=time.perf_counter)

    def elapsed(self) -> float:
        """Milliseconds since the draft was begun."""
        return round((time.perf_counter() - self.began) * 1000, 1)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time of the block to ``name``."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.spent[name] = round(self.spent.get(name, 0.0) + (time.perf_counter() - began) * 1000, 1)


class Pipeline:
    """Implements ``DraftPipeline``; as many drafts at the same time as the model allows (``concurrency``).

    What is computed in this process is computed for one draft at a time: only a model's server works on several.
    """

    def __init__(self, parts: PipelineParts) -> None:
        self.parts = parts
        self.concurrency = parts.backend.concurrency
        self._here = threading.Lock()
        self._threads = ThreadPoolExecutor(self.concurrency, "draft")

    def run(self, request: DraftRequest) -> Iterator[Event]:
        """Yield events as they are decided; see ``DraftPipeline``."""
        clock = Clock()
        if request.again:
            getattr(self.parts.backend, "wake", lambda: None)()
        decision = yield from self._observe(request, clock)
        neighbours = self._neighbours(request, decision)
        questions = ask.questions(decision, neighbours.brands)
        yield from (QuestionEvent(question=question) for question in questions)
        yield StageEvent(stage="text", share=SHARES["text"])
        parts = replace(self.parts, rules=decision.rules, writes=self.parts.writes and not self._alone(decision))
        with clock.stage("text"):
            try:
                text = yield from compose(request, decision, neighbours, key=draft_id(request), parts=parts)
            except BackendError as error:
                self._check_can_do_without(error)
                parts = replace(parts, writes=False)
                text = yield from compose(request, decision, neighbours, key=draft_id(request), parts=parts)
        draft = assemble(request, decision, text, questions, neighbours, parts)
        timing = {**clock.spent, "total": clock.elapsed()}
        yield DraftEvent(draft=draft.model_copy(update={"timing_ms": timing}))

    def with_parts(self, parts: PipelineParts) -> Pipeline:
        """This pipeline with other parts; what one of them computes in this process, the other waits for."""
        other = copy(self)
        other.parts = parts
        return other

    def _alone(self, decision: Decision) -> bool:
        return decision.rules is self.parts.alone

    def _check_can_do_without(self, error: BackendError) -> None:
        """Raises what a model failed with, unless drafts can do without it."""
        if self.parts.alone is None or isinstance(error, Stopped):
            raise error
        log.warning("a draft does without its model: %s", error)

    def observe(self, request: DraftRequest) -> list[Observation]:
        """What all sources observe of an item; nothing is written."""
        return list(self._decided(request).views.observations)

    def glance(self, photo: Photo) -> tuple[str, str]:
        """See ``DraftPipeline``; nothing is read either."""
        quick = [s for s in self.parts.sources if s.stage != "reading" and s.name != LanguageModel.name]
        decision = self.with_parts(replace(self.parts, sources=quick))._decided(DraftRequest(photos=(photo,)))
        kinds = [decision.category.value, *(c.value for c in decision.category.candidates)]
        colours = decision.colours
        return next(filter(None, kinds), ""), max(colours, key=lambda name: colours[name], default="")

    def _decided(self, request: DraftRequest) -> Decision:
        work = self._observe(request, Clock())
        while True:
            try:
                next(work)
            except StopIteration as end:
                decision: Decision = end.value
                return decision

    def _observe(self, request: DraftRequest, clock: Clock) -> Generator[Event, None, Decision]:
        """Ask the sources, stage by stage, and decide after each; of an earlier draft only the seller's word is new."""
        rules, alone, count = self.parts.rules, self.parts.alone, len(request.photos)
        if request.earlier_draft is not None and request.earlier_draft.observations:
            earlier = [o for o in request.earlier_draft.observations if not is_seller(o)]
            told = any(o.source == LanguageModel.name for o in earlier)
            decision = Decision([*seller_observations(request), *earlier], count, rules if told else alone or rules)
            yield from _events(decision, [])
            return decision
        observations: list[Observation] = []
        decide = lambda: Decision(observations, count, rules)  # noqa: E731 - by the rules of then
        context = Context(request, rules.taxonomy, rules.calibration, decide, self.parts.reader, observations)
        facts: list[AttributeValue] = []
        for stage, sources in groupby(self.parts.sources, lambda source: source.stage):
            yield StageEvent(stage=stage, share=SHARES[stage])
            with clock.stage(stage):
                for source in sources:
                    self._ask(source, context)
            if alone is not None and not any(o.source == LanguageModel.name for o in observations):
                rules = alone
            decision = Decision(observations, count, rules)
            yield from _events(decision, facts)
            facts = decision.facts
            clock.spent.setdefault("first_fact", clock.elapsed())
        return Decision(observations, count, rules)

    def _ask(self, source: Source, context: Context) -> None:
        with self._here if source.local else nullcontext():
            try:
                context.ask(source)
            except BackendError as error:
                self._check_can_do_without(error)

    def _neighbours(self, request: DraftRequest, decision: Decision) -> Neighbours:
        """Past listings of the decided category, for a price and the tone of a text; of an earlier draft, its own."""
        neighbours, earlier = Neighbours(), request.earlier_draft
        if earlier is not None:
            brands = next((q.choices for q in earlier.questions if q.attribute == "brand"), [])
            neighbours = Neighbours(neighbours=earlier.neighbours, price=earlier.price, brands=brands)
        category, search = decision.category.value, self.parts.search
        if search is None or category is None:
            return neighbours
        items = [request.photos[i] for i in decision.views.items]
        leaf = None if decision.asks_kind else category  # of what is not sure, whatever looks like it
        brand = next((fact.value for fact in decision.facts if fact.name == "brand"), None)
        with self._here:
            if earlier is None:
                neighbours = search.find(items, category=leaf, seller_id=request.seller_id)
            price = search.price(
                items, category=category, brand=brand, seller_id=request.seller_id, nearest=neighbours.neighbours
            )
        return replace(neighbours, price=price)

    def draft(self, photos: Sequence[str | Path], *, note: str = "") -> Draft:
        """The draft of one item's photos; see ``listing.draft``."""
        request = DraftRequest(photos=intake(photos), note=note)
        (last,) = (event.draft for event in self.run(request) if isinstance(event, DraftEvent))
        return ask.readable(last)

    async def adraft(self, photos: Sequence[str | Path], *, note: str = "") -> Draft:
        """``draft`` in a thread, as many at the same time as the model allows; cancelling it ends its requests."""
        cancelled = threading.Event()

        def work() -> Draft:
            stop_when(cancelled.is_set)
            return self.draft(photos, note=note)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, copy_context().run, work)
        except asyncio.CancelledError:
            cancelled.set()
            raise


def _events(decision: Decision, before: Sequence[AttributeValue]) -> Iterator[Event]:
    """The category, where it is new, and the facts that have changed."""
    if not before:
        yield CategoryEvent(category=decision.category)
    yield from (AttributeEvent(attribute=fact) for fact in decision.facts if fact not in before)


def assemble(
    request: DraftRequest,
    decision: Decision,
    text: Text,
    questions: Sequence[Question],
    neighbours: Neighbours,
    parts: PipelineParts,
) -> Draft:
    """The draft with all that it rests on, and how good it is."""
    category, facts = decision.category, with_stated(decision.facts, text.spans, parts.taxonomy)
    answered = not isinstance(parts.backend, FormBackend) or decision.views.speaks("mllm")
    remarks = [] if answered else [ask.unreadable(parts.backend.name)]
    if parts.alone is not None and not parts.writes:
        remarks = [ask.away()]
    item = item_of(category.value, parts.taxonomy)
    draft = Draft(
        id=draft_id(request),
        photos=[photo.ref for photo in request.photos],
        category=category,
        attributes=facts,
        details=[detail for detail in decision.details if detail.phrase not in text.denied],
        title=text.title,
        description=text.description,
        spans=text.spans,
        offers=ask.offers_of(decision.possible, item) if category.value else [],
        questions=list(questions),
        flags=[*remarks, *decision.flags, *text.flags],
        price=neighbours.price,
        neighbours=list(neighbours.neighbours),
        quality=Quality(score=0),  # assessed below, as a whole
        model=parts.backend.name if parts.rules is not parts.alone else EMBEDDED,
        observations=list(decision.views.observations),
        writer=dict(text.writer),
        tone=request.tone,
        rules=parts.rules.version,
    )
    generated = (text.title, text.description) if request.title is None and request.description is None else ("", "")
    photos = [photo_quality(photo.image) for photo in request.photos]
    quality = assess(draft, photos, parts.taxonomy.labels(decision.node), generated)
    return draft.model_copy(update={"offers": ask.open_offers(draft, item), "quality": quality})


def draft_id(request: DraftRequest) -> str:
    """The same photos give the same id, whatever their order."""
    hashes = sorted(hashlib.sha256(photo.jpeg).hexdigest() for photo in request.photos)
    return hashlib.sha256("|".join([request.seller_id or "", *hashes]).encode()).hexdigest()[:24]


def build_pipeline(
    model: str | None,
    rag: bool,
    home: Path,
    past: PastListings | None = None,
    concurrency: int | None = None,
    without: Sequence[str] = (),
    version: str = "",
    words: Words | None = None,
) -> Pipeline:
    """The pipeline with its real parts; heavy imports happen here. BackendError: the model cannot be used.

    Args:
        model: folder, hub id, or URL of an OpenAI-compatible server; None takes the embedded model.
        rag: whether past listings are looked up.
        home: where the embedded model and the index live.
        past: an index that is open already (an embedded one has a single owner); None opens the one of ``home``.
        concurrency: drafts at the same time of a server's model; None takes what the backend allows.
        without: names of sources (``listing.pipeline_parts``) that are not asked.
        version: of the rules that decide, where they were kept; else those of now.
        words: a shop's; None takes those that ``IPL_SHOP`` and ``IPL_TAXONOMY`` name.
    """
    words = words or Words.of(use_shop())
    return Pipeline(build_parts(model, rag, home, past, concurrency, without, version, words=words))


def draft(
    photos: Sequence[str | Path],
    *,
    note: str = "",
    model: str | None = None,
    rag: bool = True,
    shop: str | Path | None = None,
) -> Draft:
    """The draft of one item's photos: the short way for a script; ``Pipeline.run`` gives the events on the way.

    Model and index stay loaded for the next call.

    Args:
        photos: files, the first one is the cover. note: the seller's words. model: None takes what ``IPL_MODEL`` names,
            else the embedded one. model, rag: see ``build_pipeline``. shop: the folder of a shop that ``./ipl learn``
            made; None takes what ``IPL_SHOP`` names. A process speaks one shop's words at a time.

    Raises:
        PhotoError, BackendError: one sentence that says what to do.
    """
    return _loaded(model, rag, shop).draft(photos, note=note)


async def adraft(
    photos: Sequence[str | Path],
    *,
    note: str = "",
    model: str | None = None,
    rag: bool = True,
    shop: str | Path | None = None,
) -> Draft:
    """``draft`` without blocking the event loop: a server's model works on eight at once, others write one at a time.

    More or fewer at once: ``build_pipeline(..., concurrency=N)`` and its ``adraft``. See ``draft``.
    """
    pipeline = await asyncio.to_thread(_loaded, model, rag, shop)
    return await pipeline.adraft(photos, note=note)


_loading = threading.Lock()


def _loaded(model: str | None, rag: bool, shop: str | Path | None = None) -> Pipeline:
    with _loading:
        return _pipeline(model or os.environ.get("IPL_MODEL") or None, rag, ipl_home(), use_shop(shop))


@lru_cache(maxsize=4)
def _pipeline(model: str | None, rag: bool, home: Path, shop: Path | None) -> Pipeline:
    past = _past(home, shop) if rag and towers_here(model, home) else None
    return build_pipeline(model, rag, home, past, words=Words.of(shop))


@lru_cache(maxsize=4)
def _past(home: Path, shop: Path | None) -> PastListings:
    words = Words.of(shop)
    return PastListings.open(home, words.taxonomy, words.index)  # one for all models: an embedded index has one owner
