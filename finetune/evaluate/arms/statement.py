"""What an arm says of a photo, and how closed opinions become statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from listing.decide.pool import Distribution, best
from listing.decide.questions import within
from listing.prompts import UNKNOWN
from listing.taxonomy import Taxonomy

NO_CATEGORY = "none"  # the category of a photo that is outside of what is known


@dataclass(frozen=True)
class Statement:
    """What an arm says of one photo; arms without probabilities leave the last three empty."""

    category: str
    facts: Mapping[str, str]  # attribute -> value that would stand in the draft
    guesses: Mapping[str, tuple[str, float]] = field(default_factory=dict)  # likeliest values, stated or not
    sure: float | None = None  # probability of the category
    candidates: Sequence[tuple[str, float]] = ()  # likely categories with theirs


def likeliest(category: Distribution, answers: Mapping[str, Distribution], taxonomy: Taxonomy) -> Statement:
    """The likeliest category and answers; what is unknown or absent is not stated."""
    name, sure = best(category) if category else (NO_CATEGORY, 0.0)
    if name not in taxonomy.categories:
        return Statement(NO_CATEGORY, {}, {}, 0.0)
    guesses = {}
    for attribute in taxonomy.schema(name):
        if attribute.values and attribute.name in answers:
            value, p = best(within(answers[attribute.name], attribute))
            if value not in (UNKNOWN, attribute.absent):
                guesses[attribute.name] = (value, p)
    return Statement(name, {n: value for n, (value, _) in guesses.items()}, guesses, sure)


def single_source(said: Mapping[str, Any], source: str, taxonomy: Taxonomy) -> Statement:
    """One source of a row of opinions by itself."""
    return likeliest(said[source].get("category" if source == "mllm" else "label", {}), said[source], taxonomy)
