"""A draft is written: for the first time, or again under the same id with the photos and the note of now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from app.drafting import draft_run
from app.drafting.draft_photos import photo_files
from app.editing import edits
from app.services import Services
from app.store import draft_repo
from app.views import AppError, DraftView
from listing.intake.photos import Photo, PhotoLimits
from listing.request import TONES, DraftRequest, Tone
from listing.taxonomy import load_taxonomy


def start_draft(
    services: Services,
    seller: str,
    photos: Sequence[Photo],
    note: str = "",
    *,
    tone: Tone = "plain",
    category: str | None = None,
) -> draft_run.Writing:
    """Write a draft: ``DraftView``s with the positions in the waiting line, then every event, last one that has ended.

    A view comes at least every half second, so that a clock can tick. Closing the iterator (a lost connection) stops
    the work; the draft then is ``stopped``. The photos are stored before the first view.

    Raises:
        AppError: no photos, too many, a note that is too long, or a full waiting line (code ``busy``, status 429).
    """
    most = PhotoLimits().count
    if not 1 <= len(photos) <= most:
        raise AppError("photo_count", f"A draft needs 1 to {most} photos; there are {len(photos)}.", 422)
    note = edits.clean_text(note, services.settings.note_length, "The note", lines=True)
    category = category_name(category) if category else None
    request = DraftRequest(
        photos=tuple(photos),
        note=note,
        seller_id=seller,
        category=category,
        tone=_tone(tone),
    )
    draft_id = draft_repo.new_id()
    refs = tuple(photo.ref for photo in photos)
    first = DraftView(draft_id, "queued", photos=refs, note=note, tone=tone, currency=services.settings.currency)
    # The place in the line comes first: whoever is refused leaves nothing behind.
    run = draft_run.write(services, request, first, seller)
    try:
        with photo_files(services, photos), services.store.write() as session:
            row = draft_repo.add_draft(session, draft_id, seller, refs, note=note, tone=tone)
            if category:
                draft_repo.add_edit(session, row, edits.Edit("set", "category", category))
    except BaseException:
        run.close()
        raise
    return run


def regenerate(
    services: Services,
    seller: str,
    draft_id: str,
    *,
    tone: Tone | None = None,
    category: str | None = None,
    note: str | None = None,
) -> draft_run.Writing:
    """Write a draft again, in the waiting line like ``start_draft``; what the seller touched stays.

    With the same category and photos the facts are kept and only the text is written again; another category, or a
    photo that came or went, looks again. ``note``: the words of now; None keeps those that are there.
    """
    return _again(services, seller, draft_id, tone, category, note, look=False)


def write_again(
    services: Services,
    seller: str,
    draft_id: str,
    *,
    note: str | None = None,
    tone: Tone | None = None,
    category: str | None = None,
) -> draft_run.Writing:
    """Write a draft again from its photos as they are now, be it ready, stopped or failed; see ``regenerate``.

    Raises:
        AppError: it has no photos, the note is too long (422), it is published or being written (409), the waiting line
            is full (429), somebody else's (404).
    """
    return _again(services, seller, draft_id, tone, category, note, look=True)


def _again(
    services: Services,
    seller: str,
    draft_id: str,
    tone: Tone | None,
    category: str | None,
    note: str | None,
    *,
    look: bool,
) -> draft_run.Writing:
    """Write a draft again; ``look``: at the photos, though nothing else asks for it."""
    with services.store.read() as session:
        row = draft_repo.own_draft(session, seller, draft_id)
        draft_repo.check_at_rest(row)
        seen = draft_repo.view(session, row, services.settings.currency)
        written = draft_repo.generated(row)
        made = draft_repo.edits_of(session, draft_id)
    if not seen.photos:
        raise AppError("photo_count", "A draft needs a photo to be written from; add one.", 422)
    tone, category = _tone(tone or seen.tone), category_name(category) if category else None
    if note is not None:
        note = edits.clean_text(note, services.settings.note_length, "The note", lines=True)
    else:
        note = seen.note
    services.queue.check(seller)  # decoding photos for nothing would slow those down who have a place
    other = category is not None and (seen.category is None or category != seen.category.value)
    came_or_went = written is None or {p.id for p in written.photos} != {p.id for p in seen.photos}
    request = DraftRequest(
        photos=tuple(_stored(services, seen)),
        note=note,
        seller_id=seller,
        category=category or made.values.get("category"),
        facts=made.facts,
        title=made.values.get("title"),
        description=made.values.get("description"),
        tone=tone,
        known=None if look or other or came_or_went else seen.draft,
    )
    run = draft_run.write(services, request, _blank(seen, request), seller)
    try:
        with services.store.write() as session:
            row = draft_repo.own_draft(session, seller, draft_id, lock=True)
            draft_repo.check_at_rest(row)
            if draft_repo.photos_of(session, draft=draft_id) != list(seen.photos):
                raise AppError("changed", "The photos of this draft were changed just now; try again.", 409)
            draft_repo.start_again(session, row, note=note, tone=tone)
            if category is not None:
                draft_repo.add_edit(session, row, edits.Edit("set", "category", category))
    except BaseException:
        run.leave()
        raise
    return run


def _blank(seen: DraftView, request: DraftRequest) -> DraftView:
    """The first view of a draft that is written again: without what comes anew, with what its seller set."""
    view = DraftView(
        seen.draft_id,
        "queued",
        photos=seen.photos,
        note=request.note,
        tone=request.tone,
        title=request.title or "",
        description=request.description or "",
        asked=seen.asked,
        currency=seen.currency,
        locked=seen.locked,
    )
    if request.known is None:
        return view
    return replace(view, category=seen.category, attributes=seen.attributes, questions=seen.questions)


def category_name(value: str) -> str:
    """The category of that name. Raises AppError (422) when there is none."""
    node = load_taxonomy().find(value)
    if node is None:
        raise AppError("bad_category", f"There is no category {value[:60]!r}; choose one of the list.", 422)
    return node.name


def _tone(tone: str) -> Tone:
    found = next((t for t in TONES if t == tone), None)
    if found is None:
        raise AppError("bad_tone", f"The tone has to be one of {', '.join(TONES)}.", 422)
    return found


def _stored(services: Services, seen: DraftView) -> Iterator[Photo]:
    """The draft's photos from the media folder; they went through intake when they came."""
    from PIL import Image

    for number, ref in enumerate(seen.photos, 1):
        path = services.media.path(ref.id)
        try:
            jpeg = path.read_bytes()
        except FileNotFoundError:
            raise AppError("photo_gone", "A photo of this draft is gone; start again with your photos.", 410) from None
        with Image.open(path) as opened:
            yield Photo(ref=ref, image=opened.convert("RGB"), jpeg=jpeg, name=f"photo {number}")
