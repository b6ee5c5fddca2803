"""The feed as a page: cards, search by words and by a photo, filters. It can be read without a script."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from app.buyer.cards import SMALL, card, post_card
from app.buyer.filters import ORDER_LABELS, Filters, read
from app.buyer.page import base_of, html_page, preview, remember
from app.buyer.scaled import scaled_photo
from app.buyer.visitor import Visitor, address_of, visitor_of
from app.feed.pages import Place, Rates
from app.market.posts import NOT_THERE
from app.market.search.conditions import Wish
from app.market.search.query import TURNABLE
from app.market.shop import Counts
from app.routing import Body, Deps, Id, services_of
from app.seller import words
from app.services import Services
from app.store.tables import PostRow
from app.views import TOO_LARGE, AppError, Busy
from listing.intake.photos import Photo, PhotoError, PhotoLimits, intake
from listing.schema import Listing

PER_PAGE, RANKED = 24, 48  # cards on a page; how many are ranked, the others follow by date
NEAREST = 8  # cards where nothing fits
LOGGED_PER_SECOND = 5.0  # pages of strangers at one address that are written down
NOT_SEARCHED: dict[str, Any] = {  # what a page says where nothing was looked for
    **{"count": None, "whole": True, "far": False, "limits": [], "nearest": []},
    **dict.fromkeys(("read_as", "same_kind", "exactly", "page_id", "nearest_said"), ""),
}
NO_PHOTO = "Choose a photo first."
BUSY = "Other people's photos are being looked at; try again in a moment."
pages = APIRouter(include_in_schema=False)
strangers_pages = Rates(LOGGED_PER_SECOND)
STRANGERS_PHOTOS = threading.Semaphore(1)  # whose photo is decoded: the other reader is for those who are signed in


@pages.get("/feed")
def feed(request: Request, services: Deps) -> Response:
    """The feed, or what was looked for."""
    visitor, filters = visitor_of(request), read(request.query_params)
    if filters.searching:
        return _page(request, visitor, filters, _search_page(services, filters, None, visitor.id))
    return _page(request, visitor, filters, _ranked(request, visitor, filters))


@pages.post("/feed")
async def feed_by_photo(request: Request, services: Deps) -> Response:
    """Listings that look like a photo; filters and words count as well."""
    visitor = await run_in_threadpool(visitor_of, request)
    try:
        async with request.form(max_files=1, max_fields=20) as form:
            filters, sent = read(dict(form)), form.get("photo")
            data = await sent.read() if isinstance(sent, UploadFile) else b""
    except HTTPException as error:
        if error.status_code != 400:
            raise
        filters, data = read({}), b""

    def look() -> Response:
        photo, problem = _photo(visitor, data)
        searched = photo is not None or filters.searching
        cards = _search_page(services, filters, photo, visitor.id) if searched else _ranked(request, visitor, filters)
        return _page(request, visitor, filters, cards, by_photo=photo is not None, problem=problem)

    return await run_in_threadpool(look)


class Impressions(Body):
    """Cards of a page that came into view."""

    page: str = Field(max_length=64)
    listings: list[Annotated[str, Field(max_length=64)]] = Field(default=[], max_length=RANKED)
    posts: list[Annotated[str, Field(max_length=64)]] = Field(default=[], max_length=RANKED)


@pages.post("/feed/seen", status_code=204)
def impressions(request: Request, services: Deps, body: Impressions) -> None:
    """Cards of a page came into view; repeated ones count once."""
    visitor = visitor_of(request).check()
    events = [("impression", body.page, listing_id, "") for listing_id in body.listings]
    events += [("impression", body.page, "", post_id) for post_id in body.posts]
    if events:  # else a stranger's cookie alone would get a row
        services.feed.events(visitor, events)


@pages.get("/feed/posts/{post_id}")
def post_photo(services: Deps, post_id: Id) -> Response:
    """The photo of a post, scaled."""
    with services.store.read() as session:
        row = session.get(PostRow, post_id)
    if row is None:
        raise AppError("not_found", NOT_THERE, 404)
    return scaled_photo(services.listings.photo_file(None, row.photo_id), SMALL)


def _photo(visitor: Visitor, data: bytes) -> tuple[Photo | None, str]:
    """The clean photo, or a sentence that says why there is none."""
    if not data:
        return None, NO_PHOTO
    stranger = not visitor.seller
    if stranger and not STRANGERS_PHOTOS.acquire(blocking=False):
        return None, BUSY
    try:
        return intake([data])[0], ""
    except PhotoError as error:
        return None, words.sentence(str(error))
    finally:
        if stranger:
            STRANGERS_PHOTOS.release()


def _search_page(services: Services, filters: Filters, photo: Photo | None, reader: str) -> dict[str, Any]:
    """Matches of the search, as the template takes them."""
    count = RANKED if photo is not None else PER_PAGE
    first = 0 if photo is not None else (filters.page - 1) * PER_PAGE
    matches = services.shop.find(filters.wish, photo, first=first, count=count, order=filters.order, reader=reader)
    nothing = not matches.listings and photo is None and filters.page == 1
    nearest, said = _nearest(services, filters.wish.text, reader) if nothing else ([], "")
    last = first + len(matches.listings)
    onward = photo is None and last < matches.count and matches.listings
    return {
        "cards": [card(x) for x in matches.listings],
        "count": matches.count,
        "read_as": matches.name if matches.name not in filters.typed["q"].lower() else "",
        "limits": [(words.sentence(value), filters.without_reading(name)) for name, value in matches.limits.items()],
        "same_kind": words.category_label(matches.same_kind).lower() if matches.same_kind else "",
        "exactly": filters.address(1, exact="1"),
        "whole": matches.whole,
        "far": matches.far,
        "nearest": [card(x) for x in nearest],
        "nearest_said": said,
        "next": filters.address(filters.page + 1) if onward else "",
        "previous": filters.address(filters.page - 1) if photo is None and filters.page > 1 else "",
    }


def _nearest(services: Services, text: str, reader: str) -> tuple[Sequence[Listing], str]:
    """Where nothing fits: what its words find without any limit, else what is new; and what that is."""
    wider = Wish(text, off=frozenset(TURNABLE))
    tries = [(wider, "The nearest, without your limits:")] if text else []
    for wish, says in (*tries, (Wish(), "This is new:")):
        found = services.shop.find(wish, count=NEAREST, reader=reader).listings
        if found:
            return found, says
    return [], ""


def _ranked(request: Request, visitor: Visitor, filters: Filters) -> dict[str, Any]:
    """A page of the visitor's own feed. It is made once and written down; further pages are the rest of it."""
    services, sent_id = services_of(request), request.query_params.get("on", "")[:64]
    page_id = sent_id
    places: Sequence[Place] = services.feed.again(visitor.id, sent_id) if sent_id and filters.page > 1 else []
    if not places:
        page_id, places = _new_page(request, services, visitor)
    first = (filters.page - 1) * PER_PAGE
    cards = [_card(p) for p in places if first <= p.position < first + PER_PAGE]
    more = any(p.position >= first + PER_PAGE for p in places)
    on = {"on": page_id} if page_id else {}
    return {
        "cards": cards,
        "page_id": page_id,
        "next": filters.address(filters.page + 1, **on) if more else "",
        "previous": filters.address(filters.page - 1, **on) if filters.page > 1 else "",
    }


def _new_page(request: Request, services: Services, visitor: Visitor) -> tuple[str, Sequence[Place]]:
    """A page that is written down, with its id; for whom nothing is written down the same without one."""
    try:
        if visitor.logged:
            if not visitor.seller:
                strangers_pages.check(address_of(request))
            page = services.feed.page(visitor.id, RANKED)
            return page.id, page.places
    except Busy:  # it is shown all the same
        pass
    slate, listings = services.feed.explain(visitor.id, RANKED)
    listed = [(s, listings[s.item_id]) for s in slate.page if s.item_id in listings]
    return "", [Place(n, s.reason, s.pctr, listing=x) for n, (s, x) in enumerate(listed)]


def _card(place: Place) -> dict[str, Any]:
    if place.post is not None:
        return post_card(place.post)
    assert place.listing is not None
    return card(place.listing, place.reason)


def _page(
    request: Request,
    visitor: Visitor,
    filters: Filters,
    values: dict[str, Any],
    *,
    by_photo: bool = False,
    problem: str = "",
) -> Response:
    services = services_of(request)
    choices = services.shop.choices()
    bad = bool(problem or filters.problems)
    response = html_page(
        request,
        visitor,
        "feed",
        422 if bad else 200,
        then="/feed",
        preview=preview(base_of(request)),
        **{**NOT_SEARCHED, **values},
        filters=filters,
        typed=filters.typed,
        problems=filters.problems,
        photo_problem=problem,
        most_bytes=PhotoLimits().bytes,
        too_large=TOO_LARGE,
        by_photo=by_photo,
        chips=[(label, filters.without(name)) for name, label in filters.chips],
        categories=sorted(_options(choices.categories, filters.wish.category, words.category_label), key=itemgetter(1)),
        sizes=choices.sizes,
        colours=_options(choices.colours, filters.typed["colour"], words.value_label),
        conditions=_options(choices.conditions, filters.typed["condition"], words.value_label),
        brands=choices.brands,
        orders=ORDER_LABELS,
        currency=services.settings.currency,
    )
    return remember(request, response, visitor)


def _options(counts: Counts, chosen: str, label: Callable[[str], str]) -> list[tuple[str, str, int]]:
    """(value, as people say it, how many are on sale) for a field; the chosen one also where none is."""
    there = dict(counts)
    return [(value, label(value), count) for value, count in {**({chosen: 0} if chosen else {}), **there}.items()]
