"""The operator's page: what changed, what to do, the feed and why, new listings unseen, what serves, reviews.

Its script draws charts of what stands in its tables as well; its address says what it answers.
"""

from __future__ import annotations

import hashlib
import logging
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import AwareDatetime, BaseModel, Field

from app.buyer.cards import LARGE
from app.buyer.scaled import scaled_photo
from app.market.reviews import REASON_LENGTH
from app.ops import days, places, serving, tables
from app.ops.api import reports_of
from app.ops.checks import WORDS
from app.ops.impressions import SPANS, USUAL
from app.routing import Id, Operator, one_of
from app.services import Services
from app.store.clock import now
from app.templates import render
from app.theme import STATIC, script, stylesheet
from app.views import AppError, listing_facts
from listing.errors import PROGRAM

FOLDER = Path(__file__).with_name("templates")
HEADERS = {"Cache-Control": "no-store"}
KEEP = {"Cache-Control": "max-age=86400"}
log = logging.getLogger(__name__)
TYPES = {"ops.css": "css", "ops.js": "javascript"}
SECTIONS = {
    "changes": "What changed", "health": "To do", "feed": "Feed", "new": "Not seen", "models": "What serves",
    "reviews": "Review",
}  # fmt: skip
NOT_SHOWN = "This could not be worked out just now; the server's log names the cause. The rest of the page stands."
pages = APIRouter(prefix="/ops", include_in_schema=False)
Words = Annotated[str, Field(max_length=200)]


class PageQuery(BaseModel):
    """What the page's address asks: a window, a visitor, a listing by words or by id, a page, a listing to review."""

    over: Words = USUAL
    visitor: Words = ""
    find: Words = ""
    listing: Words = ""
    page: Words = ""
    review: Words = ""


@pages.get("")
def front() -> RedirectResponse:
    """The page's name without its last slash leads to the page."""
    return RedirectResponse("/ops/")


@pages.get("/")
def overview(request: Request, services: Operator, query: Annotated[PageQuery, Query()]) -> Response:
    """The page."""
    return show(request, services, query)


@pages.post("/reviews")
def decide(
    request: Request,
    services: Operator,
    do: Annotated[Literal["hold", "close", "approve", "refuse"], Form()],
    listing: Annotated[str, Form(max_length=64)],
    version: Annotated[int, Form(ge=0, le=2**31 - 1)] = 0,
    reason: Annotated[str, Form(max_length=1000)] = "",
    until: Annotated[AwareDatetime | None, Form()] = None,
) -> Response:
    """Take a listing off sale, approve it, refuse it, or close its reports; all but the first for what was shown."""
    queue, listing = services.reviews, listing.strip()
    try:
        if do == "hold":
            queue.pull(listing)
            message, query = "It is off sale until it is decided.", PageQuery(review=listing)
        elif do == "close":
            queue.close_reports(listing, until)
            message, query = "Its reports are closed.", PageQuery()
        elif do == "approve":
            queue.approve(listing, version)
            message, query = "It is live.", PageQuery()
        else:
            queue.refuse(listing, version, reason)
            message, query = "It is refused.", PageQuery()
    except AppError as error:
        query = PageQuery(review="" if do in ("hold", "close") else listing)
        return show(request, services, query, error.http_status, problems={"reviews": str(error)})
    reports_of(request).forget()
    return show(request, services, query, messages={"reviews": message})


@pages.get("/listings/{listing_id}/photos/{number}")
def photo(services: Operator, listing_id: Id, number: int) -> Response:
    """A photo of a listing by its place from 1, whoever else may see that."""
    listing, _ = services.reviews.one(listing_id)
    path = services.media.path(listing.photos[number - 1].id) if 1 <= number <= len(listing.photos) else None
    if path is None or not path.is_file():
        raise AppError("not_found", "There is no such photo; it may have been deleted.", 404)
    return scaled_photo(path, LARGE)


@pages.get(f"/{{name:{one_of('ops_part', [*TYPES, *SECTIONS])}}}")
def named(request: Request, _: Operator, name: str) -> Response:
    """The look of the page, its script after the library that draws, or a part of it by an address short to type."""
    if name in SECTIONS:
        return RedirectResponse(f"/ops/?{request.url.query}#{name}")
    return Response(_files()[name], media_type=f"text/{TYPES[name]}", headers=KEEP)


def show(
    request: Request,
    services: Services,
    query: PageQuery,
    status: int = 200,
    *,
    messages: dict[str, str] | None = None,
    problems: dict[str, str] | None = None,
) -> Response:
    """The page. ``messages`` and ``problems`` stand in the section that they are of."""
    report, problems = reports_of(request).get(query.over), dict(problems or {})
    points = reports_of(request).days.points()
    values: dict[str, Any] = {
        "report": report, "over": report.over, "sections": SECTIONS, "spans": SPANS, "words": WORDS,
        "version": version(), "query": query,
        "rest": urlencode(query.model_dump(exclude={"over"}, exclude_defaults=True)),
        "names": places.visitors(services.store, services.feed),
        "serving": serving.models(report.figures), "heard": services.hearing.says,
        "events": serving.model_events(services.feed),
        "measured": serving.phenomena(services.settings.home), "figures": tables.figures(report),
        "changed": days.changed(points, serving.since(services.feed)), "charts": days.charts(points),
        "marks": days.marks(services, points), "daily": tables.day_by_day(points),
        "sold": tables.sold(services.store, report.over),
        "starved": tables.new_listings(report.figures.starved),
        "queue": tables.review_queue(services.reviews), "reported": tables.reports(services.messages),
        "as_of": now().isoformat(), "length": REASON_LENGTH, "program": PROGRAM,
        **dict.fromkeys(("tiles", "one_listing", "past", "now", "one", "held", "reported_as", "facts")),
    }  # fmt: skip
    for section, answers in (("feed", _why_here), ("reviews", _review)):
        try:
            values |= answers(services, query)
        except AppError as error:
            status = error.http_status if status == 200 else status
            problems.setdefault(section, str(error))
        except Exception:  # the page is looked at most when a model or a row is broken: the rest of it stands
            log.exception("the operator's page could not show its part %s", section)
            problems.setdefault(section, NOT_SHOWN)
    return HTMLResponse(
        render(FOLDER / "page.html", **values, messages=messages or {}, problems=problems), status, HEADERS
    )


def _why_here(services: Services, query: PageQuery) -> dict[str, Any]:
    """Answers to why a listing stands where it stands: for a listing, a page that was seen, or a visitor now."""
    visitor = query.visitor.strip()
    if query.find:
        return {"tiles": places.find(services.store, query.find)}
    if query.listing:
        return {"one_listing": places.standing(services, query.listing, visitor)}
    if query.page:
        return {"past": places.past_page(services, query.page)}
    page, stands = places.would_see(services, visitor)
    return {"now": page.slate, "stands": stands}


def _review(services: Services, query: PageQuery) -> dict[str, Any]:
    if not query.review:
        return {}
    listing, held = services.reviews.one(query.review.strip()[:64])
    reported = [m for m in services.messages.reports() if m.listing_id == listing.id]
    return {"one": listing, "held": held, "reported_as": reported, "facts": listing_facts(listing)}


@cache
def _files() -> dict[str, str]:
    plots = (STATIC / "uplot.css").read_text(encoding="utf-8")
    return {"ops.css": plots + stylesheet("ops"), "ops.js": script("uplot") + script("ops")}


@cache
def version() -> str:
    """Changes with stylesheet and script, so that browsers may keep them."""
    return hashlib.sha256("".join(_files().values()).encode()).hexdigest()[:12]
