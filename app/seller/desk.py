"""One open page: what its seller has on the table, and how that is painted."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Literal

from app.editing.evidence_places import moved_facts
from app.market import exports
from app.market.news import count_news
from app.seller import words
from app.seller.draft_part import BUSY, draft_html, render
from app.seller.pictures import Shot, file_url
from app.services import Services
from app.store.media import Media
from app.store.search_index import NoIndex
from app.views import AppError, DraftView, field_text, field_version
from listing.intake.photos import PhotoLimits
from listing.schema import Listing, PhotoRef
from listing.taxonomy import load_taxonomy

Page = Literal["sell", "mine"]
MAX_ORDERS = 5  # of one listing on the page; the next ones follow when these are handed over
MAX_QUESTIONS = 10


_numbers = count(1)


@dataclass(frozen=True)
class Notice:
    """A message with a look: ``good``, ``warn``, ``bad`` or ``note``.

    ``typed``: what the person typed and is not saved. ``at``: the field that it is about, where it is shown.
    ``again``: the words of a button that writes the draft again.
    """

    kind: str
    title: str
    words: str
    typed: str = ""
    at: str = ""
    again: str = ""
    number: int = field(default_factory=lambda: next(_numbers), compare=False)

    @property
    def mark(self) -> str:
        return {"good": "✓", "warn": "◐", "bad": "!", "note": "+"}[self.kind]


@dataclass(frozen=True)
class Undo:
    """Fields that were just left out, or added, as they are said, and the draft before and after."""

    names: tuple[str, ...]
    said: str
    before: DraftView
    after: DraftView
    added: bool = False

    @property
    def words(self) -> str:
        return f"“{self.said}” is {'in the text' if self.added else 'left out'}."


@dataclass(frozen=True)
class Kept:
    """What a tab saved last of a field: over which version, that one's text, and the version that this gave."""

    shown: str
    typed: str
    text: str
    after: str


class Desk:
    """What a page remembers between presses. It holds no rights: each press says anew who is asking.

    It belongs to the first seller who uses it; for another one on the same page there is an empty one (``of``).
    """

    def __init__(self) -> None:
        self.owner = ""
        self._others: dict[str, Desk] = {}
        self.page: Page = "sell"
        self.shots: list[Shot] = []
        self.refused: list[tuple[str, str]] = []  # titles and reasons of photos that were not added
        self.view: DraftView | None = None
        self.published: Listing | None = None
        self.notices: list[Notice] = []
        self.conflicts = self.runs = 0  # how often something was not saved, and how often the draft was written
        self.visits = 0  # how often an address was opened: the browser's is then set to what the page shows
        self.told = 0  # how often what was typed beside the texts came to be in them
        self.undo: Undo | None = None
        self.cover: Shot | None = None  # a plain picture that is being looked at
        self.covers: set[str] = set()  # photos that are such pictures: there is nothing new to see on them
        self.declined: set[str] = set()  # drafts that this page has offered to go on with
        self.kept: dict[tuple[str, str], Kept] = {}  # by draft and field
        self.adding_to = ""  # the published listing whose further photos are being chosen
        self.find_text = ""
        self.find_photo: Shot | None = None
        self.sent: dict[str, str | None] = {}  # what the browser was sent last, by block
        self.painted = 0  # the number of the last painting
        self.note: str | None = None  # what the field of the note is to hold; None leaves what is typed there
        self.typed_note = ""  # what was typed there before there was a draft
        self.writer: threading.Thread | None = None  # writes the draft, if this page asked for it
        self.lock = threading.RLock()

    def __deepcopy__(self, memo: dict[int, Any]) -> Desk:
        """A fresh page starts empty; the lock cannot be copied."""
        return Desk()

    def of(self, seller: str) -> Desk:
        """This desk, if it is the seller's (id) or nobody's yet; else one of their own."""
        with self.lock:
            self.owner = self.owner or seller
            return self if self.owner == seller else self._others.setdefault(seller, Desk())

    @property
    def busy(self) -> bool:
        return self.view is not None and self.view.state in BUSY

    @property
    def writes(self) -> bool:
        """Whether this page's own thread writes."""
        return self.writer is not None and self.writer.is_alive()

    @property
    def unwritten(self) -> bool:
        """Whether there are photos of which nobody has asked for a listing yet."""
        return self.view is not None and self.view.state == "stopped" and self.view.problem is None

    @property
    def shows_draft(self) -> bool:
        """Whether there is anything of a draft to look at."""
        view = self.view
        return view is not None and (view.state in (*BUSY, "ready") or view.category is not None)

    def shows_field(self, at: str) -> bool:
        """Whether there is a place for a notice about this field."""
        return self.page == "mine" or (self.published is None and self.shows_draft)

    @property
    def address(self) -> str:
        """The address of what the page shows, for a bookmark and a reload."""
        if self.page == "mine":
            return "/?show=listings"
        return f"/?draft={self.view.draft_id}" if self.view is not None else "/"

    @property
    def unseen(self) -> int:
        """How many photos the draft was not written from."""
        if self.view is None or self.view.state != "ready" or self.published is not None:
            return 0
        return len({photo.id for photo in self.view.photos} - self.view.written_from - self.covers)

    def notify(self, kind: str, title: str, text: str, at: str = "") -> None:
        """Show one more notice; ``at``: below which field."""
        self.notices.append(Notice(kind, title, text, at=at))

    def start_over(self) -> None:
        """An empty desk, for the next listing."""
        self.page, self.shots, self.refused, self.view, self.published = "sell", [], [], None, None
        self.undo = self.cover = None
        self.note, self.typed_note = "", ""

    def show(self, view: DraftView, media: Media) -> None:
        """Show the draft with exactly its photos, in their order."""
        before, known = self.view, {shot.ref.id: shot for shot in self.shots}
        if view.draft is None and before is not None:  # what had arrived before it was stopped stays
            facts = moved_facts(before.attributes, before.photos, view.photos)
            view = replace(before, photos=view.photos, attributes=facts)
        self.shots = [known.get(ref.id) or Shot.stored(ref, media.path(ref.id)) for ref in view.photos]
        self.view = view


@dataclass(frozen=True)
class Painter:
    """Paints a desk as values for the page's blocks."""

    services: Services
    sign_out: str | None = None

    def top(self, desk: Desk, seller: str, name: str) -> str:
        return render(
            "top",
            page=desk.page,
            count=len(self.services.listings.own(seller)),
            news=count_news(self.services.store, seller),
            who=name,
            sign_out=self.sign_out,
            offer=self._offer(desk, seller),
        )

    def _offer(self, desk: Desk, seller: str) -> dict[str, Any] | None:
        """The draft that this page may go on with: the latest one, while nothing is on the desk."""
        if desk.page != "sell" or desk.view is not None or desk.published is not None:
            return None
        latest = self.services.drafts.unfinished(seller, limit=1)
        return self._draft_card(latest[0]) if latest and latest[0].draft_id not in desk.declined else None

    def _draft_card(self, view: DraftView) -> dict[str, Any]:
        return {
            "id": view.draft_id,
            "title": view.title or view.note[:60] or "No title yet",
            "state": words.DRAFT_STATES[view.state],
            "url": self._picture(view.photos),
        }

    @staticmethod
    def frame(desk: Desk) -> str:
        """Which page stands there, how far its listing is (the stylesheet reads both), and the button that writes."""
        again = desk.view is not None and desk.shows_draft
        looks = [look for look, on in (("done", desk.published is not None), ("drafted", again)) if on]
        ready, label = bool(desk.shots) and not desk.busy, words.WRITE_AGAIN if again else words.WRITE
        return render("frame", desk=desk, looks=" ".join(looks), again=again, ready=ready, label=label)

    def photos(self, desk: Desk) -> str:
        shots = [{"id": s.ref.id, "url": s.url} for s in desk.shots]
        first = shots[0]["id"] if shots else ""
        room = len(shots) < PhotoLimits().count and first not in desk.covers
        return render(
            "photos",
            photos=shots,
            refused=desk.refused,
            most=PhotoLimits().count,
            cover=desk.cover.url if desk.cover is not None else "",
            plain=first if room else "",
            ready=desk.view is not None and not desk.busy and not desk.unwritten,
            kept=first if first in desk.covers else "",
            problem=next((notice for notice in desk.notices if notice.at == "cover"), None),
        )

    def status(self, desk: Desk) -> str:
        view = desk.view
        notices = [n for n in desk.notices if not n.at or not desk.shows_field(n.at)]
        if view is not None and view.problem is not None:
            kind = "warn" if view.state == "stopped" else "bad"
            title = words.PROBLEM_TITLES.get(view.problem.code, "The listing could not be written")
            notices.append(Notice(kind, title, view.problem.message))
        work = self._work(view, desk.runs) if view is not None and view.state in BUSY else None
        if work is not None and work["slow"]:
            notices.append(Notice("warn", "This computer needs a little longer", words.SLOW))
        if desk.unseen:
            many = "The new photos have" if desk.unseen > 1 else "The new photo has"
            text = f"{many} not been looked at yet. Your changes stay."
            notices.append(Notice("note", "Added", text, again="Look at them" if desk.unseen > 1 else "Look at it"))
        spoken = work["title"] if work else "Your draft is ready to check." if view and view.state == "ready" else ""
        return render("status", work=work, spoken=spoken, notices=notices)

    def _work(self, view: DraftView, run: int) -> dict[str, Any]:
        names = list(words.STAGES)
        at = names.index(view.stage) if view.stage in names else -1
        waiting = view.state == "queued" and view.position > 0
        states = ["done" if n < at else "now" if n == at else "next" for n in range(len(names))]
        steps = [{"words": words.STAGES[n], "state": s} for n, s in zip(names, states, strict=True)]
        stage = words.STAGE_TITLES.get(view.stage or "photos", "Working")
        return {
            "id": f"run{run}",
            "title": words.place_in_line(view.position) if waiting else stage,
            "left": words.duration(view.seconds_left),
            "percent": 0 if waiting else max(3, round(view.share * 100)),
            "steps": [] if waiting else steps,
            "slow": (view.seconds_left or 0.0) > words.SLOW_SECONDS,
        }

    def draft(self, desk: Desk, seller: str) -> str:
        if desk.published is not None:
            return self._published(desk.published)
        if desk.view is None or not desk.shows_draft:
            return render("empty")
        basis = desk.view.price.basis if desk.view.price is not None else []
        same = [self._card(x) for x in self.services.listings.comparables(basis)]
        retrieval = not isinstance(self.services.index, NoIndex)
        return draft_html(
            desk.view,
            [c for c in same if c["price"]],
            retrieval,
            errors={notice.at: notice for notice in desk.notices},
            undo=desk.undo.words if desk.undo is not None else "",
            conflicts=desk.conflicts,
            told=desk.told,
        )

    def _published(self, listing: Listing) -> str:
        return render("published", **self._card(listing))

    def mine(self, desk: Desk, seller: str) -> str:
        photo, text = desk.find_photo.photo() if desk.find_photo is not None else None, desk.find_text.strip()
        listings = self.services.listings.own(seller, text=text, photo=photo)
        searched = bool(text) or photo is not None
        count = f"{len(listings)} listing{'' if len(listings) == 1 else 's'}"
        by = "with this photo" if photo is not None else f"with “{text}”"
        cards = self._with_orders(listings, seller)
        waiting = [] if searched else [card for card in cards if card["waiting"]]
        waiting.sort(key=lambda card: not card["orders"])  # what was sold comes first
        return render(
            "mine",
            waiting=waiting,
            items=[card for card in cards if card not in waiting],
            drafts=[] if searched else [self._draft_card(view) for view in self.services.drafts.unfinished(seller)],
            summary=f"{count} found {by}" if searched else count if listings else "",
            searched=searched,
            hand_over=words.HAND_OVER,
            conflicts=desk.conflicts,
            errors=defaultdict(lambda: None, {notice.at: notice for notice in desk.notices}),
            most=PhotoLimits().count,
            exports=words.EXPORTS,
            exported=len(exports.on_sale(listings)),
        )

    def _with_orders(self, listings: Sequence[Listing], seller: str) -> list[dict[str, Any]]:
        """Cards with what waits to be handed over or answered, and whether the item may be put on sale again."""
        waiting: dict[str, list[dict[str, str]]] = {}
        for order in self.services.orders.waiting(seller):
            amount = words.money(order.amount, order.currency)
            waiting.setdefault(order.listing_id, []).append({"id": order.id, "amount": amount})
        bought = self.services.orders.bought([x.id for x in listings if x.stock == 0])
        questions = self.services.messages.of_listings([x.id for x in listings])
        cards = []
        for listing in listings:
            orders = waiting.get(listing.id, [])
            again = listing.status not in ("active", "review", "refused") and listing.id not in bought
            more = len(orders) > MAX_ORDERS
            asked = questions.get(listing.id, [])[:MAX_QUESTIONS]
            waits = bool(orders) or any(question.answer is None for question in asked)
            card = {**self._card(listing), "orders": orders[:MAX_ORDERS], "more": more, "again": again}
            cards.append({**card, "questions": asked, "waiting": waits})
        return cards

    def _card(self, listing: Listing) -> dict[str, Any]:
        return {
            **listing.model_dump(include={"id", "title", "description", "currency", "status", "review"}),
            "price": words.money(listing.price, listing.currency),
            "amount": words.amount_text(listing.price),
            "versions": {f: field_version(field_text(getattr(listing, f))) for f in ("title", "description", "price")},
            "state": words.STATUSES[listing.status],
            "photos": [photo.id for photo in listing.photos],
            "facts": _facts(listing),
            "copy": exports.as_text(listing),
            "url": self._picture(listing.photos),
        }

    def _picture(self, photos: Sequence[PhotoRef]) -> str | None:
        """The cover."""
        if not photos:
            return None
        try:
            return file_url(self.services.media.path(photos[0].id))
        except (AppError, OSError):
            return None


def _facts(listing: Listing) -> list[dict[str, Any]]:
    """What may be said of a thing of this category, as fields of a form."""
    taxonomy = load_taxonomy()
    known = {**listing.attributes, **({"condition_grade": listing.condition} if listing.condition else {})}
    here = taxonomy.schema_of(taxonomy.node(listing.category))
    choices = {attribute.name: attribute.seller_choices for attribute in here}
    return [
        {
            "name": name,
            "label": words.attribute_label(name),
            "value": words.value_label(known.get(name, "")),
            "version": field_version(known.get(name)),
            "choices": [words.value_label(choice) for choice in choices.get(name, ())],
        }
        for name in dict.fromkeys((*choices, *known))
    ]
