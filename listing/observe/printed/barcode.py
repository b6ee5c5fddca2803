"""Bar codes of goods: the maker's number of a book or a packet (GTIN-8, -12 or -13, ISBN)."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from listing.schema import Box


@dataclass(frozen=True)
class BarcodeFact:
    """A number (its check digit is right), and where it stands, in shares of the photo's sides."""

    number: str
    box: Box

    @property
    def of_book(self) -> bool:
        """True of an ISBN."""
        return self.number.startswith(("978", "979"))


def find_barcode(photo: Image.Image) -> BarcodeFact | None:
    """The only number on a photo; None where there is none or several. Codes that can hold words are not read."""
    import zxingcpp

    wanted = zxingcpp.barcode_formats_from_str("EAN13,EAN8,UPCA")
    codes = {code.text.replace(" ", ""): code for code in zxingcpp.read_barcodes(photo.convert("L"), formats=wanted)}
    if len(codes) != 1:
        return None
    ((number, code),) = codes.items()
    place = code.position
    corners = (place.top_left, place.top_right, place.bottom_left, place.bottom_right)
    xs = [min(1.0, max(0.0, corner.x / photo.width)) for corner in corners]
    ys = [min(1.0, max(0.0, corner.y / photo.height)) for corner in corners]
    return BarcodeFact(number, (min(xs), min(ys), max(xs), max(ys)))
