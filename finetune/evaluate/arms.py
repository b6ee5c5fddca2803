"""The arms of the evaluation: the system, the system without each source, some sources alone, the nearest listing.

All decide from the same observations, each with a calibration fitted on the other half's senders.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from finetune.evaluate.calibrate import cross_fitted
from finetune.evaluate.measures import NOT_STATED
from finetune.evaluate.observing import ObservedPhoto
from listing.calibration import Calibration
from listing.decide.decision import Decision
from listing.observe.language_model import SURE_TOWERS
from listing.rules import Rules
from listing.schema import Observation

NO_CATEGORY = "none"  # the category of a photo that is outside of what is known
SOURCES = ("evidence_tower", "imagenet", "pixels", "ocr", "neighbours", "mllm")
ALONE = ("evidence_tower", "pixels", "neighbours")  # what the others say alone names no category, and states nothing
ALWAYS = ("roles",)  # what a photo shows is decided in every arm

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Statement:
    """An arm's answer about one photo; the nearest listing has no probabilities and no decision."""

    category: str
    facts: Mapping[str, str]  # attribute -> value that would stand in the draft
    guesses: Mapping[str, tuple[str, float]] = field(default_factory=dict)  # likeliest values, stated or not
    sure: float | None = None  # probability of the category
    candidates: Sequence[str] = ()
    decision: Decision | None = None


Arm = Callable[[Sequence[Row], Sequence[ObservedPhoto], Rules], list[Statement]]


def decided(
    rows: Sequence[Row], photos: Sequence[ObservedPhoto], rules: Rules, sources: Sequence[str]
) -> list[Statement]:
    """Statements that follow from these sources alone."""
    part = [ObservedPhoto(_only(photo.observations, (*sources, *ALWAYS)), photo.seconds) for photo in photos]
    calibrations = cross_fitted(rows, part, rules)
    return [
        statement(decision_of(photo.observations, rules, calibration))
        for photo, calibration in zip(part, calibrations, strict=True)
    ]


def _only(observations: Sequence[Observation], sources: Sequence[str]) -> list[Observation]:
    return [o for o in observations if o.source in sources]


def decision_of(observations: Sequence[Observation], rules: Rules, calibration: Calibration) -> Decision:
    """The decision as a draft takes it: where the towers are sure of the category, the model is not asked for it."""
    fitted = Rules(rules.taxonomy, calibration, rules.types)
    decision = Decision(observations, 1, fitted)
    if decision.sure < SURE_TOWERS:
        return decision
    asked = [o for o in observations if (o.source, o.question) != ("mllm", "category")]
    return Decision(asked, 1, fitted)


def statement(decision: Decision) -> Statement:
    """A decision as a statement."""
    guesses = {
        fact.name: (value, fact.confidence or 0.0)
        for fact in decision.facts
        if (value := fact.value or fact.suggestion) is not None
    }
    facts = {fact.name: fact.value for fact in decision.facts if fact.value is not None}
    category = decision.category
    candidates = [c.value for c in category.candidates]
    leaf = candidates[0] if candidates else NO_CATEGORY  # the best guess, also where the text names a group or none
    return Statement(leaf, facts, guesses, category.confidence, candidates, decision)


def nearest(rows: Sequence[Row], photos: Sequence[ObservedPhoto], rules: Rules) -> list[Statement]:
    """Everything that the nearest past listing states, as if it were this photo's."""
    out = []
    for photo in photos:
        listing = photo.nearest or {"category": NO_CATEGORY, "attributes": {}}
        facts = {n: v for n, v in listing["attributes"].items() if v not in NOT_STATED}
        guesses = {n: (v, 1.0) for n, v in facts.items()}
        out.append(Statement(listing["category"], facts, guesses, candidates=[listing["category"]]))
    return out


SYSTEM = "system"
ARMS: dict[str, Arm] = {
    SYSTEM: partial(decided, sources=SOURCES),
    **{f"without {name}": partial(decided, sources=[s for s in SOURCES if s != name]) for name in SOURCES},
    **{f"{name} alone": partial(decided, sources=[name]) for name in ALONE},
    "nearest listing": nearest,
}
