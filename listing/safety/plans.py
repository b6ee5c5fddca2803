"""What digits may be: a number that is dialled, by libphonenumber's plans, or a bar code, by its check digit."""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneNumberType as Type

REGIONS = ("GB", "IE", "US", "DE", "AT", "CH", "FR", "BE", "NL", "LU", "ES", "PT", "IT", "PL", "CZ", "RU", "UA", "SE",
           "DK", "NO", "FI", "TR", "GR", "CN", "BR", "MX", "AR", "CO", "CL", "AU", "CA", "IN", "MA")  # fmt: skip
# Of so many regions nearly any ten digits are a landline's: without prefix, cue or blanks only these count.
_MOBILE = (Type.MOBILE, Type.FIXED_LINE_OR_MOBILE)
LEAST, MOST, LEAST_ALONE = 6, 15, 9  # digits of a number; of one that nothing announces
_BAR_CODES = (
    (8,),
    (12,),
    (13,),
    (14,),
    (4, 4),
    (1, 6, 6),
    (1, 5, 5, 1),
    (6, 6),
    (7, 6),
    (1, 5, 6),
    (3, 1, 2, 6, 1),
    (1, 12),
)


@lru_cache(maxsize=4_000)
def is_bar_code(digits: str, lengths: tuple[int, ...]) -> bool:
    """By its check digit: EAN-8, UPC, EAN-13, GTIN-14; not a mobile number of ``REGIONS``."""
    is_isbn = len(digits) == 13 and digits.startswith(("978", "979"))
    if (lengths not in _BAR_CODES and not is_isbn) or digits.startswith("00"):
        return False
    if any(valid(f"+{digits}", region, _MOBILE, abroad=False) for region in REGIONS):
        return False
    weighted = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(digits)))
    return weighted % 10 == 0


def is_isbn(digits: str, lengths: tuple[int, ...]) -> bool:
    """By the check digit of an ISBN-10; not a mobile number of ``REGIONS``."""
    is_whole = len(digits) == 10 and len(lengths) in (1, 4) and lengths[-1] in (1, 10)
    right = is_whole and sum((10 - place) * int(digit) for place, digit in enumerate(digits)) % 11 == 0
    return right and not any(valid(digits, region, _MOBILE, abroad=False) for region in REGIONS)


@lru_cache(maxsize=4_000)
def is_international(digits: str) -> bool:
    """True if the digits may be dialled with a plus before them, also behind 00 or 011."""
    number = digits[2:] if digits.startswith("00") else digits[3:] if digits.startswith("011") else digits
    forms = {number, re.sub(r"\A(3[0-9]|4[0-9])0", r"\1", number)}  # "+44 (0)7700"
    return any(valid(f"+{like}", None, None) for form in forms for like in alike(form, 4))


@lru_cache(maxsize=4_000)
def is_valid(digits: str, mobile: bool = False) -> bool:
    """True if the digits may be dialled, from abroad or in one of ``REGIONS``."""
    if not mobile and len(digits) >= 10 and is_international(digits):
        return True
    types = _MOBILE if mobile or digits[0] not in "08" else None
    numbers = alike(digits, 3) if digits[0] == "0" else (digits,)
    return len(digits) <= 13 and any(valid(like, region, types) for like in numbers for region in REGIONS)


def alike(digits: str, kept: int) -> tuple[str, str]:
    """The digits, and a number with the same head: plans leave out those that were set aside for films."""
    return digits, digits[:kept] + "123456789012"[: len(digits) - kept]


def is_number(digits: str) -> bool:
    """True if the digits, cut by something else, are a number that may be dialled."""
    return LEAST_ALONE <= len(digits) <= MOST and (
        is_valid(digits) or any(valid(digits, region, None) for region in REGIONS)
    )


def valid(digits: str, region: str | None, types: tuple[int, ...] | None, *, abroad: bool = True) -> bool:
    """True if they are a number of the region, of these types; ``abroad``: or of another with its country code."""
    try:
        number = phonenumbers.parse(digits, region)
    except phonenumbers.NumberParseException:
        return False
    if not abroad and phonenumbers.region_code_for_number(number) != region:
        return False
    return phonenumbers.is_valid_number(number) if types is None else phonenumbers.number_type(number) in types
