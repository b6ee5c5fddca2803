"""Stand-ins for what is slow: a pipeline that yields the events of a real draft, at once or at a given pace."""

from __future__ import annotations

import io
import random
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageDraw

from app.store.search_index import Hit, SearchIndex
from listing.calibration import Calibration, QuestionCalibration
from listing.decide.claims import claims_of
from listing.decide.settle import item_of
from listing.request import (
    AttributeEvent,
    CategoryEvent,
    DraftEvent,
    DraftRequest,
    Event,
    Photo,
    QuestionEvent,
    StageEvent,
    TextEvent,
)
from listing.say.ask import offers_of
from listing.say.compose import with_note
from listing.say.render import render
from listing.schema import (
    AttributeValue,
    Candidate,
    Category,
    Detail,
    Draft,
    Evidence,
    Listing,
    NeighbourRef,
    PriceRange,
    Quality,
    Question,
)
from listing.taxonomy import load_taxonomy

CATEGORY = "Hoodie"
HELD_SECONDS = 240.0
_RULE = QuestionCalibration(weights={"mllm": 1.0}, threshold=0.9)
TEXTS = {
    "plain": ("Navy hoodie with zip", "Navy hoodie with a zip and a hood. Warm and soft fleece. Rarely worn."),
    "shorter": ("Navy zip hoodie", "Navy hoodie with a zip."),
    "warmer": ("Cosy navy hoodie with zip", "A cosy navy hoodie for cool days, with a zip and a hood. Rarely worn."),
}
OCR_BOX = (0.42, 0.30, 0.58, 0.38)
GRADES = ["new with tag", "very good", "good", "fair"]
QUESTIONS = {
    "size": Question(attribute="size", text="Which size is on the label?", choices=["S", "M", "L"]),
    "condition_grade": Question(attribute="condition_grade", text="In which condition is it?", choices=GRADES),
}


def facts() -> list[AttributeValue]:
    """One fact of every kind: seen, read, a guess, not known, contradicted."""
    pixels = Evidence(source="pixels", photo=0, box=(0.2, 0.2, 0.8, 0.9), text="#1f2a44", score=0.94)
    read = Evidence(source="ocr", photo=0, box=OCR_BOX, text="NIKE", score=0.97)
    model = Evidence(source="mllm", photo=0, score=0.88)
    past = Evidence(source="neighbours", listing_ids=["sample-1", "sample-2"], score=0.6)
    against = Evidence(source="pixels", photo=0, score=0.1)
    stated = (("colour", "navy", 0.94, pixels), ("brand", "Nike", 0.97, read), ("closure", "zip", 0.88, model))
    return [
        *(AttributeValue(name=n, value=v, status="supported", confidence=p, evidence=[e]) for n, v, p, e in stated),
        AttributeValue(name="material", suggestion="fleece", status="unsupported", confidence=0.55, evidence=[past]),
        AttributeValue(name="pattern", suggestion="striped", status="contradicted", confidence=0.2, evidence=[against]),
        AttributeValue(name="size", status="unknown"),
    ]


@dataclass
class FakePipeline:
    """Implements ``listing.request.DraftPipeline``; the same request gives the same events.

    delay: seconds before every event; hold_at: kind of event before which it waits until ``go_on`` is set.
    in_range: False gives a photo outside what the model knows.
    marked: the text is rendered, and says what is only likely.
    fail_at: kind of event in whose place ``error`` is raised. running: most runs at the same time so far.
    concurrency: runs that it allows at the same time.
    """

    delay: float = 0.0
    hold_at: str | None = None
    go_on: threading.Event = field(default_factory=threading.Event)
    in_range: bool = True
    marked: bool = False
    fail_at: str | None = None
    error: Exception = field(default_factory=lambda: RuntimeError("the model broke"))
    runs: int = 0
    closed: int = 0
    running: int = 0
    most_running: int = 0
    concurrency: int = 1

    def run(self, request: DraftRequest) -> Iterator[Event]:
        self.runs += 1
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            for event in self._events(request):
                if self.delay:
                    time.sleep(self.delay)
                if event.kind == self.hold_at:
                    assert self.go_on.wait(HELD_SECONDS), "nobody let it go on"
                if event.kind == self.fail_at:
                    raise self.error
                yield event
        except GeneratorExit:
            self.closed += 1
            raise
        finally:
            self.running -= 1

    def glance(self, photo: Photo) -> tuple[str, str]:
        return "Hoodie", "navy"

    def _events(self, request: DraftRequest) -> Iterator[Event]:
        draft = marked_draft(request) if self.marked else make_draft(request, self.in_range)
        yield StageEvent(stage="photos", share=0.0)
        if request.earlier_draft is None:
            yield StageEvent(stage="reading", share=0.05)
            yield StageEvent(stage="category", share=0.15)
        yield CategoryEvent(category=draft.category)
        if request.earlier_draft is None:
            yield StageEvent(stage="similar", share=0.3)
            yield StageEvent(stage="facts", share=0.4)
        for attribute in draft.attributes:
            yield AttributeEvent(attribute=attribute)
        for question in draft.questions:
            yield QuestionEvent(question=question)
        yield StageEvent(stage="text", share=0.6)
        for name in ("title", "description"):
            text = getattr(draft, name)
            for word in text.split(" ") if text else ():
                yield TextEvent(field=name, text=word + " ")
            yield TextEvent(field=name, text=text, replace=True)
        yield StageEvent(stage="checks", share=0.95)
        yield DraftEvent(draft=draft)


def make_draft(request: DraftRequest, in_range: bool = True) -> Draft:
    """The finished draft of a request, with the seller's own facts and texts in their places."""
    word = {"status": "supported", "confidence": 1.0, "locked": True}
    stated = {
        name: AttributeValue(name=name, value=value, evidence=[Evidence(source="seller", text=value)], **word)
        for name, value in request.facts.items()
    }
    found = [stated.pop(a.name, a) for a in (facts() if in_range else [])] + list(stated.values())
    title, description = TEXTS[request.tone] if in_range else ("", "")
    if request.note and in_range:
        description = f"{description}\n\n{request.note}"
    title = request.title if request.title is not None else title
    description = request.description if request.description is not None else description
    return Draft(
        id="fake",
        photos=[photo.ref for photo in request.photos],
        category=_category(request, in_range),
        attributes=found,
        title=title,
        description=description,
        questions=[q for name, q in QUESTIONS.items() if name not in request.facts],
        price=PriceRange(low=12, mid=15, high=18, currency="EUR", basis=["sample-1", "sample-2"]) if in_range else None,
        neighbours=[NeighbourRef(listing_id="sample-1", score=0.91)] if in_range else [],
        quality=Quality(
            score=72, parts={"photos": 0.5, "facts": 0.8}, tips=["Add more photos: the back, the label, any flaw."]
        ),
        model="fake",
        timing_ms={"total": 1.0},
    )


def marked_draft(request: DraftRequest) -> Draft:
    """A draft whose rendered texts say three things that are only likely: colour, category and a detail."""
    seen, calibration, taxonomy = [Evidence(source="mllm", photo=0)], Calibration(default=_RULE), load_taxonomy()
    doubtful = {"status": "unsupported", "confidence": 0.6, "alternatives": ["black", "olive"], "evidence": seen}
    colour = AttributeValue(name="colour", suggestion="navy", **doubtful)
    closure = AttributeValue(name="closure", value="zip", status="supported", confidence=0.99, evidence=seen)
    likely = ((CATEGORY, 0.7), ("Dress", 0.1), ("Sofa", 0.04))
    candidates = [Candidate(value=value, confidence=p) for value, p in likely]
    category = Category(value=CATEGORY, confidence=0.7, candidates=candidates)
    details = [Detail(phrase="pockets", confidence=0.6, photo=0), Detail(phrase="ribbed cuffs", confidence=0.95)]
    claims = claims_of(category, [colour, closure], details, taxonomy, calibration)
    text = render(claims, taxonomy, tone=request.tone)
    unsaid = {("detail", "drawstring hood"): 0.5, ("detail", "zip pockets"): 0.4, ("colour2", "white"): 0.3}
    said = {"category": category, "attributes": [colour, closure], "details": details, "spans": text.spans, "flags": []}
    said |= {"title": text.title, "description": with_note(text.description, request.note)}
    return make_draft(request).model_copy(update={**said, "offers": offers_of(unsaid, item_of(CATEGORY, taxonomy))})


def _category(request: DraftRequest, in_range: bool) -> Category:
    if request.category is not None:
        chosen = Candidate(value=request.category, confidence=1.0)
        return Category(value=request.category, confidence=1.0, candidates=[chosen])
    likely = ((CATEGORY, 0.93 if in_range else 0.2), ("Shirt", 0.04), ("Outwear", 0.02))
    candidates = [Candidate(value=value, confidence=p) for value, p in likely]
    value = CATEGORY if in_range else None
    return Category(value=value, confidence=likely[0][1], candidates=candidates, in_range=in_range)


def jpeg(colour: tuple[int, int, int] = (31, 42, 68), size: tuple[int, int] = (320, 400)) -> bytes:
    """A photo of one colour with a lighter label on it, as a JPEG file."""
    image = Image.new("RGB", size, colour)
    image.paste(tuple(min(255, c + 120) for c in colour), (size[0] // 3, size[1] // 3, size[0] // 2, size[1] // 2))
    return encoded(image)


def label_photo(*lines: str) -> bytes:
    """A photo of a sewn-in label with these words, as a JPEG file."""
    image = Image.new("RGB", (640, 480), (64, 66, 74))
    draw = ImageDraw.Draw(image)
    draw.rectangle((120, 60, 520, 420), fill=(240, 238, 230))
    for n, line in enumerate(lines):
        draw.text((160, 90 + 90 * n), line, fill=(20, 20, 24), font_size=60)
    return encoded(image)


def encoded(image: Image.Image) -> bytes:
    """A picture as a JPEG file."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


@dataclass
class FakeIndex(SearchIndex):
    """``SearchIndex`` in memory; finds by shared words.

    fail: every call raises, like an index whose files are broken.
    """

    fail: bool = False
    entries: dict[str, Listing] = field(default_factory=dict)
    puts: int = 0

    def _check(self) -> None:
        if self.fail:
            raise RuntimeError("the index is broken")

    def put(self, listing: Listing, photos: Sequence[Path]) -> None:
        self._check()
        assert len(photos) == len(listing.photos)
        self.puts += 1
        self.entries[listing.id] = listing

    def remove(self, listing_ids: Collection[str]) -> None:
        self._check()
        for listing_id in listing_ids:
            self.entries.pop(listing_id, None)

    def ids(self) -> set[str]:
        self._check()
        return set(self.entries)

    def vectors(self, listing_ids: Collection[str]) -> dict[str, list[float]]:
        self._check()
        return {i: [float(len(self.entries[i].title)), 1.0] * 640 for i in listing_ids if i in self.entries}

    def photo_vector(self, photo: Path) -> list[float] | None:
        self._check()
        return [float(photo.stat().st_size % 7), 1.0] * 640

    def search(self, text: str, photo: Image.Image | None, *, limit: int) -> list[Hit]:
        self._check()
        words = set(text.lower().split())
        scores = {i: len(words & set(x.title.lower().split())) for i, x in self.entries.items()}
        best = sorted((i for i in scores if scores[i]), key=lambda i: -scores[i])
        return [Hit(i, float(scores[i])) for i in best[:limit]]


def picture(seed: int, side: int = 320) -> bytes:
    """A photo that looks like no other: blocks of random grey, the same ones for the same seed."""
    dice = random.Random(seed)
    small = Image.new("L", (8, 8))
    small.putdata([dice.randrange(256) for _ in range(64)])
    buffer = io.BytesIO()
    small.resize((side, side)).convert("RGB").save(buffer, "JPEG")
    return buffer.getvalue()
