"""The words of the seller's page: no jargon, one table each."""

from __future__ import annotations

import re
from typing import NamedTuple

from app.editing.evidence_places import VISUAL, is_gone
from app.views import DraftState, DraftView
from listing.intake.photos import PhotoLimits
from listing.schema import AttributeValue, Evidence, PriceRange
from listing.taxonomy import load_taxonomy


class Mark(NamedTuple):
    """Mark of a fact: the sign, the class of its colour, the words that say the same."""

    sign: str
    tone: str
    words: str


WRITE, WRITE_AGAIN = "Write my listing", "Write it again from the photos"
YOU = Mark("●", "yes", "you told us")
READ = Mark("●", "yes", "read on the label")
FROM_PHOTO = Mark("●", "yes", "seen in your photo")
MARKS = {
    "unsupported": Mark("◐", "guess", "guess: please check"),
    "contradicted": Mark("✕", "no", "does not match your photo"),
    "unknown": Mark("○", "open", "not known"),
}
IN_PHOTO = {READ: "read in", FROM_PHOTO: "seen in", MARKS["contradicted"]: "does not match"}
GONE = "a photo that is no longer here"
DROPPED = Mark("○", "open", "left out by you")
TONES = {"plain": "Plain", "shorter": "Shorter", "warmer": "Warmer"}
STAGES = {  # place, the word of the step, and the sentence while it is under way
    "photos": (0, "Photos", "Looking at your photos"),
    "category": (1, "What it is", "Working out what it is"),
    "similar": (2, "Similar items", "Looking at similar items"),
    "facts": (3, "Facts", "Collecting the facts"),
    "reading": (4, "Labels", "Reading labels"),
    "text": (5, "Text", "Writing the text"),
    "checks": (6, "Checks", "Checking every word"),
}
PROBLEM_TITLES = {
    "stopped": "Stopped",
    "interrupted": "Stopped",
    "too_slow": "This took too long",
}
NOT_WRITTEN = "The listing could not be written"
STATUSES = {
    "active": "For sale",
    "reserved": "Reserved",
    "sold": "Sold",
    "removed": "Hidden",
    "draft": "Draft",
    "review": "Waiting for a person",
    "refused": "Refused",
}
DRAFT_STATES = {
    "ready": "Ready to check and publish",
    "queued": "Being written",
    "working": "Being written",
    "uploading": "Not written yet",
    "stopped": "Stopped; write it again when you like",
    "failed": "Could not be written; try again",
}
EXPORTS = (  # form, name, what is left to do there
    ("ebay", "eBay", "fill in category, location, dispatch time and returns before you upload it"),
    ("google", "Google Merchant", "the links work where this server can be reached"),
    ("facebook", "Facebook catalogue", "the links work where this server can be reached"),
)
HAND_OVER = "Sold: hand it over"
ORDERS = {
    "open": HAND_OVER,
    "completed": "Handed over",
    "cancelled": "The sale was cancelled",
    "refunded": "Refunded",
}
ON_LABELS = ("size", "brand", "material")
ORDINALS = ("next", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
SLOW_SECONDS = 45.0
SLOW = "You can leave this page open and do something else. Nothing is lost, and you can stop at any time."


def mark(fact: AttributeValue) -> Mark:
    """The mark of a fact: by its status, and for a supported one by the strongest evidence."""
    if fact.status != "supported":
        return DROPPED if fact.locked and fact.status == "unknown" else MARKS[fact.status]
    sources = {e.source for e in fact.evidence}
    if "seller" in sources:
        return YOU
    return READ if "ocr" in sources else FROM_PHOTO


def reason(fact: AttributeValue) -> str:
    """The words under a fact's value; read text is quoted."""
    fact_mark = mark(fact)
    visual = [e for e in fact.evidence if e.source in VISUAL]
    if fact_mark in IN_PHOTO and visual and all(is_gone(e) for e in visual):
        return f"{IN_PHOTO[fact_mark]} {GONE}"
    read = next((e.text for e in fact.evidence if e.source == "ocr" and e.text), None)
    return f"{fact_mark.words}: “{read}”" if fact_mark is READ and read else fact_mark.words


def label_tip(view: DraftView) -> str:
    """Tip with the facts that a photo of the label would settle; empty once one was read, or where none can be."""
    read = any(e.source == "ocr" for fact in view.attributes for e in fact.evidence)
    on_it = ON_LABELS if _has_care_label(view) else ("brand",)
    open_ = [attribute_label(f.name).lower() for f in view.attributes if f.name in on_it and f.value is None]
    if view.state != DraftState.READY or read or not open_ or len(view.photos) >= PhotoLimits().count:
        return ""
    named = " and ".join([", ".join(open_[:-1]), open_[-1]] if open_[1:] else open_)
    return f"A photo of the label would settle {named}."


def say_more_example(view: DraftView) -> str:
    """An example of what a seller may add about such an item."""
    return "zip, hood, size M" if "Clothing" in _path(view) else "set of 2, made of wood"


def _has_care_label(view: DraftView) -> bool:
    """True if size and fibres of such an item stand on a label that is sewn in; of what nobody has named, too."""
    return not _path(view) or bool({"Clothing", "Accessories", "Textiles"} & set(_path(view)))


def _path(view: DraftView) -> tuple[str, ...]:
    category = view.category.value if view.category is not None else None
    return load_taxonomy().node(category).path if category else ()


def attribute_label(name: str) -> str:
    """The attribute's name as a person says it."""
    attribute = load_taxonomy().attributes.get(name)
    return sentence(attribute.label if attribute else name.replace("_", " "))


def claim_label(kind: str) -> str:
    """Label of what a claim is about: an attribute, ``category`` or ``detail``."""
    return {"category": "What it is", "detail": "Detail"}.get(kind) or attribute_label(kind)


def claim_value(kind: str, value: str) -> str:
    """A value that a claim may have, as a text would say it."""
    return load_taxonomy().node(value).phrase if kind == "category" else value_label(value)


def value_label(value: str) -> str:
    """A value in a seller's words."""
    labels = (a.value_labels.get(value) for a in load_taxonomy().attributes.values())
    return next((label for label in labels if label), value)


def category_label(name: str) -> str:
    """The category's name as a person says it."""
    return sentence(load_taxonomy().node(name).phrase)


def sentence(words: str) -> str:
    """The first letter in upper case, the rest as it is."""
    return words[:1].upper() + words[1:]


def proof_words(evidence: Evidence, contradicted: bool) -> tuple[str, str]:
    """A title and a line below it for one piece of evidence."""
    gone = is_gone(evidence)
    photo = GONE if gone else "your photo"
    where = "" if evidence.photo is None else f"Photo {evidence.photo + 1}"
    if evidence.source == "ocr":
        if not evidence.text:
            return f"Read in {photo}", where
        return f"Read: “{evidence.text}”", f"In {GONE}" if gone else where
    if evidence.source == "seller":
        return "You told us", evidence.text or ""
    if evidence.source == "neighbours":
        count = len(evidence.listing_ids)
        say = counted(count, "similar listing says", "similar listings say") if count else "Similar listings say"
        return f"{say} so", "A hint only. It never becomes a fact without you or your photos."
    if contradicted:
        return f"{sentence(photo)} {'showed' if gone else 'shows'} something else", where
    if evidence.source == "pixels":
        return f"Colour measured in {photo}", " · ".join(part for part in (where, evidence.text) if part)
    return f"Seen in {photo}", where


def colour_code(evidence: Evidence) -> str | None:
    """A hex colour in the text of pixel evidence, for a swatch; nothing else gets into a style."""
    match = re.search(r"#[0-9a-fA-F]{6}\b", evidence.text or "") if evidence.source == "pixels" else None
    return match.group() if match else None


def how_sure(fact: AttributeValue) -> str:
    """The calibrated probability as a frequency; nothing for the seller's words or an unknown fact."""
    if fact.confidence is None or fact.locked or fact.status == "unknown":
        return ""
    times = min(99, round(fact.confidence * 100))  # nothing that was only seen or read is certain
    return f"Where we are this sure, we are right about {times} times in 100."


def counted(number: int, one: str, many: str = "") -> str:
    """A number with what is counted, in the plural but for 1; ``many``: that, where it is more than an s."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def duration(seconds: float | None) -> str:
    """The time left, rounded so that it does not flicker."""
    if seconds is None:
        return ""
    if seconds < 5:
        return "a few seconds left"
    if seconds < 55:
        return f"about {round(seconds / 5) * 5} s left"
    minutes = max(1, round(seconds / 60))
    return f"about {minutes} min left"


def draft_title(view: DraftView) -> str:
    """The title of an unfinished draft among others."""
    return view.title or view.note[:60] or "No title yet"


def stage_sentence(view: DraftView) -> str:
    """The sentence while a draft is written."""
    return STAGES[view.stage or "photos"][2] if (view.stage or "photos") in STAGES else "Working"


def place_in_line(position: int) -> str:
    """``position`` counts the drafts before this one."""
    return f"You are {ORDINALS[position] if position < len(ORDINALS) else f'number {position + 1}'} in line"


SCOPES = {
    "category and brand": "of the same kind and brand",
    "category": "of the same kind",
    "group": "of related kinds, as too few of the same kind have a price",
}


def price_basis(price: PriceRange) -> str:
    """How many listings a price range rests on, how near they are to the item, and how old."""
    count = price.count or len(price.basis)
    similar = SCOPES.get(price.scope or "", "that are similar")
    age = ""
    if price.oldest is not None and price.newest is not None:
        first, last = (f"{day:%B %Y}" for day in (price.oldest, price.newest))
        age = f" Listed in {last}." if first == last else f" Listed from {first} to {last}."
    return f"From {counted(count, 'listing')} {similar}.{age}"


def price_note(price: PriceRange | None, retrieval: bool) -> str:
    """The words below the price: where the range comes from, or why there is none."""
    if price is not None:
        return price_basis(price)
    if retrieval:
        return "Fewer than three similar items have a price, too few to suggest one. Set your own."
    return "Past listings are switched off, so there is nothing to compare with. Set your own price."


def usual_price(price: PriceRange) -> str:
    """The range in words."""
    if price.low == price.high:
        return f"{money(price.mid, price.currency)} is usual"
    return f"{amount_text(price.low)} – {money(price.high, price.currency)} is usual"


def money(amount: float | None, currency: str) -> str:
    """12 EUR, 12.50 EUR; nothing without an amount."""
    if amount is None:
        return ""
    return f"{amount:.0f} {currency}" if amount == int(amount) else f"{amount:.2f} {currency}"


def amount_text(amount: float | None) -> str:
    """The number alone, as it stands in a field."""
    return money(amount, "").strip()
