"""What operators' programs ask for: exports of the tables, the review queue, the calendar of promotions."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from fastapi.responses import JSONResponse, RedirectResponse, Response
from pydantic import Field

from app.market.promotions import MAX_DAYS, Promotion, today
from app.market.reviews import REASON_LENGTH
from app.ops import numbers
from app.ops.drift import drift_by_feature
from app.ops.impressions import impressions
from app.ops.table import Table
from app.routing import ERRORS, Body, Id, Operator
from app.services import Services
from app.views import AppError

TABLES: dict[str, Callable[[Services], Table]] = {
    "new-listings": lambda s: numbers.new_listings(s.store),
    "reviews": lambda s: numbers.review_queue(s.reviews),
    "reports": lambda s: numbers.reports(s.messages),
    "model-health": lambda s: numbers.model_health(impressions(s.store)),
    "drift-by-feature": lambda s: drift_by_feature(s.store, s.feed),
    "models": lambda s: numbers.models(s.feed),
    "promotions": lambda s: numbers.promotions(s.feed, s.promotions.calendar()),
    "model-events": lambda s: numbers.model_events(s.feed),
    "assistant": lambda s: numbers.assistant(s.store),
}
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
ops = APIRouter(prefix="/ops", include_in_schema=False)
v1 = APIRouter(prefix="/v1", responses=ERRORS)


@ops.get("")
def front() -> RedirectResponse:
    """The page's name without its last slash leads to the page."""
    return RedirectResponse("/ops/")


@ops.get("/export/{name}.{kind}")
def export(services: Operator, name: str, kind: str) -> Response:
    """A table as CSV or JSON."""
    if name not in TABLES or kind not in ("csv", "json"):
        raise AppError(
            "not_found", f"There is no such table; there are {', '.join(TABLES)}, each as .csv and .json.", 404
        )
    table = TABLES[name](services)
    if kind == "json":
        return JSONResponse([dict(zip(table.headers, row, strict=True)) for row in table.rows])
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(table.headers)
    writer.writerows([[_plain(cell) for cell in row] for row in table.rows])
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _plain(cell: object) -> object:
    """A title that a spreadsheet would take for a formula stays a title."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in "=+-@\t\r" else cell


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


@v1.get("/reviews", tags=["reviews"])
def waiting(services: Operator) -> QueueBody:
    """Listings that wait for a person."""
    return QueueBody(reviews=[WaitingBody.model_validate(asdict(w)) for w in services.reviews.waiting()])


@v1.post("/reviews/{listing_id}/hold", status_code=204, tags=["reviews"])
def hold(services: Operator, listing_id: Id) -> None:
    """Take a listing off the market until it is approved or refused, as after a report of it."""
    services.reviews.pull(listing_id)


@v1.post("/reviews/{listing_id}/approve", status_code=204, tags=["reviews"])
def approve(services: Operator, listing_id: Id, wish: Approval) -> None:
    """Let a listing go live."""
    services.reviews.approve(listing_id, wish.version)


@v1.post("/reviews/{listing_id}/refuse", status_code=204, tags=["reviews"])
def refuse(services: Operator, listing_id: Id, wish: Rejection) -> None:
    """Keep a listing off the market."""
    services.reviews.refuse(listing_id, wish.version, wish.reason)


class PromotionWish(Body):
    """Days of a promotion, in UTC."""

    name: str = Field(max_length=64)
    first_day: date
    days: int = Field(ge=1, le=MAX_DAYS)


class PromotionBody(PromotionWish):
    """A promotion of the calendar."""

    id: int
    last_day: date
    state: Literal["over", "on", "to come"]


class PromotionsBody(Body):
    """The calendar, the earliest first."""

    promotions: list[PromotionBody]


@v1.get("/promotions", tags=["promotions"])
def promotions(services: Operator) -> PromotionsBody:
    """All promotions that are declared."""
    return PromotionsBody(promotions=[_body(p) for p in services.promotions.calendar().promotions])


@v1.post("/promotions", status_code=201, tags=["promotions"])
def declare(services: Operator, wish: PromotionWish) -> PromotionBody:
    """Declare a promotion. Past ones may be declared as well: their days are what a copy is made from."""
    return _body(services.promotions.declare(wish.name, wish.first_day, wish.days))


@v1.delete("/promotions/{number}", status_code=204, tags=["promotions"])
def withdraw(services: Operator, number: Number) -> None:
    """Take a promotion off the calendar."""
    services.promotions.withdraw(number)


def _body(promotion: Promotion) -> PromotionBody:
    return PromotionBody(
        id=promotion.id,
        name=promotion.name,
        first_day=promotion.first_day,
        days=promotion.days,
        last_day=promotion.last_day,
        state=promotion.state(today()),
    )
