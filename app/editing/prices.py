"""A price as people write it."""

from __future__ import annotations

import re
from math import isfinite

from app.views import AppError

_MAX_PRICE = 10_000_000.0
_CURRENCY = re.compile(r"[€$£]|(?<![a-z])(?:eur|euros?|usd|dollars?|gbp|pounds?|chf|francs?)\b", re.I)
_FREE = frozenset({"free", "for free", "gratis", "nothing"})
# "1 000", "1'000", and a dash for no cents ("12,-").
_BESIDE = re.compile(r"(?<=[0-9])[ '\u00a0\u202f](?=[0-9]{3}(?![0-9]))|(?<=[0-9])[,.][-–]$")
_THOUSANDS = re.compile(r"-?[1-9][0-9]{0,2}(?:(?:\.[0-9]{3})+(?:,[0-9]{1,2})?|(?:,[0-9]{3})+(?:\.[0-9]{1,2})?)")


def parse_price(value: str | float | None) -> float | None:
    """A price in units of the currency, rounded to cents, as people write it; None for no price, 0 for "free".

    A comma may stand for the point; groups of three digits are thousands ("1.000", "1,250.50", "1 000").
    """
    if isinstance(value, float | int):
        number: float | None = float(value)
    else:
        text = _CURRENCY.sub("", value or "").strip().lower()
        if not text:
            return None
        number = 0.0 if text in _FREE else _number(text)
    if number is None or not isfinite(number):
        raise AppError("bad_price", "The price is not a number; write it like 12 or 12.50.", 422)
    if number < 0:
        raise AppError("bad_price", "A price cannot lie below 0; write it like 12 or 12.50, or 0 to give it away.", 422)
    if number > _MAX_PRICE:
        raise AppError("bad_price", f"The price has to lie between 0 and {_MAX_PRICE:,.0f}.", 422)
    return round(number, 2)


def _number(text: str) -> float | None:
    """The number that a person wrote; None when it is none."""
    text = _BESIDE.sub("", text)
    if _THOUSANDS.fullmatch(text):
        cents = re.search(r"[.,]([0-9]{1,2})$", text)
        whole = re.sub(r"[.,]", "", text[: cents.start()] if cents else text)
        text = f"{whole}.{cents[1]}" if cents else whole
    return float(text.replace(",", ".")) if re.fullmatch(r"-?[0-9]{1,15}(?:[.,][0-9]{0,9})?", text) else None
