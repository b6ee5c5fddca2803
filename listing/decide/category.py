"""Which category the photos show: the sources' opinions fused into three candidates, or 'outside what I know'.

Two ranges are kept apart. Garments are judged by what was tuned on them (the multimodal model, the tower's classifier,
the neighbours); everything else by the untuned ImageNet head. ``garment_probability`` says which of the two it is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from listing.observe.networks.imagenet import category_scores, coverage, garment_share
from listing.schema import Candidate, Category
from listing.taxonomy import Taxonomy

if TYPE_CHECKING:
    import numpy as np

DEFAULT_FILE = Path(__file__).with_name("category.json")
CANDIDATES = 3
# Keeps one source's zero from vetoing what all others say.
FLOOR = 0.01
# Keeps the ratio of two shares finite.
SHARE_FLOOR = 1e-3

Opinion = Mapping[str, float]


class CategoryRule(BaseModel):
    """The constants of the decision, from ``category.json``.

    ``garment_threshold`` is the log ratio of garment share to coverage at which a photo counts as a garment: the
    ``garment_quantile`` of the training garments lie below it (``python -m benchmarks.drafts.routing --write``). The
    towers' likeliest garment adds ``tower_weight`` times its probability, less ``tower_neutral``, to that ratio. Where
    the less likely range has at least ``unsure`` of the probability, its best is named too. ``weights`` of the sources
    in the two ranges are relative: sources that are silent drop out. ``sharpness`` is what the garments' weights add up
    to. Both were chosen on the validation senders: mllm .2 to .3 of the garments' weight is a plateau.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    garment_threshold: float
    garment_quantile: float = Field(gt=0, lt=1)
    garment_slope: float = Field(gt=0)
    tower_weight: float = Field(0.0, ge=0)
    tower_neutral: float = 0.0
    unsure: float = Field(gt=0, le=0.5)
    min_confidence: float = Field(ge=0, le=1)
    sharpness: float = Field(1.0, gt=0)
    weights: dict[str, float]
    other_weights: dict[str, float]


@lru_cache(maxsize=4)
def load_rule(path: str | Path | None = None) -> CategoryRule:
    """The rule of ``path``, else the one that comes with the package."""
    return CategoryRule.model_validate(json.loads(Path(path or DEFAULT_FILE).read_text(encoding="utf-8")))


def log_ratio(probabilities: np.ndarray[Any, Any], taxonomy: Taxonomy) -> float:
    """How much more the ImageNet head sees clothes than other things of the taxonomy; ``probabilities`` [1000]."""
    clothes = garment_share(probabilities, taxonomy)
    others = coverage(category_scores(probabilities, taxonomy), taxonomy)
    return math.log(clothes + SHARE_FLOOR) - math.log(others + SHARE_FLOOR)


def garment_probability(
    probabilities: np.ndarray[Any, Any], taxonomy: Taxonomy, rule: CategoryRule | None = None
) -> float:
    """Probability, 0..1, that the photo shows a garment, from the ImageNet probabilities [1000]."""
    rule = rule or load_rule()
    return 1.0 / (1.0 + math.exp(-rule.garment_slope * (log_ratio(probabilities, taxonomy) - rule.garment_threshold)))


def _heard_by_towers(garment: float, label: Opinion, rule: CategoryRule) -> float:
    """The probability of a garment beside the towers' answer: one that is sure of a garment speaks for one."""
    if not label or garment in (0.0, 1.0):
        return garment
    odds = math.log(garment / (1 - garment))
    odds += rule.garment_slope * (rule.tower_weight * max(label.values()) - rule.tower_neutral)
    return 1.0 / (1.0 + math.exp(-odds))


def _within(opinion: Opinion, names: frozenset[str]) -> dict[str, float]:
    return {name: p for name, p in opinion.items() if name in names and p > 0}


def _garment_pool(
    opinions: Mapping[str, Opinion], names: frozenset[str], weights: Opinion, sharpness: float = 1.0
) -> dict[str, float]:
    """Weighted geometric mean of the sources over the tuned leaves, sums to 1; {} when all are silent.

    The weights are normalised to ``sharpness``, whatever speaks: sources that look through the same tower add little
    certainty by agreeing. Their mean is a little too modest, which a sharpness above 1 mends.
    """
    given = {source: _within(opinions.get(source, {}), names) for source in weights}
    given = {source: opinion for source, opinion in given.items() if opinion and weights[source] > 0}
    if not given:
        return {}
    total = sum(weights[source] for source in given)
    logs = dict.fromkeys(sorted(names), 0.0)
    for source, opinion in given.items():
        mass = sum(opinion.values())
        for name in logs:
            share = (opinion.get(name, 0.0) / mass + FLOOR) / (1 + FLOOR * len(names))
            logs[name] += sharpness * weights[source] / total * math.log(share)
    peak = max(logs.values())
    raised = {name: math.exp(value - peak) for name, value in logs.items()}
    norm = sum(raised.values())
    return {name: value / norm for name, value in raised.items()}


def _other_pool(opinions: Mapping[str, Opinion], names: frozenset[str], weights: Opinion) -> dict[str, float]:
    """Weighted mean over the leaves beyond garments; sums to less than 1 when the sources see something else."""
    given = {source: _within(opinions.get(source, {}), names) for source in weights}
    total = sum(weights[source] for source, opinion in given.items() if opinion)
    pool: dict[str, float] = {}
    for source, opinion in given.items():
        for name, p in opinion.items():
            pool[name] = pool.get(name, 0.0) + weights[source] / total * p
    return pool


def _ranked(opinion: Opinion) -> list[tuple[str, float]]:
    # Ties go to the name, so that the order of a dict decides nothing.
    return sorted(opinion.items(), key=lambda pair: (-pair[1], pair[0]))


def _best(opinion: Opinion) -> Candidate:
    name, p = _ranked(opinion)[0]
    return Candidate(value=name, confidence=min(1.0, p))


def decide(
    opinions: Mapping[str, Opinion], taxonomy: Taxonomy, *, garment: float = 1.0, rule: CategoryRule | None = None
) -> Category:
    """Fuse what the sources say into three candidates.

    ``opinions`` maps a source to its probabilities by leaf: ``mllm`` (likelihoods of the multimodal model),
    ``classifier`` (the tower's head), ``neighbours`` (their vote), ``imagenet`` (``imagenet.category_scores``). A
    source may be missing, and names without a leaf are ignored. ``garment`` is ``garment_probability``; 1 where there
    is no ImageNet head. It picks the range of the candidates; when it is unsure, the last of them is the best of the
    other range, so that it is one click away. In ``sources`` of the result, *classifier* is the tower for garments and
    ImageNet for the rest.
    Below ``min_confidence`` the value is null and ``in_range`` false; the nearest candidates are still named.
    """
    rule = rule or load_rule()
    tuned = frozenset(taxonomy.tuned())
    other = frozenset(taxonomy.categories) - tuned
    garment = _heard_by_towers(garment, _within(opinions.get("classifier", {}), tuned), rule)
    garments = {n: garment * p for n, p in _garment_pool(opinions, tuned, rule.weights, rule.sharpness).items()}
    others = {n: (1.0 - garment) * p for n, p in _other_pool(opinions, other, rule.other_weights).items()}
    near, far = (garments, others) if garment >= 0.5 else (others, garments)
    # The two pools are not compared with each other: the garments' always sums to 1, however strange the photo.
    ranked = _ranked(near)[:CANDIDATES]
    if min(garment, 1.0 - garment) >= rule.unsure:
        ranked = [*ranked[: CANDIDATES - 1], *_ranked(far)[:1]] if near else []
    candidates = [Candidate(value=name, confidence=min(1.0, p)) for name, p in ranked]

    shown = dict(opinions)
    imagenet = _within(shown.pop("imagenet", {}), other)
    if imagenet and garment < 0.5:
        shown["classifier"] = imagenet
    known_leaves = {s: {n: p for n, p in opinion.items() if n in taxonomy.categories} for s, opinion in shown.items()}
    sources = {source: _best(opinion) for source, opinion in known_leaves.items() if any(opinion.values())}

    confidence = candidates[0].confidence if candidates else 0.0
    known = bool(candidates) and confidence >= rule.min_confidence
    return Category(
        value=candidates[0].value if known else None,
        confidence=confidence,
        candidates=candidates,
        sources=sources,
        in_range=known,
    )
