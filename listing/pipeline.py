"""The IPL pipeline: photos -> stream of events -> draft. Category first, then facts one by one, then text."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from listing.events import AttributeEvent, CategoryEvent, DraftEvent, Event, QuestionEvent, StageEvent
from listing.evidence.neighbours import Found
from listing.facts import printed_facts, verify, visual_facts
from listing.parts import Parts
from listing.request import DraftPipeline, DraftRequest
from listing.schema import AttributeValue, Draft, Flag
from listing.text import compose, finish

if TYPE_CHECKING:
    from listing.evidence.past_listings import PastListings


@dataclass
class Clock:
    """Milliseconds by stage."""

    spent: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time of the block to ``name``."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.spent[name] = round(self.spent.get(name, 0.0) + (time.perf_counter() - began) * 1000, 1)


class Pipeline:
    """Implements ``DraftPipeline``. One draft at a time: the model is not shared between threads."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    def run(self, request: DraftRequest) -> Iterator[Event]:
        """Yield events as they are known; see ``DraftPipeline``."""
        clock = Clock()
        began = time.perf_counter()
        yield StageEvent(stage="category", share=0.05)
        known = request.known
        if known is not None and (request.category or known.category.value) == known.category.value:
            category, facts, found = known.category, self._kept(request, known), Found()
            if request.category is not None:  # the seller's word, so that the text may name it
                category = visual_facts.chosen(request.category, category)
            flags: list[Flag] = []
            yield CategoryEvent(category=category)
            for fact in facts:
                yield AttributeEvent(attribute=fact)
        else:
            with clock.stage("category"):
                seen = visual_facts.look(request, self.parts)  # photos, then every source's category
                category = seen.category
            yield CategoryEvent(category=category)
            clock.spent["first_fact"] = round((time.perf_counter() - began) * 1000, 1)
            facts, found, flags = yield from self._facts(request, seen, clock)
        questions = finish.questions(category, facts, self.parts.taxonomy)
        for question in questions:
            yield QuestionEvent(question=question)
        yield StageEvent(stage="text", share=0.6)
        with clock.stage("text"):
            text = yield from compose.compose(request, category, facts, found, self.parts)
        draft = Draft(
            id=draft_id(request),
            photos=[photo.ref for photo in request.photos],
            category=category,
            attributes=facts,
            title=text.title,
            description=text.description,
            questions=questions,
            flags=[*finish.model_flags(self.parts.calibration), *flags, *text.flags],
            price=known.price if known is not None else found.price,
            neighbours=list(known.neighbours if known is not None else found.neighbours),
            quality=finish.quality(request, category, facts, text, self.parts.taxonomy),
            model=self.parts.backend.name,
            timing_ms={**clock.spent, "total": round((time.perf_counter() - began) * 1000, 1)},
        )
        yield DraftEvent(draft=draft)

    def _facts(
        self, request: DraftRequest, seen: visual_facts.Look, clock: Clock
    ) -> Generator[Event, None, tuple[list[AttributeValue], Found, list[Flag]]]:
        taxonomy, parts = self.parts.taxonomy, self.parts
        if seen.category.value is None:
            return [], Found(), list(seen.flags)
        node = taxonomy.categories[seen.category.value]
        found = Found()
        if parts.similar is not None and node.tuned:
            yield StageEvent(stage="similar", share=0.15)
            with clock.stage("similar"):
                found = parts.similar.find(request.photos, category=node.name, seller_id=request.seller_id)
        yield StageEvent(stage="facts", share=0.2)
        facts: dict[str, AttributeValue] = {}
        with clock.stage("facts"):
            pixels = visual_facts.pixel_views(request.photos, seen.trust)
            readings = visual_facts.readings(request, node, seen, found, pixels, parts)
        for name, value in request.facts.items():
            if name in node.attributes:
                facts[name] = verify.seller_fact(taxonomy.attributes[name], value)
        for item in readings:
            name = item.attribute.name
            if name not in facts:
                facts[name] = verify.visible_fact(item, parts.calibration, pixels, found.ids.get(name))
                if verify.repeats(facts[name], facts.get("colour")):
                    facts[name] = verify.not_known(item.attribute)
            yield AttributeEvent(attribute=facts[name])
        if not node.tuned and "colour" not in facts and (colour := visual_facts.pixel_colour(pixels)) is not None:
            facts["colour"] = colour
            yield AttributeEvent(attribute=colour)
        yield StageEvent(stage="reading", share=0.5)
        with clock.stage("reading"):
            read = printed_facts.read_facts(request, node, parts.reader)
        for fact in read:
            if fact.name not in request.facts and fact.name in node.attributes:
                facts[fact.name] = fact
                yield AttributeEvent(attribute=fact)
        ordered = [facts.get(a.name) or verify.not_known(a) for a in taxonomy.schema(node.name)]
        return ordered, found, list(seen.flags)

    def _kept(self, request: DraftRequest, known: Draft) -> list[AttributeValue]:
        """The facts of the earlier draft, the seller's own in their place."""
        taxonomy = self.parts.taxonomy
        return [
            verify.seller_fact(taxonomy.attributes[fact.name], request.facts[fact.name])
            if fact.name in request.facts and fact.name in taxonomy.attributes
            else fact
            for fact in known.attributes
        ]


def draft_id(request: DraftRequest) -> str:
    """The same photos give the same id, whatever their order."""
    hashes = sorted(hashlib.sha256(photo.jpeg).hexdigest() for photo in request.photos)
    return hashlib.sha256("|".join([request.seller_id or "", *hashes]).encode()).hexdigest()[:24]


def build_pipeline(model: str | None, rag: bool, home: Path, past: PastListings | None = None) -> DraftPipeline:
    """The pipeline with its real parts; heavy imports happen here.

    Args:
        model: folder, hub id, or URL of an OpenAI-compatible server; None takes the embedded model.
        rag: whether past listings are looked up.
        home: where the embedded model and the index live.
        past: an index that is open already (an embedded one has a single owner); None opens the one of ``home``.

    Raises:
        BackendError: the model cannot be used; the message says what to do.
    """
    from listing.assembly import build_parts

    return Pipeline(build_parts(model, rag, home, past))
