"""One open page of a seller: its photos, draft, notices, and what is to be remembered between presses."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Literal

from app.editing.evidence_places import moved_facts
from app.seller.pictures import Shot
from app.store.media import Media
from app.views import WRITING, DraftState, DraftView
from listing.schema import Listing

_numbers = count(1)


@dataclass(frozen=True)
class Notice:
    """A message with a look: ``good``, ``warn``, ``bad`` or ``note``.

    ``typed``: what the person typed and is not saved. ``at``: the field that it is about, where it is displayed.
    """

    kind: str
    title: str
    words: str
    typed: str = ""
    at: str = ""
    number: int = field(default_factory=lambda: next(_numbers), compare=False)

    @property
    def mark(self) -> str:
        return {"good": "✓", "warn": "◐", "bad": "!", "note": "+"}[self.kind]


@dataclass(frozen=True)
class Undo:
    """Fields that were just left out, or added, as they are called, and the draft before and after."""

    names: Collection[str]
    label: str
    before: DraftView
    after: DraftView
    added: bool = False

    @property
    def words(self) -> str:
        return f"“{self.label}” is {'in the text' if self.added else 'left out'}."


@dataclass(frozen=True)
class SavedField:
    """A field as a tab saved it last: over which version, that one's text, and the version that this gave."""

    base: str
    typed: str
    text: str
    after: str


@dataclass(eq=False)
class SellerSession:
    """State of one page of one person between presses. It holds no rights: each press says anew who is asking."""

    page: Literal["sell", "mine"] = "sell"
    shots: list[Shot] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)  # titles and reasons of photos that were not added
    view: DraftView | None = None
    published: Listing | None = None
    notices: list[Notice] = field(default_factory=list)
    conflicts: int = 0  # how often something was not saved
    runs: int = 0  # how often the draft was written
    visits: int = 0  # how often an address was opened: the browser's is then set to what the page shows
    statements: int = 0  # how often what was typed beside the texts came to be in them
    undo: Undo | None = None
    asks: bool = False  # Publish was pressed, and waits for a word on what nobody confirmed
    cover: Shot | None = None  # a plain picture that is being looked at
    covers: set[str] = field(default_factory=set)  # photos that are such pictures: there is nothing new to see on them
    declined: set[str] = field(default_factory=set)  # drafts that this page has offered to go on with
    saved: dict[tuple[str, str], SavedField] = field(default_factory=dict)  # by draft and field
    adding_to: str = ""  # the published listing whose further photos are being chosen
    find_text: str = ""
    find_photo: Shot | None = None
    sent: dict[str, str] = field(default_factory=dict)  # what the browser was sent last, by block
    note: str | None = None  # what the field of the note is to hold; None leaves what is typed there
    typed_note: str = ""  # what was typed there before there was a draft
    waits: str = ""  # why the draft is not being written yet, though that was pressed; it begins by itself
    writer: threading.Thread | None = None  # writes the draft, if this page asked for it

    @property
    def busy(self) -> bool:
        return self.view is not None and self.view.state in WRITING

    @property
    def moves(self) -> bool:
        """True where something comes by itself: the draft is written, or will be once there is room."""
        return self.busy or bool(self.waits)

    @property
    def writes(self) -> bool:
        """True while this page's thread writes."""
        return self.writer is not None and self.writer.is_alive()

    @property
    def unwritten(self) -> bool:
        """True where there are photos of which nobody has asked for a listing yet."""
        return self.view is not None and self.view.state == DraftState.UPLOADING

    @property
    def shows_draft(self) -> bool:
        """True where there is anything of a draft to look at."""
        view = self.view
        return view is not None and (self.busy or view.state == DraftState.READY or view.category is not None)

    def shows_field(self, at: str) -> bool:
        """True where there is a place for a notice about this field."""
        return self.page == "mine" or (self.published is None and self.shows_draft)

    @property
    def address(self) -> str:
        """The address of what the page shows, for a bookmark and a reload."""
        if self.page == "mine":
            return "/?show=listings"
        return f"/?draft={self.view.draft_id}" if self.view is not None else "/"

    @property
    def new_photos(self) -> int:
        """Number of photos that the draft was not written from."""
        if self.view is None or self.view.state != DraftState.READY or self.published is not None:
            return 0
        return len({photo.id for photo in self.view.photos} - self.view.written_from - self.covers)

    def notify(self, kind: str, title: str, text: str, at: str = "") -> None:
        """Show one more notice; ``at``: below which field."""
        self.notices.append(Notice(kind, title, text, at=at))

    def start_over(self) -> None:
        """An empty page, for the next listing."""
        self.page, self.shots, self.refused, self.view, self.published = "sell", [], [], None, None
        self.undo = self.cover = None
        self.waits, self.note, self.typed_note = "", "", ""

    def show(self, view: DraftView, media: Media) -> None:
        """Show the draft with exactly its photos, in their order."""
        before, shots = self.view, {shot.ref.id: shot for shot in self.shots}
        if view.draft is None and before is not None:  # what had arrived before it was stopped stays
            facts = moved_facts(before.attributes, before.photos, view.photos)
            view = replace(before, photos=view.photos, attributes=facts)
        self.shots = [shots.get(ref.id) or Shot.stored(ref, media.path(ref.id)) for ref in view.photos]
        self.view = view
