"""Evidence points at photos by their place; when a draft's photos change, it follows them. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from listing.schema import AttributeValue, Draft, Evidence, PhotoRef

# What was found in a photo; without a photo, that one was removed.
VISUAL = ("ocr", "pixels", "mllm", "classifier")
_TIP = re.compile(r"Photo (\d+) ")


def moved(draft: Draft, photos: Sequence[PhotoRef]) -> Draft:
    """The draft with ``photos`` as its photos: evidence and tips name a photo by the place that it has there.

    Evidence of a photo that is not among them keeps its words, but no photo and no box; a tip about it is left out.
    """
    if [p.id for p in draft.photos] == [p.id for p in photos]:
        return draft
    places = _places(draft.photos, photos)
    quality = draft.quality.model_copy(update={"tips": list(_tips(draft.quality.tips, places))})
    facts = [_fact(a, places) for a in draft.attributes]
    details = [
        d.model_copy(update={"photo": at, "box": d.box if at is not None else None})
        for d in draft.details
        for at in [places.get(d.photo) if d.photo is not None else None]
    ]
    update = {"photos": list(photos), "attributes": facts, "details": details, "quality": quality}
    return draft.model_copy(update=update)


def moved_facts(
    facts: Sequence[AttributeValue], before: Sequence[PhotoRef], after: Sequence[PhotoRef]
) -> tuple[AttributeValue, ...]:
    """Facts whose evidence counts in ``before``, counting in ``after``; see ``moved``."""
    places = _places(before, after)
    return tuple(_fact(a, places) for a in facts)


def is_gone(evidence: Evidence) -> bool:
    """True where it comes from a photo that has been removed."""
    return evidence.source in VISUAL and evidence.photo is None


def _places(before: Sequence[PhotoRef], after: Sequence[PhotoRef]) -> dict[int, int]:
    """Place after by place before; without those that are gone."""
    now = {p.id: place for place, p in enumerate(after)}
    return {place: now[p.id] for place, p in enumerate(before) if p.id in now}


def _fact(fact: AttributeValue, places: Mapping[int, int]) -> AttributeValue:
    return fact.model_copy(update={"evidence": [_evidence(e, places) for e in fact.evidence]})


def _evidence(evidence: Evidence, places: Mapping[int, int]) -> Evidence:
    place = None if evidence.photo is None else places.get(evidence.photo)
    return evidence.model_copy(update={"photo": place, "box": None if place is None else evidence.box})


def _tips(tips: Sequence[str], places: Mapping[int, int]) -> Iterator[str]:
    for tip in tips:
        about = _TIP.match(tip)
        if about is None:
            yield tip
        elif (place := places.get(int(about[1]) - 1)) is not None:
            yield f"Photo {place + 1} {tip[about.end() :]}"
