"""A user's own past listings from a table to records of the index.

Scrubbing and reading photos are the caller's, as passed functions; a row that cannot be used is reported with its
number and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rag_index.encoders import Encoders
from rag_index.errors import BadRecord
from rag_index.imports.import_tables import PlainRow, RowProblem, read_table
from rag_index.imports.record_checks import MAX_TEXT, ContactCheck, check
from rag_index.records import IndexRecord
from rag_index.storage.rows import chunks

BATCH = 64


@dataclass(frozen=True)
class ReadPhoto:
    """A photo that passed the caller's intake: ``image`` (RGB), and its perceptual hash (16 hex digits)."""

    image: Any
    phash: str


@dataclass(frozen=True)
class Tools:
    """What the caller does for the importer; the last two raise ValueError with a sentence for what they refuse."""

    scrub: Callable[[str], str]  # text -> text without contact data
    read_photos: Callable[[Sequence[Path]], Sequence[ReadPhoto]]  # paths of one item -> clean photos
    category: Callable[[str], str]  # the table's word -> the category's name


def read_records(
    path: Path,
    mapping: Mapping[str, str],
    tools: Tools,
    encoders: Encoders,
    contact_check: ContactCheck | None = None,
) -> Iterator[IndexRecord | RowProblem]:
    """The rows of a table as records that the index takes, and those that it would not, in order.

    mapping: see ``parse_mapping``. contact_check: as of ``ListingIndex.open``. ImportProblem: see ``read_table``.
    """
    for group in chunks(read_table(path, mapping), BATCH):
        ready: list[tuple[PlainRow, list[ReadPhoto]]] = []
        for row in group:
            if isinstance(row, RowProblem):
                yield row
                continue
            try:
                photos = list(tools.read_photos(row.photos)) if row.photos else []
                ready.append((replace(row, category=tools.category(row.category)), photos))
            except (ValueError, OSError) as error:
                yield RowProblem(row.number, str(error))
        for row, record in _to_records(ready, tools, encoders):
            try:
                check(record, encoders.info, contact_check)
                yield record
            except BadRecord as error:
                yield RowProblem(row.number, str(error))


def _to_records(
    ready: Sequence[tuple[PlainRow, Sequence[ReadPhoto]]], tools: Tools, encoders: Encoders
) -> Iterator[tuple[PlainRow, IndexRecord]]:
    if not ready:
        return
    texts = [tools.scrub(f"{row.title}\n{row.description}".strip())[:MAX_TEXT] for row, _ in ready]
    text_vectors = encoders.text_vectors(texts)
    image_vectors = iter(encoders.image_vectors([p.image for _, photos in ready for p in photos]))
    for (row, photos), text, vector in zip(ready, texts, text_vectors, strict=True):
        yield (
            row,
            IndexRecord(
                listing_id=row.listing_id,
                seller_id=row.seller_id,
                category=row.category,
                phashes=[p.phash for p in photos],
                image_vectors=[[float(x) for x in next(image_vectors)] for _ in photos],
                text=text,
                text_vector=[float(x) for x in vector],
                attributes={name: tools.scrub(value) for name, value in row.attributes.items()},
                price=row.price,
                currency=row.currency,
                sold=row.sold,
            ),
        )
