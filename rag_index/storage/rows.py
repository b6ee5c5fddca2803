"""How a record lies in Chroma: one row a photo in the image collection, one row in the text collection.

The id of a row carries what a search filters by. Chroma returns ids without touching its metadata table, which is what
makes a filtered search fast (see ``search.py``). Every row's metadata holds the whole record but its vectors.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar
from zlib import crc32

from rag_index.records import IndexRecord

TEXT_PART = "t"
SEPARATOR = "\x1f"  # between the parts of a stored id; no part may hold it
PRICED, PRICED_BRAND = "priced", "priced_brand"  # metadata by which priced listings are looked up; "" in other rows
SHARDS = 8  # parts of a category's priced listings, so that of a large one not all have to be looked up
T = TypeVar("T")


@dataclass(frozen=True)
class RowKey:
    """``part`` is the photo's number, or "t" for the text."""

    listing_id: str
    part: str
    category: str
    seller_id: str

    def encode(self) -> str:
        return SEPARATOR.join((self.listing_id, self.part, self.category, self.seller_id))

    @classmethod
    def decode(cls, row_id: str) -> RowKey:
        return cls(*row_id.split(SEPARATOR))


Rows = list[tuple[str, list[float], dict[str, Any]]]  # id, vector, metadata


def slices(rows: Rows, size: int) -> Iterator[dict[str, Any]]:
    """Keyword arguments of ``upsert``, at most ``size`` rows each."""
    for part in chunks(rows, size):
        ids, embeddings, metadatas = map(list, zip(*part, strict=True))
        yield {"ids": ids, "embeddings": embeddings, "metadatas": metadatas}


def to_rows(records: Iterable[IndexRecord]) -> tuple[Rows, Rows]:
    """(rows of the image collection, rows of the text collection)."""
    image, text = Rows(), Rows()
    for record in records:
        named = {"listing_id": record.listing_id, "seller_id": record.seller_id, "category": record.category}
        # Chroma merges the metadata of a row that is stored again, so that a key has to be emptied to be gone.
        metadata = {**named, PRICED: "", PRICED_BRAND: "", "record": _plain_json(record)}
        with_price = metadata | price_keys(record)  # in one row of each listing
        if record.text_vector is not None:
            text.append((RowKey(part=TEXT_PART, **named).encode(), record.text_vector, with_price))
        for number, vector in enumerate(record.image_vectors):
            counts = number == 0 and record.text_vector is None
            image.append((RowKey(part=str(number), **named).encode(), vector, with_price if counts else metadata))
    return image, text


def _plain_json(record: IndexRecord) -> str:
    return record.model_dump_json(exclude={"image_vectors", "text_vector"})


def price_keys(record: IndexRecord) -> dict[str, str]:
    """The metadata by which a priced listing is looked up; empty words for any other listing."""
    if not record.tells_prices:
        return {PRICED: "", PRICED_BRAND: ""}
    shard, brand = crc32(record.listing_id.encode()) % SHARDS, record.attributes.get("brand", "")
    return {PRICED: price_key(record.category, None, shard), PRICED_BRAND: price_key(record.category, brand, shard)}


def price_key(category: str, brand: str | None, shard: int) -> str:
    """The metadata of a shard's priced listings of a category, of all brands or one; an empty word for no brand."""
    if brand is None:
        return SEPARATOR.join((category, str(shard)))
    letters = "".join(c for c in brand.casefold() if c.isalnum())
    return SEPARATOR.join((category, letters, str(shard))) if letters else ""


def to_record(metadata: Mapping[str, Any]) -> IndexRecord:
    """The record of a row, without its vectors."""
    return IndexRecord.model_validate_json(metadata["record"])


def chunks(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of at most ``size``, read as they are needed."""
    source = iter(values)
    while group := list(islice(source, size)):
        yield group
