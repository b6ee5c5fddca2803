"""Listings and posts as plain values for the templates, in a buyer's words."""

from __future__ import annotations

from typing import Any

from app.market.messages import Line, Message
from app.market.orders import Order
from app.market.posts import PostView
from app.seller import words
from app.views import listing_facts
from listing.schema import Listing, PhotoRef

STATES = {**words.STATUSES, "removed": "Not on sale"}
SMALL, LARGE = 480, 960  # longest sides (px) of the scaled photos
GONE = "A listing that is gone"
# Of an order, as its buyer reads it: the pill; and what it means for either side.
BOUGHT = {
    "open": "Waiting for the seller",
    "completed": "Handed over",
    "cancelled": "Cancelled",
    "refunded": "Refunded",
}
MEANINGS = {
    "open": {
        "buyer": "The seller sees your order and hands it over; IPL takes no payment.",
        "seller": "Agree with the buyer how it changes hands; press “Handed over” when it has.",
    },
    "completed": {"buyer": "The seller says that it was handed over.", "seller": "You handed it over."},
    "cancelled": {"buyer": "The sale is off.", "seller": "The sale is off."},
    "refunded": {
        "buyer": "The seller took the order back; what you paid comes back from the seller.",
        "seller": "You took the order back. “Sell again” under My listings puts it back on sale.",
    },
}
EVENTS = {  # what the reader, or the other side, did
    "completed": ("You handed it over.", "The {} handed it over."),
    "cancelled": ("You cancelled the sale.", "The {} cancelled the sale."),
    "refunded": ("You took the order back.", "The {} took the order back."),
}
_OFFERS = "https://schema.org/"
_NEW = ("new with tag", "new without tag", "new")
_PRODUCT = {"brand": "brand", "colour": "color", "size": "size", "material": "material", "barcode": "gtin"}


def is_on_sale(listing: Listing) -> bool:
    """True where it can be bought."""
    return listing.status == "active" and listing.stock > 0


def price(listing: Listing) -> str:
    """The price, as people say it."""
    if listing.price is None:
        return "No price yet"
    return words.money(listing.price, listing.currency) if listing.price else "Free"


def photo(listing: Listing, place: int, side: int = 0) -> dict[str, Any]:
    """Address and size of a photo (``place`` from 0) whose longest side has at most ``side`` px (0: as it is kept).

    The address changes with the photo, so that browsers may keep it.
    """
    ref = listing.photos[place]
    width, height = scaled_size(ref, side)
    scale = f"w={side}&" if side else ""
    url = f"/l/{listing.id}/photos/{place + 1}?{scale}v={ref.phash}"
    return {"url": url, "width": width, "height": height}


def scaled_size(ref: PhotoRef, side: int) -> tuple[int, int]:
    """Width and height of a photo of which the longest side has at most ``side`` px."""
    factor = min(1.0, side / max(ref.width, ref.height)) if side else 1.0
    return max(1, round(ref.width * factor)), max(1, round(ref.height * factor))


def card(listing: Listing, reason: str = "") -> dict[str, Any]:
    """A listing in the feed."""
    values = listing_facts(listing)
    facts = [values[name] for name in ("size", "condition_grade") if values.get(name)]
    return {
        "id": listing.id,
        "kind": "listing",
        "title": listing.title,
        "price": price(listing),
        "facts": " · ".join(words.value_label(fact) for fact in facts),
        "photo": photo(listing, 0, SMALL) if listing.photos else None,
        "label": "Sold" if not is_on_sale(listing) else "Promoted" if reason == "ad" else "",
    }


def post_card(post: PostView) -> dict[str, Any]:
    """A post in the feed."""
    width, height = scaled_size(post.photo, SMALL)
    image = {"url": f"/feed/posts/{post.id}?v={post.photo.phash}", "width": width, "height": height}
    return {"id": post.id, "kind": "post", "title": post.title, "text": post.text, "photo": image, "label": "Guide"}


def whole(listing: Listing, *, is_seller: bool) -> dict[str, Any]:
    """A listing on its own page."""
    facts = listing_facts(listing)
    sold_out = listing.status == "active" and listing.stock == 0
    places = range(len(listing.photos))
    return {
        "id": listing.id,
        "title": listing.title,
        "description": listing.description,
        "price": price(listing),
        "amount": "" if listing.price is None else f"{listing.price:.2f}",
        "currency": listing.currency,
        "category": words.category_label(listing.category),
        "state": "Sold" if sold_out else STATES[listing.status],
        "on_sale": is_on_sale(listing),
        "hidden": is_seller and listing.status in ("removed", "draft", "review", "refused"),
        "facts": [(words.attribute_label(name), words.value_label(value)) for name, value in facts.items()],
        "photos": [
            {**photo(listing, n, LARGE), "small": photo(listing, n, SMALL), "full": photo(listing, n)} for n in places
        ],
    }


def question(message: Message, sender: str) -> dict[str, Any]:
    """A question with its answer."""
    asked, answered = (f"{at:%-d %B %Y}" if at else "" for at in (message.at, message.answered_at))
    asked_it = message.sender == sender
    return {"text": message.text, "answer": message.answer, "own": asked_it, "at": asked, "answered_at": answered}


def order_card(order: Order, listing: Listing | None, unread: int = 0) -> dict[str, Any]:
    """An order as the side reads it that has it. ``listing``: None once it is not public any more."""
    says = MEANINGS[order.state][order.role]
    if order.state == "cancelled" and listing is not None and is_on_sale(listing):
        says += " It is on sale again."
    return {
        "id": order.id,
        "title": order.title or GONE,
        "gone": order.title is None,
        "price": words.money(order.amount, order.currency),
        "state": order.state,
        "pill": (BOUGHT if order.role == "buyer" else words.ORDERS)[order.state],
        "says": says,
        "role": order.role,
        "other": order.other,
        "bought": f"{order.at:%-d %B %Y}",
        "new": unread,
        "url": f"/l/{listing.id}" if listing is not None else "",
        "photo": photo(listing, 0, SMALL) if listing is not None and listing.photos else None,
    }


def line(said: Line, order: Order) -> dict[str, Any]:
    """A line of the conversation about an order."""
    mine = said.sender == order.role
    did, they_did = EVENTS.get(said.text, ("", "")) if said.kind == "event" else ("", "")
    return {
        "event": did if mine else they_did.format(said.sender),
        "text": said.text,
        "mine": mine,
        "by": "You" if mine else f"The {said.sender}",
        "at": f"{said.at:%-d %B %Y, %H:%M} UTC",
        "new": said.new,
    }


def product(listing: Listing, base: str) -> dict[str, Any]:
    """The listing in the terms of schema.org. ``base``: this server's address, without a slash at its end."""
    condition = listing_facts(listing).get("condition_grade")
    facts = {name: listing.attributes[key] for key, name in _PRODUCT.items() if key in listing.attributes}
    brand = {"brand": {"@type": "Brand", "name": facts.pop("brand")}} if "brand" in facts else {}
    offer = {
        "@type": "Offer",
        "url": f"{base}/l/{listing.id}",
        "price": f"{listing.price:.2f}" if listing.price is not None else None,
        "priceCurrency": listing.currency,
        "availability": _OFFERS + ("InStock" if is_on_sale(listing) else "SoldOut"),
        "itemCondition": _OFFERS + ("NewCondition" if condition in _NEW else "UsedCondition"),
    }
    return {
        "@context": "https://schema.org",
        "@type": "Product",
        "name": listing.title,
        "description": listing.description,
        "category": words.category_label(listing.category),
        "image": [base + photo(listing, n)["url"] for n in range(len(listing.photos))],
        **brand,
        **facts,
        **({"offers": offer} if listing.price is not None else {}),
    }
