"""From readings to facts: every attribute gets a status and the evidence that it rests on.

Only ``supported`` fills the value. What is likely but below the calibrated threshold becomes a suggestion, what the
pixels speak against is ``contradicted``, and what nobody saw is ``unknown``, which is an answer.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

from listing.observe.networks.colour_pixels import PixelView
from listing.decide.pool import Calibration
from listing.decide.questions import Reading, pixel_shares
from listing.prompts import UNKNOWN
from listing.schema import AttributeValue, Evidence
from listing.taxonomy import Attribute

MIN_SUGGESTION = 0.35
MIN_ALTERNATIVE, ALTERNATIVES = 0.04, 3
_MIN_NEIGHBOUR_VOTE = 0.5


def visible_fact(
    reading: Reading,
    calibration: Calibration,
    pixels: Sequence[PixelView] = (),
    neighbour_ids: Mapping[str, Sequence[str]] | None = None,
) -> AttributeValue:
    """The fact behind a reading of the photos."""
    name = reading.attribute.name
    answers = sorted(reading.probabilities.items(), key=lambda answer: (-answer[1], answer[0]))
    if name == "colour":  # everything has one
        answers = [answer for answer in answers if answer[0] != UNKNOWN] or answers
    value, confidence = answers[0]
    if value == UNKNOWN:
        return AttributeValue(name=name, status="unknown", confidence=confidence)
    if value == reading.attribute.absent:  # "no second colour" is nothing to state
        return AttributeValue(name=name, status="unknown", confidence=confidence)
    evidence = _evidence(reading, value, pixels, neighbour_ids or {})
    others = alternatives(reading.probabilities, {value, UNKNOWN, reading.attribute.absent or UNKNOWN})
    against = name == "colour" and any(value in view.contradicted for view in pixels)
    if against:
        return AttributeValue(
            name=name,
            suggestion=value,
            status="contradicted",
            confidence=confidence,
            alternatives=others,
            evidence=evidence,
        )
    if confidence >= calibration.of(name).threshold:
        return AttributeValue(
            name=name,
            value=value,
            status="supported",
            confidence=confidence,
            alternatives=others,
            evidence=evidence,
        )
    suggestion = value if confidence >= MIN_SUGGESTION or name == "colour" else None
    return AttributeValue(
        name=name,
        suggestion=suggestion,
        status="unsupported" if suggestion else "unknown",
        confidence=confidence,
        alternatives=others if suggestion else [],
        evidence=evidence,
    )


def alternatives(probabilities: Mapping[str, float], without: Container[str]) -> list[str]:
    """The next likely values, best first."""
    left = sorted((-p, value) for value, p in probabilities.items() if p >= MIN_ALTERNATIVE and value not in without)
    return [value for _, value in left[:ALTERNATIVES]]


def _evidence(
    reading: Reading, value: str, pixels: Sequence[PixelView], neighbour_ids: Mapping[str, Sequence[str]]
) -> list[Evidence]:
    evidence = [
        Evidence(source=source, photo=reading.photo, score=reading.sources[source].get(value, 0.0))
        for source in ("mllm", "classifier")
        if source in reading.sources
    ]
    shares = [(view, pixel_shares(view, reading.attribute.name).get(value, 0.0)) for view in pixels]
    evidence += [
        Evidence(source="pixels", photo=view.photo, box=view.box, text=value, score=share)
        for view, share in shares
        if share > 0
    ]
    vote = reading.sources.get("neighbours", {}).get(value, 0.0)
    if vote >= _MIN_NEIGHBOUR_VOTE and neighbour_ids.get(value):
        evidence.append(Evidence(source="neighbours", score=vote, listing_ids=list(neighbour_ids[value])))
    return evidence


def seller_fact(attribute: Attribute, value: str) -> AttributeValue:
    """What the seller stated: supported by their word, and locked."""
    return AttributeValue(
        name=attribute.name,
        value=value,
        status="supported",
        confidence=1.0,
        evidence=[Evidence(source="seller", text=value)],
        locked=True,
    )


def noted_fact(name: str, value: str, beside: AttributeValue | None = None) -> AttributeValue:
    """What the seller's note states. Wear that was surely seen (``beside``) is told as well."""
    evidence = [Evidence(source="seller", text=value)]
    if beside is not None and beside.value == value:
        evidence += beside.evidence
    elif name == "condition" and beside is not None and beside.value not in (None, "none-visible", *value.split(", ")):
        value, evidence = f"{value}, {beside.value}", [*evidence, *beside.evidence]
    return AttributeValue(name=name, value=value, status="supported", confidence=1.0, evidence=evidence)


def is_noted(fact: AttributeValue) -> bool:
    """Whether it rests on a note, not on an answer of the seller."""
    return not fact.locked and any(e.source == "seller" for e in fact.evidence)


def without_note(fact: AttributeValue, attribute: Attribute) -> AttributeValue:
    """A fact without what a note states: what was seen or read beside it stays."""
    if not is_noted(fact):
        return fact
    others = [e for e in fact.evidence if e.source != "seller"]
    if not others or fact.value is None:
        return not_known(attribute)
    told = {word for e in fact.evidence if e.source == "seller" for word in (e.text or "").split(", ")}
    kept = [word for word in fact.value.split(", ") if word not in told] if attribute.many else []
    value = ", ".join(kept) or fact.value
    confidence = max((e.score for e in others if e.score is not None), default=None)
    return AttributeValue(name=fact.name, value=value, status="supported", confidence=confidence, evidence=others)


def read_fact(name: str, value: str, evidence: Evidence, confidence: float) -> AttributeValue:
    """What stands in legible text; the evidence names its photo and place."""
    return AttributeValue(name=name, value=value, status="supported", confidence=confidence, evidence=[evidence])


def not_known(attribute: Attribute) -> AttributeValue:
    """What nothing speaks of (yet)."""
    return AttributeValue(name=attribute.name)


def repeats(fact: AttributeValue, colour: AttributeValue | None) -> bool:
    """Whether a second colour only says the first one again."""
    if fact.name != "colour2" or colour is None:
        return False
    value = fact.value or fact.suggestion
    return value is not None and value in (colour.value, colour.suggestion)


def guess(name: str, value: str, evidence: Evidence, confidence: float) -> AttributeValue:
    """What a model reads or calls by itself: to be checked, however sure it is."""
    return AttributeValue(name=name, suggestion=value, status="unsupported", confidence=confidence, evidence=[evidence])
