"""The operator's pages: each is one address that can be kept and sent on, and can be read without a script."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from app.ops import charts, journey, tables
from app.ops.api import reports_of
from app.ops.drift import drift_by_feature
from app.ops.impressions import SPANS, USUAL
from app.ops.verdicts import WORDS, Report
from app.routing import Operator, services_of
from app.services import Services
from app.templates import render
from app.theme import script, stylesheet
from app.views import AppError

FOLDER = Path(__file__).with_name("templates")
HEADERS = {"Cache-Control": "no-store"}
KEEP = {"Cache-Control": "max-age=86400"}
TABS = {
    "": "Overview", "feed": "Feed", "new": "New listings", "models": "Models", "assistant": "Assistant",
    "reviews": "Review", "promotions": "Promotions",
}  # fmt: skip
pages = APIRouter(prefix="/ops", include_in_schema=False)
Over = Annotated[str, Query(max_length=8)]
Words = Annotated[str, Query(max_length=200)]


@pages.get("")
def front() -> RedirectResponse:
    """The page's name without its last slash leads to the page."""
    return RedirectResponse("/ops/")


@pages.get("/ops.css")
def css(_: Operator) -> Response:
    """The look of these pages."""
    return Response(_files()["css"], media_type="text/css", headers=KEEP)


@pages.get("/ops.js")
def js(_: Operator) -> Response:
    """Their one script: it sorts and filters tables."""
    return Response(_files()["js"], media_type="text/javascript", headers=KEEP)


@pages.get("/")
def overview(request: Request, _: Operator, over: Over = USUAL) -> Response:
    """One sentence, what to do now, the three questions, and every figure behind them."""
    return page_response(request, "", "overview.html", over, lambda report: {"table": tables.watched(report)})


@pages.get("/feed")
def feed(request: Request, services: Operator, over: Over = USUAL, visitor: Words = "", find: Words = "") -> Response:
    """What a visitor would see now and has seen, and listings by words."""
    names = journey.visitors(services.store, services.feed)
    who = visitor.strip()[:64] or (names[0] if names else "")

    def values(report: Report) -> dict[str, Any]:
        page, stands = journey.would_see(services, who) if who else (None, ())
        picture = charts.picture(charts.funnel(page.slate.counts, page.slate.ms)) if page else ""
        return {
            "names": names, "who": who, "find": find, "tiles": journey.find(services.store, find), "stands": stands,
            "picture": picture, "models": page.slate.models if page else {},
            "past": journey.visitors_pages(services.store, who) if who else [],
        }  # fmt: skip

    return page_response(request, "feed", "feed.html", over, values)


@pages.get("/page/{page_id}")
def past_page(request: Request, services: Operator, page_id: str, over: Over = USUAL) -> Response:
    """A page as a visitor saw it."""
    return page_response(
        request, "feed", "page.html", over, lambda _: {"page": journey.past_page(services, page_id[:64])}
    )


@pages.get("/listing/{listing_id}")
def listing(request: Request, services: Operator, listing_id: str, over: Over = USUAL, visitor: Words = "") -> Response:
    """A listing's way through the feed."""
    names = journey.visitors(services.store, services.feed)
    return page_response(request, "feed", "listing.html", over, lambda _: {
        "way": journey.journey(services, listing_id[:64], visitor.strip()[:64]), "names": names})  # fmt: skip


@pages.get("/new")
def new(request: Request, _: Operator, over: Over = USUAL) -> Response:
    """New listings, and how long they wait to be seen."""
    return page_response(request, "new", "new.html", over, lambda report: {
        "picture": charts.picture(charts.first_impressions(report.figures)), "starved": report.figures.starved[:20],
        "groups": tables.first_impressions(report.figures), "table": tables.new_listings(report.figures)})  # fmt: skip


@pages.get("/models")
def models(request: Request, services: Operator, over: Over = USUAL) -> Response:
    """How well predictions order and how true they are, what serves, what has moved."""
    return page_response(request, "models", "models.html", over, lambda report: {
        "days": charts.picture(charts.by_day(report)), "reliable": charts.picture(charts.reliability(report)),
        "health": tables.model_health(report.figures), "serving": tables.models(services.feed),
        "papers": tables.paper_models(services.feed, services.settings.home),
        "here": tables.phenomena(services.settings.home),
        "events": tables.model_events(services.feed), "drift": drift_by_feature(services.store, services.feed),
    })  # fmt: skip


@pages.get("/assistant")
def assistant(request: Request, services: Operator, over: Over = USUAL) -> Response:
    """What sellers made of drafts."""

    def values(report: Report) -> dict[str, Any]:
        assisted = tables.assisted(services.store, report.over)
        return {"table": tables.assistant(assisted), "wrong": tables.wrong_words(assisted)}

    return page_response(request, "assistant", "assistant.html", over, values)


def page_response(
    request: Request, tab: str, file: str, over: str, values: Callable[[Report], dict[str, Any]], status: int = 200
) -> Response:
    """A page: its values, or the sentence of an AppError in their place."""
    report, services = reports_of(request).get(over), services_of(request)
    problem = ""
    content: dict[str, Any] = {}
    try:
        content = values(report)
    except AppError as error:
        problem, status, file = str(error), error.http_status, "problem.html"
    text = render(FOLDER / file, **{**_usual(request, services, report, tab), **content, "problem": problem})
    return HTMLResponse(text, status, HEADERS)


def _usual(request: Request, services: Services, report: Report, tab: str) -> dict[str, Any]:
    """What every page is given."""
    return {
        "report": report, "tab": tab, "tabs": TABS, "over": report.over, "spans": SPANS, "words": WORDS,
        "version": version(), "path": request.url.path, "said": "",
        "waiting": int(report.measures["reviews_waiting"].interval.value or 0),
    }  # fmt: skip


@cache
def _files() -> dict[str, str]:
    return {"css": stylesheet("ops"), "js": script("ops")}


@cache
def version() -> str:
    """Changes with stylesheet and script, so that browsers may keep them."""
    return hashlib.sha256("".join(_files().values()).encode()).hexdigest()[:12]
