"""Which claims the seller is asked to check.

A text asks for at most three checks. A wrong word that nobody is asked about costs as much as three that are missing,
so that a doubtful claim is said plainly from .75 on and left out below; marked are those that save the most by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from listing.decide.claims import FIRM, LIKELY, SURE, Claim
from listing.decide.policies import policy
from listing.decide.settle import settle
from listing.details import detail_forms
from listing.taxonomy import Taxonomy

MAX_MARKS = 3
_WRONG = SURE / (1 - SURE)  # missing words that one wrong word costs as much as


def limit_marks(claims: Sequence[Claim], taxonomy: Taxonomy) -> list[Claim]:
    """The claims with at most three marks in a text of them: what costs less by it is said plainly or left out."""
    chosen = list(claims)
    while True:
        doubtful = [c for c in _in_text(chosen, taxonomy) if c.status == "check"]
        likelihood = {c: _likelihood(c, taxonomy) for c in doubtful}
        rest = sorted(doubtful, key=lambda c: _saved(c, likelihood[c]))[:-MAX_MARKS]
        if not rest:
            return chosen
        plain = [c for c in rest if likelihood[c] >= SURE]
        chosen = [replace(c, status="certain") if c in plain else c for c in chosen if c not in rest or c in plain]


def _in_text(claims: Sequence[Claim], taxonomy: Taxonomy) -> list[Claim]:
    """Those of the claims that a text of them makes."""
    if not any(c.attribute == "category" for c in claims):
        return [c for c in claims if policy(c.attribute).unnamed]
    item = settle(claims, taxonomy)
    return [item.name, *item.facts.values(), *item.details, *item.wear, *item.free_details]


def _saved(claim: Claim, p: float) -> float:
    """The expected cost that asking saves: of a claim left out, or of a wrong one where none can be left out."""
    wrong = _WRONG * (1 - p)
    row = policy(claim.attribute)
    return row.weight * (1 + wrong if row.needed else min(p, wrong))


def _likelihood(claim: Claim, taxonomy: Taxonomy) -> float:
    """That of the claim; print that is no word as likely as not, a model's own words as it says, but never sure."""
    attribute = taxonomy.attributes.get(claim.attribute)
    free = claim.attribute == "detail" and claim.value not in detail_forms()
    if claim.from_print or claim.confidence is None:
        return LIKELY
    if free or (attribute is not None and claim.value in attribute.unsettled):  # no photo makes it sure
        return min(claim.confidence, FIRM)
    return claim.confidence
