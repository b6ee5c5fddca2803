"""Parts of the pipeline without a model: they answer as they are told; observations, facts and texts of items."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from listing.backends.base import ChoiceQuestion
from listing.calibration import Calibration, QuestionCalibration
from listing.decide.claims import Claim, claims_of
from listing.decide.decision import Decision
from listing.intake.photos import intake
from listing.observe.past_listings import Neighbours
from listing.observe.printed.ocr import OcrSpan
from listing.observe.seller import Edit, word_of
from listing.observe.source import Source
from listing.pipeline import Pipeline
from listing.pipeline_parts import Installed, PipelineParts, build_sources
from listing.request import DraftRequest
from listing.revise import revise
from listing.rules import Rules
from listing.say.render import Text, render
from listing.schema import (
    AttributeValue,
    Candidate,
    Category,
    Detail,
    Draft,
    Evidence,
    Observation,
    PriceRange,
    Quality,
    Tone,
)
from listing.taxonomy import load_taxonomy

SURE = 0.97
DEFAULT = Calibration(default=QuestionCalibration(weights={"mllm": 1.0}, threshold=0.8))


@dataclass
class StubBackend:
    """Answers each question with ``answers[name]`` (by default the last answer), writes ``texts`` in turn."""

    answers: Mapping[str, str] = field(default_factory=dict)
    texts: Sequence[str] = ("Navy hoodie\nA navy hoodie with a zip.",)
    name: str = "stub"
    concurrency: int = 1
    asked: list[ChoiceQuestion] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)
    photo_counts: list[int] = field(default_factory=list)  # photos of each prompt

    def score(self, image: Image.Image, questions: Sequence[ChoiceQuestion]) -> dict[str, dict[str, float]]:
        self.asked += questions
        out = {}
        for question in questions:
            chosen = self.answers.get(question.name, question.answers[-1])
            rest = (1 - SURE) / (len(question.answers) - 1)
            out[question.name] = {a: SURE if a == chosen else rest for a in question.answers}
        return out

    def write(self, images: Sequence[Image.Image], prompt: str, *, max_tokens: int = 120) -> Iterator[str]:
        text = self.texts[len(self.prompts) % len(self.texts)]
        self.prompts.append(prompt)
        self.photo_counts.append(len(images))
        yield from (text[i : i + 5] for i in range(0, len(text), 5))

    def describe(self) -> dict[str, Any]:
        return {"model": self.name}


@dataclass
class StubReader:
    """Reads the same lines in every photo, or by the photo's size."""

    spans: Sequence[OcrSpan] = ()
    by_width: Mapping[int, Sequence[OcrSpan]] = field(default_factory=dict)

    def read(self, image: Image.Image) -> list[OcrSpan]:
        return list(self.by_width.get(image.width, self.spans))


@dataclass
class StubSimilar:
    """Gives the same neighbours to everyone and keeps who asked."""

    neighbours: Neighbours = field(default_factory=Neighbours)
    sellers: list[str | None] = field(default_factory=list)

    def find(self, photos: Any, *, category: str | None, seller_id: str | None) -> Neighbours:
        self.sellers.append(seller_id)
        return self.neighbours

    def price(self, photos: Any, **item: Any) -> PriceRange | None:
        return self.neighbours.price


def parts(
    backend: StubBackend | None = None,
    *,
    similar: Any = None,
    reader: Any = None,
    calibration: Calibration | None = None,
    sources: Sequence[Source] = (),
    without: Sequence[str] = (),
    writes: bool = True,
) -> PipelineParts:
    """Parts around a stub backend; a threshold of 0.8 for every attribute.

    ``sources``: further ones, asked first; ``without``: those of the table to leave out.
    """
    backend = backend or StubBackend()
    rules = Rules(load_taxonomy(), calibration or DEFAULT)
    built = build_sources(Installed(backend, search=similar), without)
    return PipelineParts(backend, (*sources, *built), rules, reader or StubReader(), similar, writes)


# A taxonomy of somebody's own.
BIKES = """
attributes:
  colour: {label: colour, known: seen, values: [red, blue], question: "Which colour?"}
  material: {label: material, known: [seen, read], values: [wood, steel], question: "What is it made of?"}
  brand: {label: brand, known: [read, seller-only], question: "Which brand?"}
  size: {label: size, known: [read, seller-only], question: "Which size?"}
  condition: {label: condition, known: seen, values: [new, used], question: "What wear is there?"}
  frame: {label: frame, known: seen, values: [diamond, step-through], question: "Which frame?"}
schemas:
  bike: {attributes: [colour, material, brand, size, condition, frame]}
tree:
  Bikes:
    City bike: {uses: bike, phrase: city bike}
    Cargo bike: {uses: bike, phrase: cargo bike}
"""
HOODIE = {
    "category": "hoodie",
    "colour": "navy",
    "closure": "zip",
    "sleeve": "long",
    "neckline": "hood",
    "pattern": "solid",
}


def photo(width: int = 200, colour: tuple[int, int, int] = (20, 30, 90)) -> bytes:
    """A JPEG of one colour."""
    held = io.BytesIO()
    Image.new("RGB", (width, 240), colour).save(held, "JPEG")
    return held.getvalue()


def of_photos(*widths: int, **request: Any) -> DraftRequest:
    """A request with a photo of each width."""
    return DraftRequest(photos=intake([photo(width) for width in widths or (200,)]), **request)


def events(request: DraftRequest, backend: StubBackend | None = None, **changes: Any) -> list[Any]:
    """Events of a draft by a model that sees a navy hoodie."""
    return list(Pipeline(parts(backend or StubBackend(HOODIE), **changes)).run(request))


def draft(request: DraftRequest, backend: StubBackend | None = None, **changes: Any) -> Draft:
    """The draft that they end with."""
    return events(request, backend, **changes)[-1].draft


OPEN = Calibration(default=QuestionCalibration(weights={"mllm": 1.0, "classifier": 1.0}, threshold=0.8))


def on(
    source: str, question: str, shares: Mapping[str, float] | str, photo: int | None = 0, **more: object
) -> Observation:
    """One source's word on one question; a value alone is sure."""
    probabilities = {shares: 1.0} if isinstance(shares, str) else dict(shares)
    return Observation.model_validate(
        {"source": source, "question": question, "probabilities": probabilities, "photo": photo, **more}
    )


def decided(
    observations: Sequence[Observation],
    calibration: Calibration = OPEN,
    *,
    photos: int = 1,
    types: Mapping[str, Sequence[str]] | None = None,
) -> Decision:
    """What follows from them by the package's taxonomy."""
    return Decision(observations, photos, Rules(load_taxonomy(), calibration, types or {}))


TAXONOMY = load_taxonomy()
NOW = Rules(TAXONOMY, DEFAULT)


def pressed(draft: Draft, made: Iterable[Edit]) -> Draft:
    """The draft as its seller sees it after these presses."""
    return revise(draft, word_of(made), NOW)


RULE = QuestionCalibration(weights={"mllm": 1.0}, threshold=0.9)
CALIBRATION = Calibration(default=RULE)


def fact(name: str, value: str, p: float = 0.99, source: str = "mllm", locked: bool = False) -> AttributeValue:
    """A value where ``p`` passes the threshold, else a suggestion."""
    evidence = [Evidence(source=source)]
    if source in ("ocr", "seller") or p >= RULE.threshold:
        return AttributeValue(
            name=name, value=value, status="supported", confidence=p, evidence=evidence, locked=locked
        )
    return AttributeValue(name=name, suggestion=value, status="unsupported", confidence=p, evidence=evidence)


def category(*names: str, p: float = 0.95) -> Category:
    """The first name with that probability, the others behind it."""
    candidates = [Candidate(value=name, confidence=p / (i + 1)) for i, name in enumerate(names)]
    return Category(value=names[0], confidence=p, candidates=candidates)


def said(
    kind: str | Category,
    facts: Iterable[AttributeValue] = (),
    details: Mapping[str, float] | None = None,
    *,
    p: float = 0.95,
    rule: Calibration = CALIBRATION,
) -> list[Claim]:
    """Everything that may be said of an item with these facts and details."""
    named = category(kind, p=p) if isinstance(kind, str) else kind
    detail_list = [Detail(phrase=phrase, confidence=q) for phrase, q in (details or {}).items()]
    return claims_of(named, list(facts), detail_list, TAXONOMY, rule)


def written(
    kind: str | Category,
    facts: Iterable[AttributeValue] = (),
    details: Mapping[str, float] | None = None,
    *,
    p: float = 0.95,
    tone: Tone = "plain",
) -> Text:
    """The rendered texts of all that."""
    return render(said(kind, facts, details, p=p), TAXONOMY, tone=tone)


def draft_of(kind: str, text: Text, **changes: object) -> Draft:
    """A draft with these texts."""
    fields = {"title": text.title, "description": text.description, "spans": text.spans, **changes}
    return Draft.model_validate(
        {"id": "0", "photos": [], "category": category(kind), "quality": Quality(score=1), "model": "m", **fields}
    )


def claims(
    kind: str, facts: dict[str, str] | None = None, details: tuple[str, ...] = (), p: float = 0.99
) -> list[Claim]:
    """Everything that is said of an item of which all this is known with probability ``p``."""
    return said(kind, [fact(name, value, p) for name, value in (facts or {}).items()], dict.fromkeys(details, p))


def text(kind: str, facts: dict[str, str] | None = None, details: tuple[str, ...] = ()) -> Text:
    """The rendered texts of such an item."""
    return render(claims(kind, facts, details), TAXONOMY)
