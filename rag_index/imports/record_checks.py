"""The index's own last look at a record: no contact data, vectors of the right size, a usable id.

Scrubbing is the caller's job; the contact check that it passes in only makes sure that this was not forgotten.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from rag_index.errors import BadRecord
from rag_index.records import IndexRecord
from rag_index.storage.manifest import EncodersInfo
from rag_index.storage.rows import SEPARATOR

MAX_TEXT = 8_000
# Text -> the kind of contact data in it, or None. The caller gives it: the index knows no contact data.
ContactCheck = Callable[[str], str | None]


def check(record: IndexRecord, encoders: EncodersInfo, contact_check: ContactCheck | None = None) -> None:
    """Refuse (BadRecord) a record that must not or cannot be stored; the message never holds the offending text.

    contact_check: looks at text, category and every attribute; None leaves them unchecked.
    """
    for name in ("listing_id", "seller_id", "category"):
        value = getattr(record, name)
        if not value or SEPARATOR in value or len(value) > 200:
            raise BadRecord(f"Listing {record.listing_id[:40]!r}: its {name} is empty, too long or unusable.")
    if len(record.text) > MAX_TEXT:
        raise BadRecord(f"Listing {record.listing_id!r}: its text is longer than {MAX_TEXT} characters; shorten it.")
    if contact_check:
        kind = next(filter(None, map(contact_check, (record.text, record.category, *record.attributes.values()))), None)
        if kind:
            raise BadRecord(f"Listing {record.listing_id!r} holds contact data ({kind}); scrub it before indexing.")
    if record.image_vectors and len(record.phashes) != len(record.image_vectors):
        raise BadRecord(f"Listing {record.listing_id!r}: every image vector needs its photo's perceptual hash.")
    if not record.image_vectors and record.text_vector is None:
        raise BadRecord(f"Listing {record.listing_id!r} has no vector at all, so it could never be found.")
    for vector in record.image_vectors:
        _check_vector(record, vector, encoders.image.dimensions)
    if record.text_vector is not None:
        _check_vector(record, record.text_vector, encoders.text.dimensions)


def _check_vector(record: IndexRecord, vector: Sequence[float], size: int) -> None:
    if len(vector) != size:
        raise BadRecord(f"Listing {record.listing_id!r}: a vector has {len(vector)} numbers, the model makes {size}.")
    length = math.sqrt(math.fsum(x * x for x in vector))
    if not math.isfinite(length) or length == 0:
        raise BadRecord(f"Listing {record.listing_id!r}: a vector is zero or not finite.")
