"""Observations by question, source and photo, how well each photo shows the item, and distributions pooled into one.

A pool is a weighted sum of log-probabilities, normalised again. Pure functions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from listing.prompts import UNKNOWN
from listing.schema import Observation, Source

EVIDENCE_NAMES: Mapping[str, Source] = {  # of observations: as a draft's evidence names them
    "tower": "classifier",  # of drafts from before, whose stored observations are decided again
    "evidence_tower": "classifier",
    "imagenet": "classifier",
    "heads": "classifier",
    "pixels": "pixels",
    "ocr": "ocr",
    "neighbours": "neighbours",
    "mllm": "mllm",
    "seller": "seller",
    "note": "seller",
    "typed": "seller",
}
_MIN_TRUST = 0.05  # a photo never counts for nothing: it may be the only one
_CLEAR = 0.5  # of the best photo's trust: what one such photo shows is enough
_WITHOUT_UNKNOWN = ("category", "garment", "detail", "item_type")
Distribution = Mapping[str, float]
FLOOR = 1e-4  # no source may veto a value
MAX_ODDS, _FEW = 20.0, 4


class Views:
    """All observations of one item of ``count`` photos, as the decisions need them."""

    def __init__(self, observations: Sequence[Observation], count: int) -> None:
        self.observations, self.count = observations, count

    def by(self, question: str, source: str) -> list[Observation]:
        """The observations of one source on one question."""
        return [o for o in self.observations if o.question == question and o.source == source]

    def speaks(self, source: str) -> bool:
        """True if a source has observed anything."""
        return any(o.source == source for o in self.observations)

    def first(self, question: str, source: str) -> str | None:
        """The value that a source states, or None."""
        return next((value for o in self.by(question, source) for value in o.probabilities), None)

    @cached_property
    def roles(self) -> list[str]:
        """The role of each photo: ``item``, ``label`` or ``nothing``."""
        roles = {o.photo: next(iter(o.probabilities)) for o in self.observations if o.question == "role"}
        return [roles.get(i, "item") for i in range(self.count)]

    @cached_property
    def items(self) -> list[int]:
        """Numbers of the photos that show the item; all of them where none does."""
        return [i for i, role in enumerate(self.roles) if role == "item"] or list(range(self.count))

    @cached_property
    def trust(self) -> list[float]:
        """How well each photo shows the item, 0..1: how sure towers or model are of its category there."""
        views = self.classifier("category") or self.per_photo("category", "mllm")
        trust = [0.0] * self.count
        for i in self.items:
            # Which photo shows the item best was not asked where nothing looks at single ones: the first is the cover.
            unseen = 1.0 if i == self.items[0] else _MIN_TRUST
            trust[i] = max(_MIN_TRUST, certainty(views[i])) if i in views else unseen
        return trust

    @cached_property
    def clear(self) -> list[int]:
        """Numbers of the photos that show the item well."""
        return [i for i in self.items if self.trust[i] >= _CLEAR * max(self.trust)]

    def per_photo(self, question: str, source: str) -> dict[int, Distribution]:
        """A source's distribution by photo; of an attribute, what is missing from 1 is ``unknown``."""
        views: dict[int, Distribution] = {
            o.photo: o.probabilities for o in self.by(question, source) if o.photo is not None
        }
        marks = question == "condition" and source == "evidence_tower"  # independent of each other
        return views if marks or question in _WITHOUT_UNKNOWN else {i: _completed(view) for i, view in views.items()}

    def classifier(self, question: str) -> dict[int, Distribution]:
        """The mean of the classifiers by photo; drafts from before have two."""
        towers = [self.per_photo(question, name) for name in ("tower", "evidence_tower")]
        photos = sorted({photo for views in towers for photo in views})
        return {i: mean([views[i] for views in towers if i in views]) for i in photos}

    def pooled(self, question: str) -> dict[str, Distribution]:
        """Distributions of a question by source over all photos that show the item, by its name in the calibration."""
        clear = [float(i in self.clear) for i in range(self.count)]
        towers = self.classifier(question) if question != "condition" else {}
        pools = {
            "classifier": over_photos(towers, self.trust),
            "pixels": over_photos(self.per_photo(question, "pixels"), clear),
            "heads": over_photos(self.per_photo(question, "heads"), self.trust),
            "neighbours": self._whole(question, "neighbours"),
            "mllm": over_photos(self.per_photo(question, "mllm"), self.trust) or self._whole(question, "mllm"),
        }
        return {source: distribution for source, distribution in pools.items() if distribution}

    def _whole(self, question: str, source: str) -> Distribution:
        """A source's distribution over all photos at once."""
        return next((o.probabilities for o in self.by(question, source) if o.photo is None), {})


def _completed(view: Distribution) -> Distribution:
    unknown = 1.0 - sum(view.values())
    return {**view, UNKNOWN: unknown} if unknown > 0 else view


def combine(opinions: Mapping[str, Distribution], weights: Mapping[str, float]) -> dict[str, float]:
    """Probability of every value: product of the sources' probabilities to the power of their weights, normalised.

    A value that a source does not name gets that source's floor. Sources without a weight are not heard.
    """
    weighted = {source: d for source, d in opinions.items() if d and weights.get(source)}
    values = list(dict.fromkeys(value for d in weighted.values() for value in d))
    if not values:
        return {}
    sums = [
        sum(weights[source] * math.log(max(d.get(value, 0.0), FLOOR)) for source, d in weighted.items())
        for value in values
    ]
    top = max(sums)
    shares = [math.exp(s - top) for s in sums]
    total = sum(shares)
    return {value: share / total for value, share in zip(values, shares, strict=True)}


def damped(votes: Distribution, answers: Iterable[str], count: int) -> dict[str, float]:
    """The votes of ``count`` past listings over all answers, with bounded odds: they tell of other items.

    At most, one listing is 5 times as likely to be right as wrong, and any number of them ``MAX_ODDS`` times: with no
    more weight than a model has, they never overrule one that is 99 % sure.
    """
    top = max(votes.values(), default=0.0)
    if top <= 0:
        return {}
    least = top / (1 + (MAX_ODDS - 1) * count / (count + _FEW))
    return {answer: max(votes.get(answer, 0.0), least) for answer in dict.fromkeys([*answers, *votes])}


def over_photos(views: Mapping[int, Distribution], trust: Sequence[float]) -> dict[str, float]:
    """One distribution for several photos of one item, by photo number; their order makes no difference.

    trust: by photo number (0..1), how well it shows the item.
    """
    total = sum(trust[i] for i in views)
    if total <= 0:
        return {}
    return combine({str(i): view for i, view in views.items()}, {str(i): trust[i] / total for i in views})


def mean(views: Sequence[Distribution]) -> dict[str, float]:
    """The arithmetic mean of distributions over the same question."""
    answers = dict.fromkeys(answer for view in views for answer in view)
    return {answer: sum(view.get(answer, 0.0) for view in views) / len(views) for answer in answers}


def certainty(distribution: Distribution) -> float:
    """1 for one sure value, 0 for a uniform distribution (1 - entropy / its maximum)."""
    if len(distribution) < 2:
        return 1.0 if distribution else 0.0
    entropy = -sum(p * math.log(p) for p in distribution.values() if p > 0)
    return max(0.0, 1.0 - entropy / math.log(len(distribution)))


def ranked(distribution: Distribution) -> list[tuple[str, float]]:
    """Values and probabilities, the likeliest first; ties go to the value that comes first in the alphabet."""
    return sorted(distribution.items(), key=lambda item: (-item[1], item[0]))


def best(distribution: Distribution) -> tuple[str, float]:
    """The likeliest value and its probability."""
    return ranked(distribution)[0]


def normalised(shares: Distribution) -> dict[str, float]:
    """The shares divided by their sum; empty where that is nothing."""
    total = sum(shares.values())
    return {value: p / total for value, p in shares.items()} if total > 0 else {}
