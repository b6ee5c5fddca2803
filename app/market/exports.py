"""A seller's listings as a file for another marketplace, in that one's columns. Pure functions."""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from app.views import listing_facts
from listing.schema import Listing

FormName = Literal["ebay", "google", "facebook"]
Row = dict[str, str]
USED, MOST = "used", 10_000
_FORMULA = "=+-@\t\r"  # what a spreadsheet would compute instead of showing it


@dataclass(frozen=True)
class Form:
    """Columns of a marketplace's file. ``sellers``: those that the seller fills in; ``source``: its documentation.

    row: of a listing and the address of this server.
    """

    required: tuple[str, ...]
    optional: tuple[str, ...]
    sellers: tuple[str, ...]
    most: dict[str, int]
    source: str
    row: Callable[[Listing, str], Row]


def on_sale(listings: Sequence[Listing]) -> list[Listing]:
    """Those that a marketplace can take: on sale, with a photo and a price."""
    return [x for x in listings if x.status == "active" and x.stock > 0 and x.price and x.photos]


def rows(form: FormName, listings: Sequence[Listing], base: str) -> list[Row]:
    """A row for each listing, every column a text. ``base``: this server's address, with a slash at its end."""
    columns = FORMS[form]
    return [
        {name: _fitting(cells.get(name, ""), columns.most.get(name)) for name in (*columns.required, *columns.optional)}
        for cells in (columns.row(listing, base) for listing in on_sale(listings))
    ]


def as_csv(form: FormName, listings: Sequence[Listing], base: str) -> str:
    """The rows below their column names."""
    columns, text = FORMS[form], io.StringIO()
    writer = csv.DictWriter(text, (*columns.required, *columns.optional))
    writer.writeheader()
    writer.writerows(
        {name: f"'{cell}" if cell.startswith(tuple(_FORMULA)) else cell for name, cell in row.items()}
        for row in rows(form, listings, base)
    )
    return text.getvalue()


def as_text(listing: Listing) -> str:
    """The listing as a person would paste it anywhere."""
    price = f"{listing.price:.2f} {listing.currency}" if listing.price is not None else ""
    return "\n\n".join(part for part in (listing.title, listing.description, price) if part)


def _fitting(text: str, most: int | None) -> str:
    return text if most is None or len(text) <= most else textwrap.shorten(text, most, placeholder="…")


def _photo(listing: Listing, base: str, place: int = 0) -> str:
    return f"{base}l/{listing.id}/photos/{place + 1}"  # what anybody may open, as /v1/photos may not be


def _condition(listing: Listing) -> str:
    return listing_facts(listing).get("condition_grade", "")


def _ebay(listing: Listing, base: str) -> Row:
    grades = {"new with tag": "1000", "new without tag": "1500", "for parts": "7000"}
    return {
        "*Action": "Add",
        "*Title": listing.title,
        "*Description": listing.description.replace("\n", "<br>"),
        "*ConditionID": grades.get(_condition(listing), "3000"),
        "*Format": "FixedPrice",
        "*Duration": "GTC",
        "*StartPrice": f"{listing.price:.2f}",
        "*Quantity": str(listing.stock),
        "CustomLabel": listing.id,
        "PicURL": "|".join(_photo(listing, base, n) for n in range(len(listing.photos))),
        "C:Brand": listing.attributes.get("brand", ""),
        "C:Color": listing.attributes.get("colour", ""),
        "C:Size": listing.attributes.get("size", ""),
        "C:Material": listing.attributes.get("material", ""),
    }


def _feed(listing: Listing, base: str) -> Row:
    """Columns that Google and Facebook both ask for."""
    return {
        "id": listing.id,
        "title": listing.title,
        "description": listing.description,
        "availability": "in_stock",
        "condition": "new" if _condition(listing).startswith("new") else USED,
        "price": f"{listing.price:.2f} {listing.currency}",
        "link": f"{base}l/{listing.id}",
        "image_link": _photo(listing, base),
        "additional_image_link": ",".join(_photo(listing, base, n) for n in range(1, len(listing.photos))),
        "brand": listing.attributes.get("brand", ""),
        "color": listing.attributes.get("colour", ""),
        "size": listing.attributes.get("size", ""),
        "material": listing.attributes.get("material", ""),
    }


def _google(listing: Listing, base: str) -> Row:
    number = listing.attributes.get("barcode", "")  # most used pieces have no number of their maker's
    return {**_feed(listing, base), "gtin": number, "identifier_exists": "yes" if number else "no"}


def _facebook(listing: Listing, base: str) -> Row:
    row = _feed(listing, base)
    return {**row, "availability": "in stock", "brand": row["brand"] or "unknown", "quantity_to_sell_on_facebook": "1"}


FORMS: dict[FormName, Form] = {
    "ebay": Form(
        required=(
            *("*Action", "*Category", "*Title", "*Description", "*ConditionID", "*Format", "*Duration", "*StartPrice"),
            *("*Quantity", "*Location", "*DispatchTimeMax", "*ReturnsAcceptedOption"),
        ),
        optional=("CustomLabel", "PicURL", "C:Brand", "C:Color", "C:Size", "C:Material"),
        sellers=("*Category", "*Location", "*DispatchTimeMax", "*ReturnsAcceptedOption"),
        most={"*Title": 80},
        source="https://docslib.org/doc/5625165/file-exchange-basic-template-instructions-copyright-statement",
        row=_ebay,
    ),
    "google": Form(
        required=("id", "title", "description", "link", "image_link", "availability", "price", "condition"),
        optional=("additional_image_link", "brand", "gtin", "identifier_exists", "color", "size", "material"),
        sellers=(),
        most={"title": 150, "description": 5000},
        source="https://support.google.com/merchants/answer/7052112",
        row=_google,
    ),
    "facebook": Form(
        required=("id", "title", "description", "availability", "condition", "price", "link", "image_link", "brand"),
        optional=("additional_image_link", "quantity_to_sell_on_facebook", "color", "size", "material"),
        sellers=(),
        most={"title": 150, "description": 5000},
        source="https://developers.facebook.com/docs/marketing-api/catalog/reference/",
        row=_facebook,
    ),
}
