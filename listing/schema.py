"""Records between the parts: facts, drafts, listings. Change only with a new ``SCHEMA_VERSION`` and a migration."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

SCHEMA_VERSION = 3  # 1: drafts without details and spans; 2: without writer and tone; they still load

Source = Literal["ocr", "pixels", "mllm", "classifier", "neighbours", "seller"]
Status = Literal["supported", "unsupported", "contradicted", "unknown"]
SpanStatus = Literal["certain", "check", "seller"]
TextField = Literal["title", "description"]
Writer = Literal["renderer", "model", "seller"]
Tone = Literal["plain", "shorter", "warmer"]
Box = tuple[float, float, float, float]


class Model(BaseModel):
    """Frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PhotoRef(Model):
    """A stored photo: its random name, size in pixels, perceptual hash (16 hex digits)."""

    id: str
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    phash: str


class Evidence(Model):
    """A piece of evidence for a fact. ``box`` is x0, y0, x1, y1 as shares (0..1) of the photo's width and height."""

    source: Source
    photo: int | None = None
    box: Box | None = None
    text: str | None = None
    score: float | None = None
    listing_ids: list[str] = Field(default_factory=list)


class AttributeValue(Model):
    """A fact. ``value`` is set only when the status is ``supported``; what is likely stands in ``suggestion``.

    ``confidence`` is a calibrated probability that the value (or the suggestion) is right; ``alternatives`` are the
    next likely values, best first.
    """

    name: str
    value: str | None = None
    suggestion: str | None = None
    status: Status = "unknown"
    confidence: float | None = Field(default=None, ge=0, le=1)
    alternatives: list[str] = Field(default_factory=list)
    evidence: list[Evidence] = Field(default_factory=list)
    locked: bool = False

    @model_validator(mode="after")
    def _value_needs_support(self) -> AttributeValue:
        if self.value is not None and (self.status != "supported" or not self.evidence):
            raise ValueError(f"{self.name}: a value needs the status 'supported' and at least one piece of evidence.")
        return self


IMPOSSIBLE_COLOUR = "impossible colour"  # question: colours that the pixels rule out
CLOTHES = "clothes"  # the one value of the question "garment"
ANSWER, NOTE, TYPED = "seller", "note", "typed"  # sources: the seller's answers, their note, texts that they typed
DETAIL = "detail:"  # before a detail's phrase, where it goes by the name of a field
STUDIO = "studio"  # the one value of the question "ground": even and white, as in a catalogue


class Observation(Model):
    """One source's word on one question, on one photo or on all of them (``photo`` None).

    question: ``category``, ``garment``, ``role`` (of a photo), ``detail``, or an attribute's name. probabilities: of
    values; what is missing from 1 is "cannot tell". Details and signs of wear are independent of each other. text: the
    words that were read or stated; listing_ids: the past listings that say so. The seller withdraws a fact by an
    observation without a value, a detail by the probability 0.
    """

    source: str
    question: str
    probabilities: dict[str, float]
    photo: int | None = None
    box: Box | None = None
    text: str | None = None
    listing_ids: list[str] = Field(default_factory=list)


class Detail(Model):
    """A detail beyond the attributes: a phrase of ``observe/details.yaml`` ("chest pocket")."""

    phrase: str
    confidence: float = Field(ge=0, le=1)
    photo: int | None = None
    box: Box | None = None


class Span(Model):
    """Words of the title or description that make a claim: characters ``start`` to ``end`` of ``field``.

    ``attribute``: the attribute's name, ``category``, or ``detail``. ``status``: ``check`` is likely but for the seller
    to look at, ``seller`` is their own word. ``alternatives``: what it may be instead, likeliest first.
    """

    field: TextField
    start: int = Field(ge=0)
    end: int
    attribute: str | None
    value: str
    status: SpanStatus
    confidence: float | None = None
    alternatives: list[str] = Field(default_factory=list)


class Offer(Model):
    """Something that the photos may show and the texts do not say: one tap adds it, as the seller's word.

    ``attribute`` and ``value`` as in ``Span``; ``label`` is what to show; ``confidence`` that it is so.
    """

    attribute: str
    value: str
    label: str
    confidence: float = Field(ge=0, le=1)


class Candidate(Model):
    """A category that it may be, with its probability, by all sources or by one alone."""

    value: str
    confidence: float = Field(ge=0, le=1)


class Category(Model):
    """Up to three candidates, best first; ``value`` is null and ``in_range`` false outside what the model knows.

    ``sources.mllm`` is the MLLM's own likelihoods alone, so that a tuned model can be judged by itself.
    """

    value: str | None
    confidence: float = Field(ge=0, le=1)
    candidates: list[Candidate] = Field(default_factory=list, max_length=3)
    sources: dict[str, Candidate] = Field(default_factory=dict)
    in_range: bool = True


class Question(Model):
    """Something that only the seller can answer; empty ``choices`` means free text."""

    attribute: str
    text: str
    choices: list[str] = Field(default_factory=list)


class Flag(Model):
    """A remark on the draft; ``span`` is start and end (characters) in ``field``."""

    code: str
    message: str
    field: Literal["title", "description", "note", "category", "photos"] | None = None
    span: tuple[int, int] | None = None


class PriceRange(Model):
    """Prices that similar listings asked; ``basis`` are ids of those to show, at most twelve of ``count``.

    ``scope``: in what they are similar; ``group`` where the category alone had too few. ``oldest`` and ``newest``:
    when they went on sale, as far as that is known. Drafts of earlier versions have neither, nor ``count``.
    """

    low: float
    mid: float
    high: float
    currency: str
    basis: list[str] = Field(min_length=1)
    count: int | None = Field(default=None, ge=1)
    scope: Literal["category and brand", "category", "group"] | None = None
    oldest: date | None = None
    newest: date | None = None


class NeighbourRef(Model):
    """A similar past listing."""

    listing_id: str
    score: float


class Quality(Model):
    """0..100; ``parts`` are shares 0..1 by name; ``tips`` are sentences, the most useful first."""

    score: int = Field(ge=0, le=100)
    parts: dict[str, float] = Field(default_factory=dict)
    tips: list[str] = Field(default_factory=list)


class Draft(Model):
    """The pipeline's draft from one item's photos.

    ``details`` and ``offers``: best first; ``spans``: every claim of its texts. ``observations``: what facts and texts
    were decided from, so that a later word of the seller is decided with them. ``rules``: the version of the rules by
    which. ``writer`` and ``tone``: of its texts; drafts of earlier schemas are read as rendered, in the plain tone.
    """

    schema_version: int = SCHEMA_VERSION
    id: str
    photos: list[PhotoRef]
    category: Category
    attributes: list[AttributeValue] = Field(default_factory=list)
    details: list[Detail] = Field(default_factory=list)
    title: str = ""
    description: str = ""
    spans: list[Span] = Field(default_factory=list)
    offers: list[Offer] = Field(default_factory=list)
    questions: list[Question] = Field(default_factory=list)
    flags: list[Flag] = Field(default_factory=list)
    price: PriceRange | None = None
    neighbours: list[NeighbourRef] = Field(default_factory=list)
    quality: Quality
    model: str
    timing_ms: dict[str, float] = Field(default_factory=dict)
    observations: list[Observation] = Field(default_factory=list)
    writer: Mapping[TextField, Writer] = {"title": "renderer", "description": "renderer"}
    tone: Tone = "plain"
    rules: str = ""

    @property
    def texts(self) -> dict[TextField, str]:
        """Title and description by field."""
        return {"title": self.title, "description": self.description}

    def attribute(self, name: str) -> AttributeValue | None:
        """The attribute of that name, or None."""
        return next((a for a in self.attributes if a.name == name), None)


class Listing(Model):
    """A listing as it is sold. ``stock`` is 1 unless the seller says otherwise.

    ``status``: ``review`` while a person has to look at it, ``refused`` when one has refused it; ``review`` then tells
    the seller why.
    """

    schema_version: int = SCHEMA_VERSION
    id: str
    seller_id: str
    category: str
    attributes: dict[str, str] = Field(default_factory=dict)
    title: str
    description: str
    price: float | None = Field(default=None, ge=0)
    currency: str = "EUR"
    stock: int = Field(default=1, ge=0)
    condition: str | None = None
    status: Literal["draft", "review", "refused", "active", "reserved", "sold", "removed"] = "draft"
    created_at: datetime
    published_at: datetime | None = None
    photos: list[PhotoRef] = Field(default_factory=list)
    draft_id: str | None = None
    review: str | None = None
    origin: Literal["user", "sample", "world"] = "user"
