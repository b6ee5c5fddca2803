"""Several sources, one probability: a weighted sum of log-probabilities, normalised again.

The weights and the thresholds are fitted on validation senders and stand in ``calibration.json`` of the model folder
(``./ipl evaluate --calibrate``). Of a model without that file nothing is stated: it only suggests.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

Distribution = Mapping[str, float]
CALIBRATION = "calibration.json"
_FLOOR = 1e-4  # no source may veto a value
MAX_ODDS, _FEW = 20.0, 4


class AttributeCalibration(BaseModel):
    """``weights``: exponent of each source. ``threshold``: the least probability at which a value is stated.

    ``told``: the least at which a text says it, which nobody checks value by value; without it, ``threshold``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    weights: dict[str, float]
    threshold: float
    told: float | None = None

    @property
    def text_threshold(self) -> float:
        """See ``told``; never below ``threshold``."""
        return max(self.threshold, self.told or 0.0)


class Calibration(BaseModel):
    """By question (``category`` and attribute names); ``default`` serves what is not listed.

    ``UNCALIBRATED`` stands for a model that has none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    default: AttributeCalibration = AttributeCalibration(weights={"mllm": 1.0}, threshold=0.8)
    questions: dict[str, AttributeCalibration] = {}

    def of(self, question: str) -> AttributeCalibration:
        """The calibration of one question."""
        return self.questions.get(question, self.default)

    @property
    def fitted(self) -> bool:
        """Whether there is one: otherwise no probability is enough to state a value."""
        return math.isfinite(self.default.threshold)

    @classmethod
    def load(cls, place: str | Path) -> Calibration:
        """From a file or a model folder; ``UNCALIBRATED`` where there is none."""
        file = Path(place) / CALIBRATION if Path(place).is_dir() else Path(place)
        return cls.model_validate(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else UNCALIBRATED


UNCALIBRATED = Calibration(default=AttributeCalibration(weights={"mllm": 1.0}, threshold=math.inf))


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


def over_photos(views: Sequence[Distribution], trust: Sequence[float]) -> dict[str, float]:
    """Opinions on several photos of one item as one; ``trust`` (0..1) says how well each photo shows the item.

    The order of the photos makes no difference.
    """
    total = sum(trust)
    if not views or total <= 0:
        return {}
    return combine({str(i): view for i, view in enumerate(views)}, {str(i): t / total for i, t in enumerate(trust)})


def mean_of(first: Mapping[str, Distribution], second: Mapping[str, Distribution]) -> dict[str, Distribution]:
    """The mean of two sources' answers, question by question; a question that only one answers keeps its answer."""
    out = {**second, **first}
    for name in first.keys() & second.keys():
        answers = dict.fromkeys([*first[name], *second[name]])
        out[name] = {a: (first[name].get(a, 0.0) + second[name].get(a, 0.0)) / 2 for a in answers}
    return out


def certainty(distribution: Distribution) -> float:
    """1 for one sure value, 0 for a uniform distribution (1 - entropy / its maximum)."""
    if len(distribution) < 2:
        return 1.0 if distribution else 0.0
    entropy = -sum(p * math.log(p) for p in distribution.values() if p > 0)
    return max(0.0, 1.0 - entropy / math.log(len(distribution)))


def best(distribution: Distribution) -> tuple[str, float]:
    """The likeliest value and its probability; ties go to the value that comes first in the alphabet."""
    return min(distribution.items(), key=lambda item: (-item[1], item[0]))
