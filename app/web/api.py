"""The REST API: drafts, listings, photos, health and metrics. Every route is a thin layer over the services."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from fastapi import APIRouter, File, Form, Header, Query, Request, UploadFile
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from app.drafting.draft_run import DraftRun
from app.market import exports
from app.routing import ERRORS, Deps, Id, Who
from app.services import Services
from app.views import AppError, field_text
from app.web import api_page
from app.web.api_schemas import (
    ClaimsBody,
    DraftBody,
    Health,
    ListingChanges,
    ListingPage,
    PhotosBody,
    PublishBody,
    WriteBody,
)
from app.web.request_body import release_body
from app.web.sse import last_view, server_sent
from listing.intake.photos import Photo, PhotoLimits, intake
from listing.schema import Listing, Tone

EVENT_STREAM = "text/event-stream"
Accept = Annotated[str, Header(description="text/event-stream streams the draft while it is made.")]
STREAMED = {"description": "The finished draft.", "content": {EVENT_STREAM: {"schema": {"type": "string"}}}}
# The version of a draft or a listing travels as its ETag.
IfMatch = Annotated[
    str, Header(max_length=100, description="The ETag that was read: 409 when something has changed since.")
]
v1 = APIRouter(prefix="/v1", responses=ERRORS)
health = APIRouter()


def etag(version: int) -> dict[str, str]:
    """The header that says a version."""
    return {"ETag": f'"{version}"'}


def _version(if_match: str) -> int | None:
    """The version in an ``If-Match`` header; None where any will do."""
    if if_match.strip() in ("", "*"):
        return None
    match = re.fullmatch(r'"(\d{1,9})"|(\d{1,9})', if_match.strip())
    if match is None:
        raise AppError("bad_version", 'If-Match has to be an ETag that was read here, like "3".', 422)
    return int(match[1] or match[2])


def _say_version(services: Services, seller: str, listing: Listing, response: Response) -> Listing:
    """Give a listing with its version, unless it has changed again in this moment."""
    again, version = services.listings.versioned(seller, listing.id)
    if again == listing:
        response.headers.update(etag(version))
    return listing


@v1.post("/drafts", status_code=201, response_model=DraftBody, tags=["drafts"], responses={201: STREAMED})
async def create_draft(
    request: Request,
    services: Deps,
    seller: Who,
    photos: Annotated[list[UploadFile], File(description="1 to 8 photos of one item: JPEG, PNG, WebP or HEIC.")],
    note: Annotated[str, Form(description="The seller's words, kept verbatim.")] = "",
    category: Annotated[str, Form(description="What it is; empty lets the model decide.")] = "",
    tone: Annotated[Tone, Form(description="How the text is written.")] = "plain",
    accept: Accept = "",
) -> Response:
    """Write a draft from photos. Hanging up stops the work.

    With `Accept: text/event-stream` the events are: queued, working, stage, category, attribute, question, text, and
    at last draft or error.
    """
    if len(photos) > PhotoLimits().count:
        raise AppError("too_many_photos", f"Choose at most {PhotoLimits().count} photos.", 422)
    services.queue.check(seller.id)  # decoding photos for nothing would slow those down who have a place
    clean = await _taken_in(photos)
    release_body(request)  # the draft may wait for long; others can send theirs meanwhile
    run = await run_in_threadpool(
        lambda: services.draft_writer.start(seller.id, clean, note, tone=tone, category=category or None)
    )
    return await _written(run, request, accept, 201)


async def _taken_in(uploads: list[UploadFile]) -> tuple[Photo, ...]:
    """Clean photos of uploads, of which nothing is kept."""
    files = [await upload.read() for upload in uploads]
    for upload in uploads:
        await upload.close()
    return await run_in_threadpool(intake, files)


async def _written(run: DraftRun, request: Request, accept: str, status: int) -> Response:
    """The draft once it is done, or its events while it is made."""
    if EVENT_STREAM in accept:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(server_sent(run), status, headers, EVENT_STREAM)
    view = await last_view(run, request)
    if view.problem is not None:
        raise AppError(view.problem.code, view.problem.message, 503)
    return JSONResponse(DraftBody.of(view).model_dump(mode="json"), status, etag(view.version))


@v1.get("/drafts/{draft_id}", tags=["drafts"])
def get_draft(services: Deps, seller: Who, draft_id: Id, response: Response) -> DraftBody:
    """A draft with the seller's changes."""
    view = services.drafts.get(seller.id, draft_id)
    response.headers.update(etag(view.version))
    return DraftBody.of(view)


@v1.delete("/drafts/{draft_id}", status_code=204, tags=["drafts"])
def delete_draft(services: Deps, seller: Who, draft_id: Id) -> None:
    """Throw an unpublished draft away, with its photos and history; one that is being written is stopped."""
    services.drafts.abandon(seller.id, draft_id)


@v1.post("/drafts/{draft_id}/write", response_model=DraftBody, tags=["drafts"], responses={200: STREAMED})
async def write_draft_again(
    request: Request, services: Deps, seller: Who, draft_id: Id, body: WriteBody | None = None, accept: Accept = ""
) -> Response:
    """Write a draft again from its photos as they are now; what the seller set stays. Answers like `POST /v1/drafts`.

    A second try that fails leaves the draft as it was.
    """
    wish = (body or WriteBody()).model_dump()
    run = await run_in_threadpool(lambda: services.draft_writer.write_again(seller.id, draft_id, **wish))
    release_body(request)
    return await _written(run, request, accept, 200)


@v1.post("/drafts/{draft_id}/photos", status_code=201, tags=["drafts"])
async def add_draft_photos(
    services: Deps,
    seller: Who,
    draft_id: Id,
    photos: Annotated[list[UploadFile], File(description="More photos of the same item.")],
) -> DraftBody:
    """Add photos at the end: all of them or none. The text stays; write the draft again to have them looked at."""
    await run_in_threadpool(services.draft_photos.check_room, seller.id, draft_id, len(photos))
    clean = await _taken_in(photos)
    return DraftBody.of(await run_in_threadpool(services.draft_photos.add, seller.id, draft_id, clean))


@v1.put("/drafts/{draft_id}/photos", tags=["drafts"])
def set_draft_photos(services: Deps, seller: Who, draft_id: Id, body: PhotosBody) -> DraftBody:
    """Put the photos in another order; those left out are deleted at once, row and file."""
    return DraftBody.of(services.draft_photos.arrange(seller.id, draft_id, body.photos))


@v1.post(
    "/drafts/{draft_id}/photos/{photo_id}/cover",
    tags=["drafts"],
    response_class=Response,
    responses={200: {"description": "The cover.", "content": {"image/jpeg": {}}}},
)
def make_cover(services: Deps, seller: Who, draft_id: Id, photo_id: Id) -> Response:
    """The item of a photo on a plain light background, to look at: the draft stays as it is.

    Whoever likes it adds it like any photo. 422 `no_cover` where item and background cannot be told apart.
    """
    return Response(services.covers.of(seller.id, draft_id, photo_id), media_type="image/jpeg")


@v1.post("/drafts/{draft_id}/claims", tags=["drafts"])
def settle_claims(
    services: Deps, seller: Who, draft_id: Id, body: ClaimsBody, response: Response, if_match: IfMatch = ""
) -> DraftBody:
    """Confirm, change or leave out what a draft's texts say; title, description and facts follow at once."""
    version = _version(if_match)
    view = services.drafts.settle(seller.id, draft_id, body.facts, confirm=body.confirm, version=version)
    response.headers.update(etag(view.version))
    return DraftBody.of(view)


@v1.post("/listings", status_code=201, tags=["listings"])
def publish(
    services: Deps,
    seller: Who,
    body: PublishBody,
    response: Response,
    idempotency_key: Annotated[str, Header(max_length=200, description="The same key again: the same listing.")] = "",
    if_match: IfMatch = "",
) -> Listing:
    """Publish a draft. Given fields are edits; publishing the same draft again gives the same listing."""
    key, version = idempotency_key or f"draft:{body.draft_id}", _version(if_match)
    fields = body.model_dump(include={"title", "description", "category", "price"}, exclude_none=True)
    edits = {**body.facts, **{name: field_text(value) or "" for name, value in fields.items()}}
    listing = services.publisher.edit_and_publish(seller.id, body.draft_id, edits, key=key, version=version)
    return _say_version(services, seller.id, listing, response)


@v1.get("/listings", tags=["listings"])
def my_listings(
    services: Deps,
    seller: Who,
    q: Annotated[str, Query(max_length=300, description="Words to look for.")] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> ListingPage:
    """The seller's own listings: newest first, or the best matches for words first."""
    return ListingPage(listings=services.listings.own(seller.id, text=q, limit=limit))


@v1.post("/listings/search", tags=["listings"])
async def search_listings(
    services: Deps,
    seller: Who,
    photo: Annotated[UploadFile | None, File(description="A photo of the item.")] = None,
    q: Annotated[str, Form(max_length=300, description="Words to look for.")] = "",
    limit: Annotated[int, Form(ge=1, le=500)] = 20,
) -> ListingPage:
    """The seller's own listings by words, by a photo, or by both."""
    data = await photo.read() if photo is not None else b""

    def look() -> list[Listing]:
        clean = intake([data])[0] if photo is not None else None
        return services.listings.own(seller.id, text=q, photo=clean, limit=limit)

    return ListingPage(listings=await run_in_threadpool(look))


@v1.get(
    "/listings/export",
    tags=["listings"],
    response_class=Response,
    responses={200: {"description": "A file.", "content": {"text/csv": {}, "application/json": {}}}},
)
def export_listings(
    request: Request,
    services: Deps,
    seller: Who,
    form: Annotated[exports.FormName, Query(description="Whose columns.")],
    kind: Annotated[Literal["csv", "json"], Query(alias="as", description="Rows as CSV or as JSON.")] = "csv",
    listing: Annotated[str, Query(max_length=64, description="Only this one.")] = "",
) -> Response:
    """The seller's listings on sale, with a price, as a file for another marketplace."""
    if listing:
        listings = [services.listings.get(seller.id, listing)]
    else:
        listings = services.listings.own(seller.id, limit=exports.MOST)
    base = str(request.base_url)
    named = {"Content-Disposition": f'attachment; filename="listings-{form}.{kind}"'}
    if kind == "json":
        return JSONResponse(exports.rows(form, listings, base), headers=named)
    return Response(exports.as_csv(form, listings, base), media_type="text/csv; charset=utf-8", headers=named)


@v1.get("/listings/{listing_id}", tags=["listings"])
def get_listing(services: Deps, seller: Who, listing_id: Id, response: Response) -> Listing:
    """One of the seller's listings."""
    listing, version = services.listings.versioned(seller.id, listing_id)
    response.headers.update(etag(version))
    return listing


@v1.patch("/listings/{listing_id}", tags=["listings"])
def change_listing(
    services: Deps, seller: Who, listing_id: Id, body: ListingChanges, response: Response, if_match: IfMatch = ""
) -> Listing:
    """Change a listing; with `If-Match` only if nothing has changed since it was read."""
    version = _version(if_match)
    listing = services.publisher.change(seller.id, listing_id, body.changes(), version=version)
    return _say_version(services, seller.id, listing, response)


@v1.post("/listings/{listing_id}/photos", status_code=201, tags=["listings"])
async def add_listing_photos(
    services: Deps,
    seller: Who,
    listing_id: Id,
    photos: Annotated[list[UploadFile], File(description="More photos of the same item.")],
) -> Listing:
    """Add photos at the end: all of them or none. The words stay as they are."""
    await run_in_threadpool(services.listing_photos.check_room, seller.id, listing_id, len(photos))
    clean = await _taken_in(photos)
    return await run_in_threadpool(services.listing_photos.add, seller.id, listing_id, clean)


@v1.put("/listings/{listing_id}/photos", tags=["listings"])
def set_listing_photos(services: Deps, seller: Who, listing_id: Id, body: PhotosBody) -> Listing:
    """Put the photos in another order; those left out are deleted at once, row and file. One has to stay."""
    return services.listing_photos.arrange(seller.id, listing_id, body.photos)


@v1.delete("/listings/{listing_id}", status_code=204, tags=["listings"])
def delete_listing(services: Deps, seller: Who, listing_id: Id) -> None:
    """Delete a listing with its photos, vectors and draft history."""
    services.publisher.delete(seller.id, listing_id)


@v1.get(
    "/photos/{photo_id}",
    tags=["photos"],
    response_class=FileResponse,
    responses={200: {"description": "The photo.", "content": {"image/jpeg": {}}}},
)
def get_photo(services: Deps, seller: Who, photo_id: Id) -> FileResponse:
    """A photo of one's own, or of a public listing."""
    path = services.listings.photo_file(seller.id, photo_id)
    return FileResponse(path, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})


@health.get("/healthz", tags=["health"])
def healthz() -> Health:
    """Whether the process answers."""
    return Health(status="ok")


@health.get("/readyz", tags=["health"], responses={503: ERRORS[503]})
def readyz(services: Deps) -> Health:
    """Whether drafts can be written and published: the store answers."""
    services.store.check()
    return Health(status="ok")


@health.get("/metrics", tags=["health"], response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(services: Deps) -> Response:
    """Counts for Prometheus."""
    from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

    return Response(generate_latest(services.metrics.registry), media_type=CONTENT_TYPE_LATEST)


@health.get("/docs", include_in_schema=False)
def docs(request: Request) -> HTMLResponse:
    """This API, readable."""
    return HTMLResponse(api_page.render(request.app.openapi()))
