"""Presses before anything is written: photos, their order and cover, the note. All of it is stored at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from app.seller.fields import Press, number
from app.seller.listed_actions import ListedActions
from app.seller.pictures import Shot, read_photos
from app.views import AppError, DraftView
from listing.intake.photos import intake


class PhotoActions(ListedActions):
    """The presses on the photos of the draft on the page, and on its note."""

    def add_photos(self, files: Sequence[str | Path]) -> None:
        """Photos through intake, each judged alone; what is too many or unreadable is named with its reason.

        They are stored with their draft at once; the first ones begin it, with what was typed as its note.
        """
        self.session.notices.clear()
        paths = [Path(file) for file in files]
        try:
            with self._noticed("adding photos"):
                if self.session.busy:
                    message = "The listing is being written right now; add photos once it is done."
                    raise AppError("running", message, 409)
                fresh, self.session.refused = read_photos(paths, [shot.ref for shot in self.session.shots])
                if self.session.view is None and fresh:
                    self._show(self.services.draft_photos.begin(self.seller, fresh))
                    self.keep_note(self.session.typed_note)
                elif fresh:
                    self._show(self.services.draft_photos.add(self.seller, self._draft(), fresh))
        finally:
            for path in paths:
                path.unlink(missing_ok=True)

    def keep_note(self, typed: str) -> None:
        """The field of the note was left: what stands there is the draft's note."""
        self.session.typed_note = typed
        with self._noticed("the note"):
            if self.session.view is not None and self.session.published is None and not self.session.busy:
                note = self.services.drafts.note(self.seller, self._draft(), typed)
                self.session.view = replace(self.session.view, note=note)

    def _draft(self) -> str:
        if self.session.view is None or self.session.published is not None:
            message = "There is no draft on this page any more; look under My listings, or start a new one."
            raise AppError("not_found", message, 404)
        return self.session.view.draft_id

    def _show(self, view: DraftView) -> None:
        self.session.show(view, self.services.media)

    def do_photo_remove(self, data: Press) -> None:
        draft = self._draft()
        self._show(self.services.draft_photos.remove(self.seller, draft, str(data.get("photo"))))
        self.session.refused = []
        if self.session.unwritten and not self.session.shots:  # nothing is left of it; the note stays where it is typed
            self.services.drafts.abandon(self.seller, draft)
            self.session.view = None

    def do_photo_move(self, data: Press) -> None:
        photo, to = str(data.get("photo")), number(data, "to")
        self._show(self.services.draft_photos.move(self.seller, self._draft(), photo, to))

    def do_cover(self, data: Press) -> None:
        """A photo's item on a plain background, to look at."""
        jpeg = self.services.covers.of(self.seller, self._draft(), str(data.get("photo")))
        self.session.cover = Shot.of(intake([jpeg])[0])

    def do_cover_keep(self, data: Press) -> None:
        """The plain picture is the first photo now; the seller's own stay behind it."""
        shot, draft = self.session.cover, self._draft()
        if shot is not None:
            self.services.draft_photos.add(self.seller, draft, [shot.photo()])
            self.session.covers.add(shot.ref.id)
            self.session.cover = None
            self._show(self.services.draft_photos.move(self.seller, draft, shot.ref.id, 0))

    def do_cover_drop(self, data: Press) -> None:
        self.session.cover = None
