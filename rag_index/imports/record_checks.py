"""The index's own last look at a record: no contact data, vectors of the right size, a usable id.

Scrubbing is the caller's job; this check only makes sure that it was not forgotten. It therefore knows just the
unmistakable forms: whoever sells by article number or in a row of sizes must not be refused after a proper scrubbing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from rag_index.errors import BadRecord
from rag_index.records import IndexRecord
from rag_index.storage.manifest import EncodersInfo
from rag_index.storage.rows import SEPARATOR

MAX_TEXT = 8_000
_CONTACT = {
    "an e-mail address or user name": re.compile(r"[\w.+-]+\s?[@＠]\s?[\w-]+\.\w{2,}|(?<!\w)[@＠][^\W\d]\w{2,}"),
    "a link": re.compile(r"https?:/|www\.\w|\b[\w-]{2,}\.(?:com|net|org)\b", re.IGNORECASE),
    # Article numbers, bar codes and rows of sizes are long digit runs too: a phone number has a plus, a verb, or the
    # spaced groups of a national number.
    "a phone number": re.compile(
        r"[+＋]\s?\d(?:[\s().-]{0,2}\d){8,}"
        r"|\b(?:call|phone|tel|telephone|mobile|ring|text|whatsapp|sms)\b\W{0,3}(?:\w{1,4}\W{1,2}){0,2}\d(?:[\s().-]{0,2}\d){6,}"
        r"|(?<![\d/.-])(?<!\d )[0０]\d{2,4}(?: \d{2,4}){2,4}(?![\d/])",
        re.IGNORECASE,
    ),
}


def check(record: IndexRecord, encoders: EncodersInfo) -> None:
    """Refuse a record that must not or cannot be stored.

    Raises:
        BadRecord: the message names the listing and what is wrong, never the offending text.
    """
    for name in ("listing_id", "seller_id", "category"):
        value = getattr(record, name)
        if not value or SEPARATOR in value or len(value) > 200:
            raise BadRecord(f"Listing {record.listing_id[:40]!r}: its {name} is empty, too long or unusable.")
    if len(record.text) > MAX_TEXT:
        raise BadRecord(f"Listing {record.listing_id!r}: its text is longer than {MAX_TEXT} characters; shorten it.")
    found = contact_kind([record.text, *record.attributes.values()])
    if found:
        raise BadRecord(f"Listing {record.listing_id!r} holds {found}; scrub contact data before indexing.")
    if record.image_vectors and len(record.phashes) != len(record.image_vectors):
        raise BadRecord(f"Listing {record.listing_id!r}: every image vector needs its photo's perceptual hash.")
    if not record.image_vectors and record.text_vector is None:
        raise BadRecord(f"Listing {record.listing_id!r} has no vector at all, so it could never be found.")
    for vector in record.image_vectors:
        _check_vector(record, vector, encoders.image.dimensions)
    if record.text_vector is not None:
        _check_vector(record, record.text_vector, encoders.text.dimensions)


def contact_kind(texts: Iterable[str]) -> str | None:
    """What kind of contact data stands in one of the texts, or None."""
    for text in texts:
        for kind, pattern in _CONTACT.items():
            if pattern.search(text):
                return kind
    return None


def _check_vector(record: IndexRecord, vector: Sequence[float], size: int) -> None:
    if len(vector) != size:
        raise BadRecord(f"Listing {record.listing_id!r}: a vector has {len(vector)} numbers, the model makes {size}.")
    length = math.sqrt(math.fsum(x * x for x in vector))
    if not math.isfinite(length) or length == 0:
        raise BadRecord(f"Listing {record.listing_id!r}: a vector is zero or not finite.")
