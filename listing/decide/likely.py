"""All that the photos may show, with its probability, whether it is said or not: what the seller can be offered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from listing.observe.networks.evidence_tower import Eyes
from listing.decide.questions import Reading
from listing.decide.visual_facts import ITEM_TYPE, Look, type_shares
from listing.prompts import UNKNOWN

LEAST = {"detail": 0.005, ITEM_TYPE: 0.2}  # probability from which on something is worth a look
LEAST_FACT = 0.02


def likely(seen: Look, category: str, readings: Sequence[Reading], eyes: Eyes | None) -> dict[tuple[str, str], float]:
    """(attribute or ``detail``, value) -> the probability that it is so; one photo that shows it is enough."""
    found: dict[tuple[str, str], float] = {}
    for name, value, p in _all(seen, category, readings, eyes):
        if p >= LEAST.get(name, LEAST_FACT):
            found[name, value] = max(p, found.get((name, value), 0.0))
    return found


def _all(seen: Look, category: str, readings: Sequence[Reading], eyes: Eyes | None) -> Iterator[tuple[str, str, float]]:
    for reading in readings:
        for value, p in reading.probabilities.items():
            if value not in (UNKNOWN, reading.attribute.absent):
                yield reading.attribute.name, value, p
    for detail in (seen.said.details if seen.said is not None else None) or ():
        yield "detail", detail.phrase, detail.confidence
    if eyes is None:
        return
    for sight, trust in zip(seen.sights, seen.trust, strict=True):
        if trust >= 0.5 * max(seen.trust):
            yield from (("detail", phrase, p) for phrase, p in sight.details.items())
            yield from (("condition", cue, p) for cue, p in sight.condition.items())
    yield from ((ITEM_TYPE, value, p) for value, p in type_shares(seen, category, eyes).items())
