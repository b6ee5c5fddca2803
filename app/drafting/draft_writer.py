"""A draft is written: for the first time, or again under the same id with the photos and the note of now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from app.drafting.draft_photos import MAX_PHOTOS, DraftPhotos
from app.drafting.draft_run import DraftRun, DraftRunner
from app.editing import edits
from app.store import draft_repo
from app.store.db import Store
from app.store.media import Media
from app.views import AppError, DraftState, DraftView
from listing.intake.photos import Photo, decoded
from listing.observe.seller import Edit
from listing.request import DraftRequest
from listing.schema import Tone


class DraftWriter:
    """Starts the writing of drafts; both methods answer with the run, an iterator of views."""

    def __init__(self, store: Store, media: Media, photos: DraftPhotos, runner: DraftRunner, currency: str) -> None:
        self.store, self.media, self.photos, self.runner, self.currency = store, media, photos, runner, currency

    def start(
        self, seller: str, photos: Sequence[Photo], note: str = "", *, tone: Tone = "plain", category: str | None = None
    ) -> DraftRun:
        """Write a draft: ``DraftView``s with the positions in the waiting line, every event, last one that has ended.

        A view comes at least every half second, so that a clock can tick. Closing the iterator (a lost connection)
        stops the work; the draft then is ``stopped``. The photos are stored before the first view.
        """
        if not 1 <= len(photos) <= MAX_PHOTOS:
            raise AppError("photo_count", f"A draft needs 1 to {MAX_PHOTOS} photos; there are {len(photos)}.", 422)
        along = edits.name_along(category, None)
        note, category = edits.clean_note(note), edits.category_name(category) if category else None
        request = DraftRequest(photos=tuple(photos), note=note, seller_id=seller, category=category, tone=tone)
        draft_id = draft_repo.new_id()
        refs = tuple(photo.ref for photo in photos)
        first = DraftView(draft_id, DraftState.QUEUED, photos=refs, note=note, tone=tone, currency=self.currency)
        # The place in the line comes first: whoever is refused leaves nothing behind.
        run = self.runner.start(request, first, seller)
        try:
            with self.photos.files(photos), self.store.write() as session:
                row = draft_repo.add_draft(session, draft_id, seller, photos, note=note, tone=tone)
                if category:
                    draft_repo.add_edit(session, row, Edit("set", "category", category))
                if along is not None:
                    draft_repo.add_edit(session, row, along)
        except BaseException:
            run.close()
            raise
        return run

    def write_again(
        self,
        seller: str,
        draft_id: str,
        *,
        note: str | None = None,
        tone: Tone | None = None,
        category: str | None = None,
        from_photos: bool = True,
    ) -> DraftRun:
        """Write a draft again from its photos as they are now, ready or not; what the seller set stays.

        Args:
            note: the words of now; None keeps those that are there.
            from_photos: False keeps the facts and writes only the text, unless another category is asked for, or a
                photo came or went.

        Raises:
            AppError: it has no photos, the note is too long (422), it is published or being written (409), the waiting
                line is full (429), somebody else's (404).
        """
        with self.store.read() as session:
            row = draft_repo.draft_of_seller(session, seller, draft_id)
            draft_repo.check_at_rest(row)
            view = draft_repo.view(session, row, self.currency)
            written, word = draft_repo.generated(row), draft_repo.word_on(session, draft_id)
        if not view.photos:
            raise AppError("photo_count", "Add a photo first; the draft is written from the photos.", 422)
        along = edits.name_along(category, view) if category else None
        tone, category = tone or view.tone, edits.category_name(category) if category else None
        note = view.note if note is None else edits.clean_note(note)
        self.runner.queue.check(seller)  # decoding photos for nothing would slow those down who have a place
        other = category is not None and (view.category is None or category != view.category.value)
        same_photos = written is not None and {p.id for p in written.photos} == {p.id for p in view.photos}
        request = DraftRequest(
            photos=tuple(self._stored(view)),
            note=note,
            seller_id=seller,
            category=category or word.values.get("category"),
            facts=word.facts if along is None else _renamed(word.facts, along),
            title=word.values.get("title"),
            description=word.values.get("description"),
            tone=tone,
            earlier_draft=view.draft if same_photos and not (from_photos or other) else None,
            again=True,
        )
        run = self.runner.start(request, _blank(view, request), seller)
        try:
            self._note_start(seller, view, request, category, along)
        except BaseException:
            run.leave()
            raise
        return run

    def _note_start(
        self, seller: str, view: DraftView, request: DraftRequest, category: str | None, along: Edit | None
    ) -> None:
        """Mark the draft as waiting, unless its photos are not those of the view any more (AppError 409)."""
        with self.store.write() as session:
            row = draft_repo.draft_of_seller(session, seller, view.draft_id, lock=True)
            draft_repo.check_at_rest(row)
            if draft_repo.photos_of(session, draft=view.draft_id) != list(view.photos):
                raise AppError("changed", "The photos of this draft were changed just now; try again.", 409)
            draft_repo.start_again(session, row, note=request.note, tone=request.tone)
            if category is not None:
                draft_repo.add_edit(session, row, Edit("set", "category", category))
            if along is not None:
                draft_repo.add_edit(session, row, along)
            draft_repo.settle(session, row, self.runner.rules)

    def _stored(self, view: DraftView) -> Iterator[Photo]:
        """The draft's photos from the media folder; they went through intake when they came."""
        for number, ref in enumerate(view.photos, 1):
            try:
                jpeg = self.media.path(ref.id).read_bytes()
            except FileNotFoundError:
                message = "A photo of this draft is gone; start again with your photos."
                raise AppError("photo_gone", message, 410) from None
            yield decoded(ref, jpeg, f"photo {number}")


def _renamed(facts: Mapping[str, str], along: Edit) -> dict[str, str]:
    """The seller's facts with the item's name as an edit leaves it."""
    named = {along.field: along.value} if along.value is not None else {}
    return {**{name: value for name, value in facts.items() if name != along.field}, **named}


def _blank(view: DraftView, request: DraftRequest) -> DraftView:
    """The first view of a draft that is written again: without what comes anew, with what its seller set."""
    first = DraftView(
        view.draft_id,
        DraftState.QUEUED,
        photos=view.photos,
        note=request.note,
        tone=request.tone,
        title=request.title or "",
        description=request.description or "",
        asked=view.asked,
        currency=view.currency,
        locked=view.locked,
    )
    if request.earlier_draft is None:
        return first
    return replace(first, category=view.category, attributes=view.attributes, questions=view.questions)
