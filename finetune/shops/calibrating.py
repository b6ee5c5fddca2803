"""One calibration of all sources on a shop's items: towers, heads, past listings, by listings held out."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finetune.evaluate.calibrate import MAX_THRESHOLD, Case, best_weights, threshold
from listing.calibration import GENERAL, Calibration, QuestionCalibration
from listing.decide.attributes import Facts
from listing.decide.category import shop_votes
from listing.decide.views import Distribution, Views, best, combine
from listing.schema import Observation
from listing.taxonomy import Taxonomy

PRECISION = 0.9
MIN_CASES = 10
_FLOOR = 1e-4


@dataclass(frozen=True)
class Observed:
    """One past listing: what is observed of it by sources that never saw it, and what its seller stated."""

    listing_id: str
    observations: Sequence[Observation]
    truths: Mapping[str, str]  # ``category`` and attributes
    group: str = ""


@dataclass(frozen=True)
class Answer:
    """The pool's answer to one question about one listing."""

    listing_id: str
    value: str
    p: float
    truth: str


def fit(listings: Sequence[Observed], questions: Sequence[str], taxonomy: Taxonomy, base: Calibration) -> Calibration:
    """Weights and thresholds of the questions that the listings teach something of.

    Of others, what was measured before (``base``) stays; a question that only the shop asks stays open, and the
    category is what the untaught sources say, as a guess.
    """
    fitted: dict[str, QuestionCalibration] = {}
    for question in questions:
        cases = cases_of(listings, question, taxonomy, base)
        weights = best_weights(cases) if len(cases) >= MIN_CASES else {}
        pool = [(case, combine(case.sources, weights)) for case in cases] if weights else []
        if gain(pool) <= 0:
            unlearned = {GENERAL: 1.0} if question == "category" else {}
            if question not in base.questions or unlearned:
                fitted[question] = QuestionCalibration(weights=unlearned, threshold=MAX_THRESHOLD)
            continue
        if question == "category":
            weights = {GENERAL: 0.0, **weights}
        tops = [(best(d), case) for case, d in pool]
        limit = threshold([(p, int(value in case.truths)) for (value, p), case in tops], PRECISION)
        fitted[question] = QuestionCalibration(weights=weights, threshold=limit)
    return Calibration(questions=fitted)


def cases_of(listings: Sequence[Observed], question: str, taxonomy: Taxonomy, base: Calibration) -> list[Case]:
    """Listings that state an answer, with every source that speaks of it."""
    cases = []
    for listing in listings:
        truth = listing.truths.get(question)
        sources = sources_of(listing, question, taxonomy, base) if truth else {}
        if truth and sources:
            cases.append(Case({"listing": listing.listing_id}, sources, frozenset({truth})))
    return cases


def sources_of(listing: Observed, question: str, taxonomy: Taxonomy, base: Calibration) -> dict[str, Distribution]:
    """Each source's distribution over a question's answers, as decisions weigh it."""
    views = Views(listing.observations, 1)
    if question == "category":
        return shop_votes(views, taxonomy, base.range)
    node = taxonomy.node(listing.truths["category"])
    attribute = next((a for a in taxonomy.schema_of(node) if a.name == question), None)
    return Facts(views, node, taxonomy, base, {}).sources(attribute) if attribute else {}


def gain(pool: Sequence[tuple[Case, Distribution]]) -> float:
    """Nats a listing that a pool saves against the shares of the answers, less twice their standard error.

    Of a few listings chance alone saves something; at 0 or below nothing was learned.
    """
    if len(pool) < MIN_CASES:
        return 0.0
    truths = [next(iter(case.truths)) for case, _ in pool]
    shares = Counter(truths)
    saved = [
        math.log(max(d.get(truth, 0.0), _FLOOR)) - math.log(shares[truth] / len(pool))
        for truth, (_, d) in zip(truths, pool, strict=True)
    ]
    return statistics.mean(saved) - 2 * statistics.stdev(saved) / math.sqrt(len(saved))


def answers(
    listings: Sequence[Observed], question: str, taxonomy: Taxonomy, base: Calibration, calibration: Calibration
) -> list[Answer]:
    """The pool's answer to a question about each listing that states one."""
    weights = calibration.of(question).weights
    out = []
    for case in cases_of(listings, question, taxonomy, base) if any(weights.values()) else ():
        if pool := combine(case.sources, weights):
            out.append(Answer(case.row["listing"], *best(pool), next(iter(case.truths))))
    return out


def cross_fitted(
    listings: Sequence[Observed], questions: Sequence[str], taxonomy: Taxonomy, base: Calibration
) -> dict[str, list[tuple[Answer, bool]]]:
    """Question -> answers, and whether each is stated, by a calibration that was fitted on the other half."""
    halves = [[o for i, o in enumerate(listings) if i % 2 == side] for side in (0, 1)]
    out: dict[str, list[tuple[Answer, bool]]] = {question: [] for question in questions}
    for here, other in ((halves[0], halves[1]), (halves[1], halves[0])):
        calibration = fit(other, questions, taxonomy, base)
        for question in questions:
            limit = calibration.of(question).threshold
            out[question] += [(a, a.p >= limit) for a in answers(here, question, taxonomy, base, calibration)]
    return out
