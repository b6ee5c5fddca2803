"""Several distributions as one: weighted sums of log-probabilities, normalised again. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

Distribution = Mapping[str, float]
_FLOOR = 1e-4  # no source may veto a value
MAX_ODDS, _FEW = 20.0, 4


def combine(opinions: Mapping[str, Distribution], weights: Mapping[str, float]) -> dict[str, float]:
    """Probability of every value: product of the sources' probabilities to the power of their weights, normalised.

    A value that a source does not name gets that source's floor. Sources without a weight are not heard.
    """
    weighted = {source: d for source, d in opinions.items() if d and weights.get(source)}
    values = list(dict.fromkeys(value for d in weighted.values() for value in d))
    if not values:
        return {}
    sums = [
        sum(weights[source] * math.log(max(d.get(value, 0.0), _FLOOR)) for source, d in weighted.items())
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
