"""Presses on the page of one draft: what is called NAME there is done by ``do_NAME``. No page library here."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from contextvars import copy_context
from dataclasses import replace
from pathlib import Path

from app.drafting.draft_run import DraftRun
from app.seller.fields import FACT, Press, Pressed, number
from app.seller.listed_actions import ListedActions
from app.seller.pictures import Shot, read_photos
from app.views import INTERRUPTED, WRITING, AppError, Busy, DraftState, DraftView
from listing.decide.claims import NAME, to_check
from listing.intake.photos import intake
from listing.request import TONES

PAUSE_SECONDS = 1.0  # between two tries to begin while the line has no room
# Presses that change the texts, so that what is being typed in them is saved first, or nothing is done.
TEXT_FIRST = ("fact", "fact_drop", "fact_unlock", "answer", "add", "undo", "all_right")


class Actions(ListedActions):
    """Does what one seller presses on one page; what cannot be done becomes a notice of one sentence."""

    def press(self, data: Press) -> None:
        """Do what was pressed."""
        name = str(data.get("do"))
        # A field that is left takes away what its notice says, and not what is said of another one.
        left = str(data.get("field")) if name in ("text", "price") else ""
        self.session.notices[:] = [n for n in self.session.notices if left and n.at not in ("", left)]
        if name not in ("text", "price", "undo"):
            self.session.undo, self.session.asks = None, self.session.asks and name == "fact_drop"
        action = getattr(self, f"do_{name}", None)
        if action is not None:
            with self._noticed(f"the press {name!r}", at=self._about(data)):
                if name not in TEXT_FIRST or self.keep_typed(data):
                    action(Pressed(data))

    def _about(self, data: Press) -> str:
        """The fact or question on the page that was pressed; empty for anything else."""
        view, fact = self.session.view, data.get("name")
        if view is None or data.get("do") not in ("fact", "answer", "fact_drop"):
            return ""
        displayed = {a.name for a in view.attributes} | {q.attribute for q in view.questions}
        return f"{FACT}{fact}" if fact in displayed else ""

    # Which draft is on the page.

    def enter(self, query: Mapping[str, str]) -> None:
        """A page is opened at an address with this query, or is still open there after the server was started again."""
        self.press({"do": "visit", "draft": query.get("draft"), "show": query.get("show")})
        self.look()

    def do_go(self, data: Press) -> None:
        self.session.page = "mine" if data.get("to") == "mine" else "sell"

    def do_visit(self, data: Press) -> None:
        """An address is opened, or reached by back and forward: the listings, a draft or an empty page."""
        draft, view = str(data.get("draft") or ""), self.session.view
        self.session.page = "mine" if data.get("show") == "listings" else "sell"
        self.session.visits += 1
        if self.session.page == "mine" or draft == (view.draft_id if view is not None else ""):
            return
        self._not_busy()
        if self.session.published is None and not self.keep_typed(data):
            raise AppError("typed", "What you typed could not be saved; look at it before you leave.", 409)
        if view is not None:
            self.session.start_over()
        try:
            if draft:
                self.do_open({"id": draft})
        except AppError as error:
            self.session.page = "mine" if error.code == "published" else "sell"
            raise

    def do_open(self, data: Press) -> None:
        """Go on with an unfinished draft."""
        self._not_busy()
        view = self.services.drafts.get(self.seller, str(data["id"]))
        if view.state == DraftState.PUBLISHED:
            raise AppError("published", "It is published already; you find it under My listings.", 409)
        self.session.start_over()
        self._show(view)
        self.session.note = view.note

    def do_later(self, data: Press) -> None:
        """The offered draft stays under My listings."""
        self.session.declined.add(str(data["id"]))

    def do_again(self, data: Press) -> None:
        self.session.start_over()

    def _show(self, view: DraftView) -> None:
        self.session.show(view, self.services.media)

    # Photos and the note, which are stored at once.

    def add_photos(self, files: Sequence[str | Path] | None) -> None:
        """Photos through intake, each judged alone; what is too many or unreadable is named with its reason.

        They are stored with their draft at once; the first ones begin it, with what was typed as its note.
        """
        with self._chosen("adding photos", files) as paths:
            self._not_busy()
            fresh, self.session.refused = read_photos(paths, [shot.ref for shot in self.session.shots])
            if self.session.view is None and fresh:
                self._show(self.services.draft_photos.begin(self.seller, fresh))
                self.keep_note(self.session.typed_note)
            elif fresh:
                self._show(self.services.draft_photos.add(self.seller, self._draft(), fresh))

    def keep_note(self, typed: str) -> None:
        """The field of the note was left: what stands there is the draft's note."""
        self.session.typed_note = typed
        with self._noticed("the note"):
            if self.session.view is not None and self.session.published is None and not self.session.busy:
                note = self.services.drafts.note(self.seller, self._draft(), typed)
                self.session.view = replace(self.session.view, note=note)

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
        """The plain picture is the first photo now; the seller's photos stay behind it."""
        shot, draft, photos = self.session.cover, self._draft(), self.services.draft_photos
        if shot is not None:
            photos.add(self.seller, draft, [shot.photo()])
            self.session.covers.add(shot.ref.id)
            self.session.cover = None
            self._show(photos.move(self.seller, draft, shot.ref.id, 0))

    def do_cover_drop(self, data: Press) -> None:
        self.session.cover = None

    # The listing is written, in a thread, whoever looks on.

    def do_write(self, data: Press) -> None:
        """Begin to write the listing, or to write it again (another tone or category)."""
        if self.session.busy:
            return
        self.session.notices.clear()
        self.session.refused, self.session.waits = [], ""
        if not self._saved_first(data):
            return
        before = self.session.view
        self.session.runs += 1
        run = self._begin(data)
        if run is not None or self.session.waits:
            args = (self._write_on, data, run, before, self.session.runs)
            self.session.writer = threading.Thread(target=copy_context().run, args=args, daemon=True)
            self.session.writer.start()

    do_tone = do_category = do_write

    def _begin(self, data: Press) -> DraftRun | None:
        """The writing, which has begun; None where the line has no room (``waits``), or nothing is to be written."""
        run, waits, before = None, "", self.session.view
        with self._noticed("a draft"):
            try:
                run = self._run(data)
            except Busy as error:
                waits = str(error)
            if run is not None:
                self._seen(run.view, before)
        self.session.waits = waits
        return run

    def _write_on(self, data: Press, run: DraftRun | None, before: DraftView | None, number: int) -> None:
        """In the thread: wait for room, unless another press writes, stops or leaves the draft; then write."""
        while run is None:
            time.sleep(PAUSE_SECONDS)
            if not self.session.waits or self.session.runs != number or self.session.view is None:
                return
            before = self.session.view
            run = self._begin({**data, "note": before.note})
        with self._noticed("a draft"):
            for view in run:
                self._seen(view, before)
            return
        self.session.view = before

    def _seen(self, view: DraftView, before: DraftView | None) -> None:
        """The page shows what is new of the draft; ``before``: as it stood when this was begun."""
        if before is None:
            self.session.view = view
        elif before.state == DraftState.READY and view.problem is not None:
            # A rewrite that ends without a draft leaves the earlier one standing.
            self.session.view = self.services.drafts.get(self.seller, before.draft_id)
            self.session.notify("warn", "Your earlier text is still here", view.problem.message)
        elif view.state in WRITING and before.draft_id == view.draft_id:
            # Until its new words come, the earlier text stands where it stood.
            title, text = view.title or before.title, view.description or before.description
            self.session.view = replace(view, title=title, description=text)
        else:
            self.session.view = view

    def do_stop(self, data: Press) -> None:
        self.session.waits = ""
        self.services.drafts.stop(self.seller, self._draft())

    def look(self) -> None:
        """Show what is new of the draft that is being written, here, for another page, or by a server that ended."""
        view = self.session.view
        if view is not None and self.session.busy and not self.session.writes:
            self.session.view = view = self.services.drafts.get(self.seller, view.draft_id)
        if view is not None and view.problem is not None and view.problem.code == INTERRUPTED:
            self.do_write({"do": "write", "note": view.note})

    def _saved_first(self, data: Press) -> bool:
        """True once what still stands typed is saved; else a notice says why nothing is written."""
        if self.session.view is None or self.session.view.state != DraftState.READY:
            return True
        with self._noticed("a draft"):
            try:
                if not self.keep_typed(data):
                    return False
                self.do_add({"more": data.get("more")})
            except AppError as error:
                if error.code != "not_found":
                    raise
                return True  # deleted elsewhere: there will be another draft, and what was typed stands in a notice
        return not self.session.notices

    def _run(self, data: Press) -> DraftRun | None:
        do, category, note = data.get("do"), data.get("value"), str(data.get("note") or "")
        view, again = self.session.view, self.services.draft_writer.write_again
        if do == "category" and not category:
            return None
        if view is not None:
            try:
                if do not in ("tone", "category") or view.state != DraftState.READY:
                    return again(self.seller, view.draft_id, note=note, category=category)
                if category and self._renamed_at_once(view, category):
                    self._edit("category", category)
                    return None
                tone = data.get("tone") if data.get("tone") in TONES else None
                return again(self.seller, view.draft_id, tone=tone, category=category, note=note, from_photos=False)
            except AppError as error:
                if error.code != "not_found":
                    raise
                # It was deleted elsewhere; the photos that are on the screen become a draft of their own.
                self.session.shots = [shot.renamed() for shot in self.session.shots]
        photos = [shot.photo() for shot in self.session.shots]
        return self.services.draft_writer.start(self.seller, photos, note, category=category)

    def _renamed_at_once(self, view: DraftView, category: str) -> bool:
        """True where another category only renames the item: both have the same facts, and the text says it."""
        if view.draft is None:
            return False
        categories = self.services.drafts.rules.of(view.draft).taxonomy.categories
        before, now = categories.get(view.category.value or "") if view.category else None, categories.get(category)
        named = any(s.attribute in ("category", NAME) for s in view.draft.spans)
        return named and before is not None and now is not None and before.attributes == now.attributes

    # The texts, and Publish.

    def do_text(self, data: Press) -> None:
        """A field was left. It may come a moment after the press that left it: then it is kept, and shown later."""
        if self.session.published is None and self._draft():
            field, value, version = str(data["field"]), str(data.get("value") or ""), data.get("version")
            self.keep(self.session.view, field, value, version)

    do_price = do_text

    def do_publish(self, data: Press) -> None:
        if self.session.published is not None:  # pressed twice
            return
        draft, shots = self._draft(), [shot.ref.id for shot in self.session.shots]
        now, view = self.services.drafts.get(self.seller, draft), self.session.view
        same = view is not None and view.version == now.version and [photo.id for photo in now.photos] == shots
        if not self.keep_typed(data) or self.session.view is None:
            return
        if not same and now.state != DraftState.PUBLISHED:  # another page changed words or photos
            self._show(self.services.drafts.get(self.seller, draft))
            raise AppError("changed", "This draft was changed on another page; look at it and publish again.", 409)
        self.do_add({"more": data.get("more")})  # what still stands typed there
        if self.session.notices or not self._confirmed(right=data.get("unconfirmed") == "right"):
            return
        self.session.published = self.services.publisher.publish(
            self.seller, draft, key=f"page-{draft}", version=self.session.view.version
        )
        facts = (a.value for a in self.session.view.attributes)
        self._name_removed([self.session.view.title, self.session.view.description, *facts])

    def _confirmed(self, *, right: bool) -> bool:
        """True once the marked words are right by their seller's word; else asks, so that what is wrong can go."""
        view = self.session.view
        marked = view is not None and bool(to_check(view.draft))
        self.session.asks = marked and not right
        if marked and right:
            self.do_all_right({})
        return not self.session.asks
