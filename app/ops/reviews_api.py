"""The queue of listings that wait for a person in the REST API, for operators."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from fastapi import APIRouter
from pydantic import Field

from app.market.reviews import REASON_LENGTH
from app.routing import ERRORS, Body, Id, Operator


class WaitingBody(Body):
    """A listing that waits, and why."""

    listing_id: str
    version: int = Field(description="Give it back with the decision: a listing that was changed since stays.")
    seller_id: str
    category: str
    title: str
    description: str
    attributes: dict[str, str]
    photos: int
    code: str = Field(description="The policy group that it may belong to.")
    name: str
    words: list[str] = Field(description="Words of the listing that weighed most.")
    at: datetime


class QueueBody(Body):
    """The queue, the longest waiting first."""

    reviews: list[WaitingBody]


class Approval(Body):
    """Approve a listing as it was in this version."""

    version: int = Field(ge=0, le=2**31 - 1)


class Rejection(Approval):
    """Refuse it; the seller reads the reason."""

    reason: str = Field(max_length=REASON_LENGTH)


v1_reviews = APIRouter(prefix="/v1", tags=["reviews"], responses=ERRORS)


@v1_reviews.get("/reviews")
def waiting(services: Operator) -> QueueBody:
    """Listings that wait for a person."""
    return QueueBody(reviews=[WaitingBody.model_validate(asdict(w)) for w in services.reviews.waiting()])


@v1_reviews.post("/reviews/{listing_id}/approve", status_code=204)
def approve(services: Operator, listing_id: Id, wish: Approval) -> None:
    """Let a listing go live."""
    services.reviews.approve(listing_id, wish.version)


@v1_reviews.post("/reviews/{listing_id}/refuse", status_code=204)
def refuse(services: Operator, listing_id: Id, wish: Rejection) -> None:
    """Keep a listing off the market."""
    services.reviews.refuse(listing_id, wish.version, wish.reason)
