"""What operators' programs ask for: the figures, the tables, the review queue, the calendar of promotions."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import AwareDatetime, Field

from app.market.promotions import MAX_DAYS, Promotion, today
from app.market.reviews import REASON_LENGTH, WaitingListing
from app.ops import serving, tables
from app.ops.checks import Reports
from app.ops.tables import Table
from app.routing import ERRORS, Body, Id, Operator
from app.services import Services
from app.views import AppError

TABLES: dict[str, Callable[[Services, Reports, str], Table]] = {
    "days": lambda s, r, _: tables.day_by_day(r.days.points()),
    "figures": lambda _, of, over: tables.figures(of.get(over)),
    "sold": lambda s, of, over: tables.sold(s.store, of.get(over).over),
    "new-listings": lambda _, of, over: tables.new_listings(of.get(over).figures.arrived),
    "models": lambda _, of, over: serving.models(of.get(over).figures),
    "model-events": lambda s, *_: serving.model_events(s.feed),
    "reviews": lambda s, *_: tables.review_queue(s.reviews),
    "reports": lambda s, *_: tables.reports(s.messages),
}
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
Over = Annotated[Literal["1h", "24h", "7d", "14d"], Query(description="How far back it looks.")]
ops = APIRouter(prefix="/ops", include_in_schema=False)
v1 = APIRouter(prefix="/v1", responses=ERRORS)


@ops.get("/export/{name}.{kind}")
def export(request: Request, services: Operator, name: str, kind: str, over: Over = "24h") -> Response:
    """A table as CSV or JSON."""
    if name not in TABLES or kind not in ("csv", "json"):
        raise AppError(
            "not_found", f"There is no such table; there are {', '.join(TABLES)}, each as .csv and .json.", 404
        )
    table = TABLES[name](services, reports_of(request), over)
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


def reports_of(request: Request) -> Reports:
    """The reports of the app that answers."""
    reports: Reports = request.app.state.reports
    return reports


class FigureBody(Body):
    """A figure with its 95 % interval; null: it cannot be said."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    before: float | None = Field(description="Value of the same stretch a day earlier; null where only now is known.")
    n: int = Field(description="How many of ``of`` it was counted over.")
    of: str
    unit: str
    state: Literal["good", "look", "bad", "unknown", ""] = Field(description="By its check; empty without one.")
    says: str


class OpsBody(Body):
    """What the operator's page says of a window."""

    window: str
    as_of: datetime
    state: Literal["good", "look", "bad", "unknown"]
    headline: str
    to_do: list[str]
    figures: dict[str, FigureBody]


@v1.get("/ops", tags=["operations"])
def figures(request: Request, _: Operator, over: Over = "24h") -> OpsBody:
    """The operator's figures: those of the page and of ``/metrics``."""
    report = reports_of(request).get(over)
    judged, bodies = {f.check.measure: f for f in report.findings}, {}
    for key, m in report.measures.items():
        finding, before = judged.get(key), report.before.get(key)
        bodies[key] = FigureBody(
            name=m.name, **asdict(m.interval), before=before.interval.value if before is not None else None, n=m.n,
            of=m.of, unit=m.unit, state=finding.state if finding else "", says=finding.says if finding else "",
        )  # fmt: skip
    return OpsBody(window=over, as_of=report.over.until, state=report.state, headline=report.headline,
                   to_do=[f.says for f in report.to_do], figures=bodies)  # fmt: skip


class QueueBody(Body):
    """The queue, the longest waiting first. A decision gives the version back: what was changed since stays."""

    reviews: list[WaitingListing]


class Approval(Body):
    """Approve a listing as it was in this version."""

    version: int = Field(ge=0, le=2**31 - 1)


class Rejection(Approval):
    """Refuse it; the seller reads the reason."""

    reason: str = Field(max_length=REASON_LENGTH)


@v1.get("/reviews", tags=["reviews"])
def waiting(services: Operator) -> QueueBody:
    """Listings that wait for a person."""
    return QueueBody(reviews=services.reviews.waiting())


@v1.post("/reviews/{listing_id}/hold", status_code=204, tags=["reviews"])
def hold(request: Request, services: Operator, listing_id: Id) -> None:
    """Take a listing off the market until it is approved or refused, as after a report of it."""
    services.reviews.pull(listing_id)
    reports_of(request).forget()


@v1.post("/reviews/{listing_id}/approve", status_code=204, tags=["reviews"])
def approve(request: Request, services: Operator, listing_id: Id, wish: Approval) -> None:
    """Let a listing go live."""
    services.reviews.approve(listing_id, wish.version)
    reports_of(request).forget()


@v1.post("/reviews/{listing_id}/refuse", status_code=204, tags=["reviews"])
def refuse(request: Request, services: Operator, listing_id: Id, wish: Rejection) -> None:
    """Keep a listing off the market."""
    services.reviews.refuse(listing_id, wish.version, wish.reason)
    reports_of(request).forget()


@v1.delete("/reviews/{listing_id}/reports", status_code=204, tags=["reviews"])
def close_reports(request: Request, services: Operator, listing_id: Id, until: AwareDatetime | None = None) -> None:
    """The reports of a listing and of its orders are dealt with, sold or not; those after `until` stay."""
    services.reviews.close_reports(listing_id, until)
    reports_of(request).forget()


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
    """Declare a promotion. Past ones may be declared as well: HDR learns of their days."""
    return _body(services.promotions.declare(wish.name, wish.first_day, wish.days))


@v1.delete("/promotions/{number}", status_code=204, tags=["promotions"])
def withdraw(services: Operator, number: Number) -> None:
    """Take a promotion off the calendar."""
    services.promotions.withdraw(number)


def _body(promotion: Promotion) -> PromotionBody:
    return PromotionBody(**vars(promotion), last_day=promotion.last_day, state=promotion.state(today()))
