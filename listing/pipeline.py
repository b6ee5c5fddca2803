"""The IPL pipeline: photos -> stream of events -> draft. Category first, then facts one by one, then text."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from listing.backends.base import FormBackend
from listing.backends.stopping import stop_when
from listing.events import AttributeEvent, CategoryEvent, DraftEvent, Event, QuestionEvent, StageEvent
from listing.evidence.neighbours import Neighbours
from listing.evidence.past_listings import PastListings
from listing.evidence.printed.labels import label_words
from listing.facts import item_form, printed_facts, verify, visual_facts
from listing.facts.item_form import Said
from listing.facts.likely import likely
from listing.facts.note import read_note
from listing.facts.printed_facts import Pages
from listing.home import ipl_home
from listing.intake.photos import intake
from listing.pipeline_parts import Parts, build_parts, towers_here
from listing.request import DraftRequest
from listing.schema import AttributeValue, Category, Detail, Draft, Flag, Offer
from listing.taxonomy import CategoryNode, Taxonomy
from listing.text import seller_questions
from listing.text.compose import compose
from listing.text.offers import offers_of, open_offers

LABEL_LINES = 2  # of a label's words on a photo, for its print to be none of the item


@dataclass
class Clock:
    """Milliseconds by stage."""

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


@dataclass(frozen=True)
class _Findings:
    """What is known of the item before its text is written."""

    category: Category
    facts: list[AttributeValue]
    neighbours: Neighbours
    flags: Sequence[Flag] = ()
    details: Sequence[Detail] = ()
    offers: Sequence[Offer] = ()
    answered: bool = True  # whether any reply of the model could be read


class Pipeline:
    """Implements ``DraftPipeline``; as many drafts at the same time as the model allows (``concurrency``).

    What is computed in this process is computed for one draft at a time: only a model's server works on several.
    """

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.concurrency = parts.backend.concurrency
        self._here = threading.Lock()
        self._threads = ThreadPoolExecutor(self.concurrency, "draft")

    def draft(self, photos: Sequence[str | Path], *, note: str = "") -> Draft:
        """The draft of one item's photos; see the function ``draft``."""
        request = DraftRequest(photos=intake(photos), note=note)
        (last,) = (event.draft for event in self.run(request) if isinstance(event, DraftEvent))
        return seller_questions.readable(last)

    async def adraft(self, photos: Sequence[str | Path], *, note: str = "") -> Draft:
        """``draft`` in a thread, as many at the same time as the model allows; others wait for their turn.

        Cancelling it ends its requests to a server.
        """
        cancelled = threading.Event()

        def work() -> Draft:
            stop_when(cancelled.is_set)
            return self.draft(photos, note=note)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, copy_context().run, work)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    def run(self, request: DraftRequest) -> Iterator[Event]:
        """Yield events as they are known; see ``DraftPipeline``."""
        clock, parts = Clock(), self.parts
        yield StageEvent(stage="category", share=0.05)
        known = request.known
        if known is not None and (request.category or known.category.value) == known.category.value:
            findings = yield from self._reused(request, known)
        else:
            findings = yield from self._findings(request, clock)
        category, facts, key = findings.category, findings.facts, draft_id(request)
        questions = seller_questions.questions(category, facts, parts.taxonomy)
        for question in questions:
            yield QuestionEvent(question=question)
        yield StageEvent(stage="text", share=0.6)
        with clock.stage("text"):
            text = yield from compose(
                request,
                category,
                facts,
                findings.details,
                findings.neighbours,
                key=key,
                writer=parts.backend if parts.writes else None,
                taxonomy=parts.taxonomy,
                calibration=parts.calibration,
            )
        draft = Draft(
            id=key,
            photos=[photo.ref for photo in request.photos],
            category=category,
            attributes=facts,
            details=list(findings.details),
            title=text.title,
            description=text.description,
            spans=text.spans,
            offers=list(findings.offers),
            questions=questions,
            flags=[
                *seller_questions.model_flags(parts.backend.name, parts.calibration, answered=findings.answered),
                *findings.flags,
                *text.flags,
            ],
            price=known.price if known is not None else findings.neighbours.price,
            neighbours=list(known.neighbours if known is not None else findings.neighbours.neighbours),
            quality=seller_questions.quality(request, category, facts, text, parts.taxonomy),
            model=parts.backend.name,
            timing_ms={**clock.spent, "total": clock.elapsed()},
        )
        yield DraftEvent(draft=draft.model_copy(update={"offers": open_offers(draft, parts.taxonomy)}))

    def _reused(self, request: DraftRequest, known: Draft) -> Generator[Event, None, _Findings]:
        """The findings of the earlier draft, the seller's own facts in their place."""
        category, attributes = known.category, self.parts.taxonomy.attributes
        if request.category is not None:  # the seller's word, so that the text may name it
            category = visual_facts.chosen(request.category, category)
        found = {f.name: verify.without_note(f, attributes[f.name]) for f in known.attributes}
        if category.value is not None:
            node = self.parts.taxonomy.categories[category.value]
            found |= {fact.name: fact for fact in _noted(request, node, found, self.parts.taxonomy)}
        facts = [
            verify.seller_fact(attributes[name], request.facts[name])
            if name in request.facts and name in attributes
            else fact
            for name, fact in found.items()
        ]
        yield CategoryEvent(category=category)
        for fact in facts:
            yield AttributeEvent(attribute=fact)
        # What was remarked on the photos holds for them still; of the category, until the seller names it.
        kept = ("photos",) if request.category is not None else ("photos", "category")
        flags = [flag for flag in known.flags if flag.field in kept]
        return _Findings(category, facts, Neighbours(), flags, known.details, known.offers)

    def _findings(self, request: DraftRequest, clock: Clock) -> Generator[Event, None, _Findings]:
        """Category, neighbours and facts from the photos and the seller's word."""
        parts = self.parts
        pages = Pages(request.photos, parts.reader)
        with clock.stage("category"):
            said = self._filled(request, pages)
            with self._here:
                seen = visual_facts.look(
                    request,
                    backend=parts.backend,
                    router=parts.router,
                    similar=parts.similar,
                    taxonomy=parts.taxonomy,
                    calibration=parts.calibration,
                    pages=pages,
                    eyes=parts.eyes,
                    said=said,
                )
        yield CategoryEvent(category=seen.category)
        clock.spent["first_fact"] = clock.elapsed()
        if seen.category.value is None:
            return _Findings(seen.category, [], Neighbours(), seen.flags, answered=seen.answered)
        node = parts.taxonomy.categories[seen.category.value]
        neighbours = Neighbours()
        if parts.similar is not None and (node.tuned or said is not None):
            yield StageEvent(stage="similar", share=0.15)
            with clock.stage("similar"), self._here:
                shown = seen.shown(request.photos)
                neighbours = parts.similar.find(shown, category=node.name, seller_id=request.seller_id)
        yield StageEvent(stage="facts", share=0.2)
        facts, offers = yield from self._visible(request, node, seen, neighbours, clock)
        yield StageEvent(stage="reading", share=0.5)
        with clock.stage("reading"):
            lines = pages.all(seen.roles)
        words = said.words if said is not None else None
        # Nobody says what each photo is for where a form was filled in, or the towers know none of these things.
        unsorted = said is not None or not parts.taxonomy.tuned()
        labels = {i for i, page in enumerate(lines) if label_words(page) >= LABEL_LINES} if unsorted else seen.labels()
        printed = printed_facts.read_facts(request, node, lines, labels, words)
        for fact in printed:
            if fact.name not in request.facts:
                facts[fact.name] = fact
                yield AttributeEvent(attribute=fact)
        for fact in _noted(request, node, facts, parts.taxonomy):
            facts[fact.name] = fact
            yield AttributeEvent(attribute=fact)
        ordered = [facts.get(a.name) or verify.not_known(a) for a in parts.taxonomy.schema(node.name)]
        answered = seen.answered or any(e.source == "mllm" for fact in facts.values() for e in fact.evidence)
        return _Findings(seen.category, ordered, neighbours, seen.flags, visual_facts.details(seen), offers, answered)

    def _filled(self, request: DraftRequest, pages: Pages) -> Said | None:
        """The form as the model fills it in; what is printed is read here in the meantime."""
        backend, photos = self.parts.backend, [photo.image for photo in request.photos]
        if not isinstance(backend, FormBackend):
            return None
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(
                copy_context().run, item_form.ask, photos, backend, self.parts.taxonomy, request.category
            )
            pages.all()
            return asked.result()

    def _visible(
        self, request: DraftRequest, node: CategoryNode, seen: visual_facts.Look, neighbours: Neighbours, clock: Clock
    ) -> Generator[Event, None, tuple[dict[str, AttributeValue], list[Offer]]]:
        """Facts by attribute: the seller's, then what the photos show; and all that they may show."""
        parts = self.parts
        with clock.stage("facts"), self._here:
            network = parts.colours if node.tuned else None  # it knows garments alone
            pixels = visual_facts.pixel_views(request.photos, seen.trust, seen.sights, network)
            readings = visual_facts.readings(
                request,
                node,
                seen,
                neighbours,
                pixels,
                backend=parts.backend,
                taxonomy=parts.taxonomy,
                calibration=parts.calibration,
            )
        facts = {
            name: verify.seller_fact(parts.taxonomy.attributes[name], value)
            for name, value in request.facts.items()
            if name in node.attributes
        }
        for reading in readings:
            name = reading.attribute.name
            if name not in facts:
                fact = verify.visible_fact(reading, parts.calibration, pixels, neighbours.ids.get(name))
                repeated = verify.repeats(fact, facts.get("colour"))
                facts[name] = verify.not_known(reading.attribute) if repeated else fact
            yield AttributeEvent(attribute=facts[name])
        if parts.eyes is not None and node.tuned:
            kind = visual_facts.item_type(seen, node.name, parts.eyes, parts.calibration)
            wear = visual_facts.condition(seen)
            for found in (kind, *([wear] if wear is not None else [])):
                if found.name not in request.facts:
                    facts[found.name] = found
                    yield AttributeEvent(attribute=found)
        colour = None if "colour" in facts else visual_facts.pixel_colour(pixels)
        if colour is not None and "colour" in node.attributes:
            facts["colour"] = colour
            yield AttributeEvent(attribute=colour)
        possible = likely(seen, node.name, readings, parts.eyes if node.tuned else None)
        return facts, offers_of(possible, node.name, parts.taxonomy)


def _noted(
    request: DraftRequest, node: CategoryNode, found: Mapping[str, AttributeValue], taxonomy: Taxonomy
) -> list[AttributeValue]:
    """What the note states, over what was seen and read; the seller's answers stand above it."""
    stated = {n: v for n, v in read_note(request.note).facts.items() if n in node.attributes and n not in request.facts}
    allowed = next(a.values for a in taxonomy.schema(node.name) if a.name == "condition")
    if wear := [v for v in stated.pop("condition", "").split(", ") if v in allowed]:
        stated["condition"] = ", ".join(wear)
    facts = [verify.noted_fact(name, value, found.get(name)) for name, value in stated.items()]
    seen = found.get("condition")
    if "defects" in stated and "condition" not in stated and seen is not None and seen.value == "none-visible":
        facts.append(verify.not_known(taxonomy.attributes["condition"]))  # a flaw overrules "no wear"
    return facts


def draft_id(request: DraftRequest) -> str:
    """The same photos give the same id, whatever their order."""
    hashes = sorted(hashlib.sha256(photo.jpeg).hexdigest() for photo in request.photos)
    return hashlib.sha256("|".join([request.seller_id or "", *hashes]).encode()).hexdigest()[:24]


def build_pipeline(
    model: str | None, rag: bool, home: Path, past: PastListings | None = None, concurrency: int | None = None
) -> Pipeline:
    """The pipeline with its real parts; heavy imports happen here. BackendError: the model cannot be used.

    Args:
        model: folder, hub id, or URL of an OpenAI-compatible server; None takes the embedded model.
        rag: whether past listings are looked up.
        home: where the embedded model and the index live.
        past: an index that is open already (an embedded one has a single owner); None opens the one of ``home``.
        concurrency: drafts at the same time of a server's model; None takes what the backend allows.
    """
    return Pipeline(build_parts(model, rag, home, past, concurrency))


def draft(photos: Sequence[str | Path], *, note: str = "", model: str | None = None, rag: bool = True) -> Draft:
    """The draft of one item's photos: the short way for a script; ``Pipeline.run`` gives the events on the way.

    Model and index stay loaded for the next call.

    Args:
        photos: files, the first one is the cover. note: the seller's words. model: None takes what ``IPL_MODEL`` names,
            else the embedded one. model, rag: see ``build_pipeline``.

    Raises:
        PhotoError, BackendError: one sentence that says what to do.
    """
    return _loaded(model, rag).draft(photos, note=note)


async def adraft(photos: Sequence[str | Path], *, note: str = "", model: str | None = None, rag: bool = True) -> Draft:
    """``draft`` without blocking the event loop: a server's model works on eight at once, others write one at a time.

    More or fewer at once: ``build_pipeline(..., concurrency=N)`` and its ``adraft``. See ``draft``.
    """
    pipeline = await asyncio.to_thread(_loaded, model, rag)
    return await pipeline.adraft(photos, note=note)


_loading = threading.Lock()


def _loaded(model: str | None, rag: bool) -> Pipeline:
    with _loading:
        return _pipeline(model or os.environ.get("IPL_MODEL") or None, rag, ipl_home())


@lru_cache(maxsize=4)
def _pipeline(model: str | None, rag: bool, home: Path) -> Pipeline:
    return build_pipeline(model, rag, home, _past(home) if rag and towers_here(model, home) else None)


@lru_cache(maxsize=1)
def _past(home: Path) -> PastListings:
    return PastListings.open(home)  # one for all models: an embedded index has one owner
