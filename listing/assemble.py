"""A draft from what was decided and said."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from listing.backends.base import FormBackend
from listing.decide.decision import Decision
from listing.observe.neighbours import Neighbours
from listing.pipeline_parts import Parts
from listing.request import DraftRequest
from listing.say import ask
from listing.say.compose import Text
from listing.schema import Draft, Question


def assemble(
    request: DraftRequest,
    decision: Decision,
    text: Text,
    questions: Sequence[Question],
    neighbours: Neighbours,
    parts: Parts,
) -> Draft:
    """The draft with all that it rests on, and how good it is."""
    category = decision.category
    answered = not isinstance(parts.backend, FormBackend) or decision.views.speaks("mllm")
    remarks = ask.model_flags(parts.backend.name, parts.calibration, answered=answered)
    draft = Draft(
        id=draft_id(request),
        photos=[photo.ref for photo in request.photos],
        category=category,
        attributes=decision.facts,
        details=decision.details,
        title=text.title,
        description=text.description,
        spans=text.spans,
        offers=ask.offers_of(decision.possible, category.value, parts.taxonomy) if category.value else [],
        questions=list(questions),
        flags=[*remarks, *decision.flags, *text.flags],
        price=neighbours.price,
        neighbours=list(neighbours.neighbours),
        quality=ask.quality(request, category, decision.facts, text, parts.taxonomy),
        model=parts.backend.name,
        observations=list(decision.views.observations),
    )
    return draft.model_copy(update={"offers": ask.open_offers(draft, parts.taxonomy)})


def draft_id(request: DraftRequest) -> str:
    """The same photos give the same id, whatever their order."""
    hashes = sorted(hashlib.sha256(photo.jpeg).hexdigest() for photo in request.photos)
    return hashlib.sha256("|".join([request.seller_id or "", *hashes]).encode()).hexdigest()[:24]
