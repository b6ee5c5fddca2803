"""A seller's session as the page's blocks: each method renders one block from a template."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from app.accounts.sellers import Seller
from app.market import exports
from app.market.messages import count_buyers_news, count_news
from app.seller import words
from app.seller.draft_part import draft_html, render
from app.seller.pictures import file_url
from app.seller.session import BUSY, Notice, SellerSession
from app.services import Services
from app.store.search_index import NoIndex
from app.views import AppError, DraftView, field_text, field_version, listing_facts
from listing.intake.photos import PhotoLimits
from listing.schema import Listing, PhotoRef
from listing.taxonomy import load_taxonomy

MAX_ORDERS = 5  # of one listing on the page; the next ones follow when these are handed over
MAX_QUESTIONS = 10


@dataclass(frozen=True)
class PageRenderer:
    """Renders a session as the HTML of the page's blocks."""

    services: Services
    sign_out: str | None = None

    def blocks(self, session: SellerSession, seller: Seller, *, whole: bool) -> dict[str, str]:
        """HTML of the blocks by name; not whole: of those alone that a draft changes while it is written."""
        status = self.status(session)
        blocks = {
            "status": status if session.page == "sell" else "",
            "notices": status if session.page == "mine" else "",
            "draft": self.draft(session, seller.id),
            "frame": render("frame", session=session, words=words),
        }
        if whole:
            blocks |= {"top": self.top(session, seller.id, seller.name), "photos": self.photos(session)}
            blocks["find"] = render("find", text=session.find_text)
            if session.page == "mine":
                blocks["mine"] = self.mine(session, seller.id)
        return blocks

    def top(self, session: SellerSession, seller: str, name: str) -> str:
        return render(
            "top",
            page=session.page,
            count=len(self.services.listings.own(seller)),
            news=count_news(self.services.store, seller),
            answers=count_buyers_news(self.services.store, seller),
            who=name,
            sign_out=self.sign_out,
            offer=self._offer(session, seller),
        )

    def _offer(self, session: SellerSession, seller: str) -> dict[str, Any] | None:
        """The draft that this page may go on with: the latest one, while the page is empty."""
        if session.page != "sell" or session.view is not None or session.published is not None:
            return None
        latest = self.services.drafts.unfinished(seller, limit=1)
        return self._draft_card(latest[0]) if latest and latest[0].draft_id not in session.declined else None

    def _draft_card(self, view: DraftView) -> dict[str, Any]:
        return {
            "id": view.draft_id,
            "title": view.title or view.note[:60] or "No title yet",
            "state": words.DRAFT_STATES[view.state],
            "url": self._picture(view.photos),
        }

    def photos(self, session: SellerSession) -> str:
        first = session.shots[0].ref.id if session.shots else ""
        room = len(session.shots) < PhotoLimits().count and first not in session.covers
        return render(
            "photos",
            session=session,
            max_photos=PhotoLimits().count,
            plain=first if room else "",
            ready=session.view is not None and not session.busy and not session.unwritten,
            kept=first if first in session.covers else "",
            problem=next((notice for notice in session.notices if notice.at == "cover"), None),
        )

    def status(self, session: SellerSession) -> str:
        view = session.view
        work = self._work(view, session.runs) if view is not None and view.state in BUSY else None
        notices = [n for n in session.notices if not n.at or not session.shows_field(n.at)]
        notices += self._notices(session, slow=work is not None and work["slow"])
        spoken = work["title"] if work else "Your draft is ready to check." if view and view.state == "ready" else ""
        return render("status", work=work, spoken=spoken, notices=notices)

    @staticmethod
    def _notices(session: SellerSession, *, slow: bool) -> Iterator[Notice]:
        """Notices about the draft as it is, beside those of the last press."""
        problem = session.view.problem if session.view is not None else None
        if session.view is not None and problem is not None:
            kind = "warn" if session.view.state == "stopped" else "bad"
            yield Notice(kind, words.PROBLEM_TITLES.get(problem.code, words.NOT_WRITTEN), problem.message)
        if slow:
            yield Notice("warn", "This computer needs a little longer", words.SLOW)
        if session.new_photos:
            many = "The new photos have" if session.new_photos > 1 else "The new photo has"
            text = f"{many} not been looked at yet. Your changes stay."
            yield Notice("note", "Added", text, again="Look at them" if session.new_photos > 1 else "Look at it")

    @staticmethod
    def _work(view: DraftView, run: int) -> dict[str, Any]:
        at = list(words.STAGES).index(view.stage) if view.stage in words.STAGES else -1
        waiting = view.state == "queued" and view.position > 0
        _, stage = words.STAGES.get(view.stage or "photos", ("", "Working"))
        steps = (
            (word, "done" if n < at else "now" if n == at else "next")
            for n, (word, _) in enumerate(words.STAGES.values())
        )
        return {
            "id": f"run{run}",
            "title": words.place_in_line(view.position) if waiting else stage,
            "left": words.duration(view.seconds_left),
            "percent": 0 if waiting else max(3, round(view.share * 100)),
            "steps": [] if waiting else list(steps),
            "slow": (view.seconds_left or 0.0) > words.SLOW_SECONDS,
        }

    def draft(self, session: SellerSession, seller: str) -> str:
        view = session.view
        if session.published is not None:
            return render("published", **self._card(session.published))
        if view is None or not session.shows_draft:
            return render("empty")
        comparables = [
            self._card(x) for x in self.services.listings.comparables(view.price.basis if view.price else [])
        ]
        return draft_html(
            view,
            [card for card in comparables if card["price"]],
            retrieval=not isinstance(self.services.index, NoIndex),
            session=session,
            same_as=self.services.listings.same_as(seller, view.photos) if view.state == "ready" else (),
        )

    def mine(self, session: SellerSession, seller: str) -> str:
        photo, text = session.find_photo.photo() if session.find_photo is not None else None, session.find_text.strip()
        listings = self.services.listings.own(seller, text=text, photo=photo)
        searched = bool(text) or photo is not None
        count = f"{len(listings)} listing{'' if len(listings) == 1 else 's'}"
        by = "with this photo" if photo is not None else f"with “{text}”"
        cards = self._with_orders(listings, seller)
        waiting = [] if searched else [card for card in cards if card["waiting"]]
        waiting.sort(key=lambda card: not card["orders"])  # what was sold comes first
        return render(
            "mine",
            words=words,
            waiting=waiting,
            items=[card for card in cards if card not in waiting],
            drafts=[] if searched else [self._draft_card(view) for view in self.services.drafts.unfinished(seller)],
            summary=f"{count} found {by}" if searched else count if listings else "",
            searched=searched,
            conflicts=session.conflicts,
            errors=defaultdict(lambda: None, {notice.at: notice for notice in session.notices}),
            max_photos=PhotoLimits().count,
            max_orders=MAX_ORDERS,
            exported=len(exports.on_sale(listings)),
        )

    def _with_orders(self, listings: Sequence[Listing], seller: str) -> list[dict[str, Any]]:
        """Cards with what waits to be handed over, read or answered, and whether it may be put on sale again."""
        orders: dict[str, list[Any]] = defaultdict(list)
        unread = self.services.messages.unread(seller)
        for order in self.services.orders.waiting(seller, also=list(unread)):
            orders[order.listing_id].append((order, unread.get(order.id, 0)))
        bought = self.services.orders.bought([x.id for x in listings if x.stock == 0])
        questions = self.services.messages.of_listings([x.id for x in listings])
        cards = []
        for listing in listings:
            asked = questions.get(listing.id, [])[:MAX_QUESTIONS]
            card = {**self._card(listing), "orders": orders[listing.id], "questions": asked}
            card["again"] = listing.status not in ("active", "review", "refused") and listing.id not in bought
            card["waiting"] = bool(orders[listing.id]) or any(question.answer is None for question in asked)
            cards.append(card)
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
    """Facts that an item of this category may have, as fields of a form."""
    taxonomy = load_taxonomy()
    values = listing_facts(listing)
    here = taxonomy.schema_of(taxonomy.node(listing.category))
    choices = {attribute.name: attribute.seller_choices for attribute in here}
    return [
        {
            "name": name,
            "label": words.attribute_label(name),
            "value": words.value_label(values.get(name, "")),
            "version": field_version(values.get(name)),
            "choices": [words.value_label(choice) for choice in choices.get(name, ())],
        }
        for name in dict.fromkeys((*choices, *values))
    ]
