"""A seller's session as the page's blocks: each method renders one block from a template."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.accounts.sellers import Seller
from app.market import exports
from app.market.messages import count_buyers_news, count_news
from app.seller import words
from app.seller.draft_part import draft_html, render
from app.seller.pictures import file_url
from app.seller.session import SellerSession
from app.services import Services
from app.store.search_index import NoIndex
from app.views import AppError, DraftState, field_text, field_version, listing_facts
from listing.intake.photos import PhotoLimits
from listing.say.ask import AWAY
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
        empty = session.page == "sell" and session.view is None and session.published is None
        latest = self.services.drafts.unfinished(seller, limit=1) if empty else []
        return render(
            "top",
            words=words,
            page=session.page,
            count=len(self.services.listings.own(seller)),
            news=count_news(self.services.store, seller),
            answers=count_buyers_news(self.services.store, seller),
            who=name,
            sign_out=self.sign_out,
            offers=[view for view in latest if view.draft_id not in session.declined],
            picture=self._picture,
        )

    @staticmethod
    def photos(session: SellerSession) -> str:
        problem = next((notice for notice in session.notices if notice.at == "cover"), None)
        return render("photos", session=session, max_photos=PhotoLimits().count, problem=problem)

    @staticmethod
    def status(session: SellerSession) -> str:
        notices = [n for n in session.notices if not n.at or not session.shows_field(n.at)]
        view = session.view
        away = [f.message for f in view.flags if f.code == AWAY] if view and view.state == DraftState.READY else []
        return render("status", session=session, view=view, words=words, notices=notices, away=away)

    def draft(self, session: SellerSession, seller: str) -> str:
        view = session.view
        if session.published is not None:
            return render("published", listing=session.published, words=words, picture=self._picture)
        if view is None or not session.shows_draft:
            return render("empty")
        comparables = self.services.listings.comparables(view.price.basis if view.price is not None else [])
        return draft_html(
            view,
            [(x, self._picture(x.photos)) for x in comparables if x.price is not None],
            retrieval=not isinstance(self.services.index, NoIndex),
            session=session,
            same_as=self.services.listings.same_as(seller, view.photos) if view.state == DraftState.READY else (),
        )

    def mine(self, session: SellerSession, seller: str) -> str:
        photo, text = session.find_photo.photo() if session.find_photo is not None else None, session.find_text.strip()
        listings = self.services.listings.own(seller, text=text, photo=photo)
        searched = bool(text) or photo is not None
        cards = self._cards(listings, seller)
        waiting = [] if searched else [card for card in cards if card["waiting"]]
        waiting.sort(key=lambda card: not card["orders"])  # what was sold comes first
        return render(
            "mine",
            words=words,
            picture=self._picture,
            facts_of=_facts,
            as_text=exports.as_text,
            version=field_version,
            field_text=field_text,
            waiting=waiting,
            cards=[card for card in cards if card not in waiting],
            drafts=[] if searched else self.services.drafts.unfinished(seller),
            count=len(listings),
            searched=("with this photo" if photo is not None else f"with “{text}”") if searched else "",
            conflicts=session.conflicts,
            errors=defaultdict(lambda: None, {notice.at: notice for notice in session.notices}),
            max_photos=PhotoLimits().count,
            max_orders=MAX_ORDERS,
            exported=len(exports.on_sale(listings)),
        )

    def _cards(self, listings: Sequence[Listing], seller: str) -> list[dict[str, Any]]:
        """Listings with what waits to be handed over, read or answered, and whether they may be put on sale again."""
        orders: dict[str, list[Any]] = defaultdict(list)
        unread = self.services.messages.unread(seller)
        for order in self.services.orders.waiting(seller, also=list(unread)):
            orders[order.listing_id].append((order, unread.get(order.id, 0)))
        bought = self.services.orders.bought([x.id for x in listings if x.stock == 0])
        questions = self.services.messages.of_listings([x.id for x in listings])
        likes, cards = self.services.likes.counts([x.id for x in listings]), []
        for listing in listings:
            asked = questions.get(listing.id, [])[:MAX_QUESTIONS]
            again = listing.status not in ("active", "review", "refused") and listing.id not in bought
            waiting = bool(orders[listing.id]) or any(question.answer is None for question in asked)
            card = {
                "listing": listing,
                "orders": orders[listing.id],
                "questions": asked,
                "likes": likes.get(listing.id),
            }
            cards.append({**card, "again": again, "waiting": waiting})
        return cards

    def _picture(self, photos: Sequence[PhotoRef]) -> str | None:
        """The cover."""
        if not photos:
            return None
        try:
            return file_url(self.services.media.path(photos[0].id))
        except (AppError, OSError):
            return None


def _facts(listing: Listing) -> list[tuple[str, str | None, list[str]]]:
    """Facts that an item of this category may have: name, value and choices of each."""
    taxonomy, values = load_taxonomy(), listing_facts(listing)
    choices = {a.name: list(a.seller_choices) for a in taxonomy.schema_of(taxonomy.node(listing.category))}
    return [(name, values.get(name), choices.get(name, [])) for name in dict.fromkeys((*choices, *values))]
