"""The two pages on which an operator changes something: the review queue and the calendar of promotions.

A promotion changes nothing at the first press, which shows what is meant; the second one does it. A listing is taken
off sale, approved or refused at once.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response

from app.market.promotions import MAX_DAYS, Promotion, day_number, read_date, today
from app.market.reviews import REASON_LENGTH
from app.ops import tables
from app.ops.api import reports_of
from app.ops.impressions import USUAL
from app.ops.page import page_response
from app.routing import Operator
from app.services import Services
from app.views import AppError

forms = APIRouter(prefix="/ops", include_in_schema=False)
Text = Annotated[str, Form(max_length=1000)]
Over = Annotated[str, Query(max_length=8)]


@forms.get("/reviews")
def reviews(
    request: Request, services: Operator, over: Over = USUAL, listing: Annotated[str, Query(max_length=64)] = ""
) -> Response:
    """What waits for a person, and what was reported; one listing at a time is looked at."""
    return _reviews(request, services, over, listing)


@forms.post("/reviews")
def decide(
    request: Request,
    services: Operator,
    do: Annotated[Literal["hold", "approve", "refuse"], Form()],
    listing: Annotated[str, Form(max_length=64)],
    version: Annotated[int, Form(ge=0, le=2**31 - 1)] = 0,
    reason: Text = "",
) -> Response:
    """Take a listing off sale, approve it or refuse it; a decision holds for the version that was shown."""
    queue, listing = services.reviews, listing.strip()
    done = {"hold": "It is off sale until it is decided.", "approve": "It is live.", "refuse": "It is refused."}
    try:
        if do == "hold":
            queue.pull(listing)
        elif do == "approve":
            queue.approve(listing, version)
        else:
            queue.refuse(listing, version, reason)
    except AppError as error:
        return _reviews(
            request, services, USUAL, listing if do != "hold" else "", bad=str(error), status=error.http_status
        )
    reports_of(request).forget()
    return _reviews(request, services, USUAL, listing if do == "hold" else "", message=done[do])


def _reviews(
    request: Request,
    services: Services,
    over: str,
    listing: str,
    *,
    message: str = "",
    bad: str = "",
    status: int = 200,
) -> Response:
    one, problem = None, bad
    if listing:
        try:
            one = services.reviews.one(listing)
        except AppError as error:
            problem, status = bad or str(error), error.http_status
    values = {
        "one": one,
        "typed": listing,
        "said": message,
        "bad": problem,
        "length": REASON_LENGTH,
        "queue": tables.review_queue(services.reviews),
        "reported": tables.reports(services.messages),
    }
    return page_response(request, "reviews", "reviews.html", over, lambda _: values, status)


@forms.get("/promotions")
def promotions(request: Request, services: Operator, over: Over = USUAL) -> Response:
    """The calendar."""
    return _promotions(request, services, over)


@forms.post("/promotions")
def declare(
    request: Request,
    services: Operator,
    name: Text = "",
    first: Text = "",
    days: Annotated[str, Form(max_length=9)] = "",
    number: Annotated[str, Form(max_length=9)] = "",
    sure: Annotated[str, Form(max_length=4)] = "",
) -> Response:
    """Declare a promotion, or with its number take one off; without ``sure`` it is only said what would be done."""
    typed = {"name": name, "first": first, "days": days, "number": number}
    try:
        wish = _withdrawn(services, number) if number else _wish(services, name, first, days)
        if not sure:
            what = "taken off the calendar" if number else "declared"
            return _promotions(request, services, USUAL, said=f"{words(wish)} would be {what}.", ask=True, typed=typed)
        if number:
            done = f"{words(services.promotions.withdraw(wish.id))} is off the calendar."
        else:
            wish = services.promotions.declare(wish.name, wish.first_day, wish.days)
            done = f"{words(wish)} is declared, as number {wish.id}."
    except AppError as error:
        return _promotions(request, services, USUAL, bad=str(error), typed=typed, status=error.http_status)
    reports_of(request).forget()
    return _promotions(request, services, USUAL, said=done)


def _wish(services: Services, name: str, first: str, days: str) -> Promotion:
    if not days.strip().isdecimal():
        raise AppError("bad_days", f"A promotion lasts 1 to {MAX_DAYS} days.", 422)
    return services.promotions.checked(name, read_date(first), int(days))


def _withdrawn(services: Services, number: str) -> Promotion:
    calendar = {str(p.id): p for p in services.promotions.calendar().promotions}
    promotion = calendar.get(number.strip())
    if promotion is None:
        raise AppError("not_found", "There is no promotion of that number.", 404)
    return promotion


def _promotions(request: Request, services: Services, over: str, status: int = 200, **more: Any) -> Response:
    table = tables.promotions(services.feed, services.promotions.calendar())
    empty = dict.fromkeys(("name", "first", "days", "number"), "")
    usual = {"said": "", "bad": "", "ask": False, "typed": empty, "table": table}
    return page_response(request, "promotions", "promotions.html", over, lambda _: {**usual, **more}, status)


def words(promotion: Promotion) -> str:
    """A promotion in words: name, days, how far away."""
    wait = promotion.numbers[0] - day_number(today())
    until = f", {promotion.state(today())}" if wait <= 0 else f", in {wait} day{'s' * (wait > 1)}"
    span = str(promotion.first_day) if promotion.days == 1 else f"{promotion.first_day} to {promotion.last_day}"
    return f"“{promotion.name}” ({span}{until})"
