"""A user's own past listings from a table to records of the index.

Scrubbing, reading photos and computing vectors are the caller's, as passed functions; a row that cannot be used is
reported with its number and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rag_index.errors import BadRecord
from rag_index.imports.import_tables import PlainRow, RowProblem, read_table
from rag_index.imports.record_checks import MAX_TEXT
from rag_index.records import IndexRecord
from rag_index.storage.rows import chunks

_BATCH = 64


@dataclass(frozen=True)
class ReadPhoto:
    """A photo that passed the caller's intake: ``image`` (RGB), and its perceptual hash (16 hex digits)."""

    image: Any
    phash: str


@dataclass(frozen=True)
class Tools:
    """What the caller does for the importer.

    scrub: text -> text without contact data.
    read_photos: paths of one item -> clean photos; raises ValueError with a sentence when one is refused.
    category: the table's word -> the category's name; raises ValueError with a sentence for an unknown one.
    image_vectors, text_vectors: batches to float arrays [n, dimensions], as ``Encoders`` makes them.
    """

    scrub: Callable[[str], str]
    read_photos: Callable[[Sequence[Path]], Sequence[ReadPhoto]]
    category: Callable[[str], str]
    image_vectors: Callable[[Sequence[Any]], Any]
    text_vectors: Callable[[Sequence[str]], Any]


def to_records(rows: Iterable[PlainRow | RowProblem], tools: Tools) -> Iterator[IndexRecord | RowProblem]:
    """Scrub, read photos, compute vectors (in batches)."""
    for group in chunks(rows, _BATCH):
        ready: list[tuple[PlainRow, list[ReadPhoto]]] = []
        for given in group:
            if isinstance(given, RowProblem):
                yield given
                continue
            try:
                row = replace(given, category=tools.category(given.category))
                ready.append((row, list(tools.read_photos(row.photos)) if row.photos else []))
            except (ValueError, OSError) as error:
                yield RowProblem(given.number, str(error))
        if not ready:
            continue
        texts = [tools.scrub(f"{row.title}\n{row.description}".strip())[:MAX_TEXT] for row, _ in ready]
        text_vectors = tools.text_vectors(texts)
        image_vectors = iter(tools.image_vectors([p.image for _, photos in ready for p in photos]))
        for (row, photos), text, vector in zip(ready, texts, text_vectors, strict=True):
            yield IndexRecord(
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
            )


def import_table(
    path: Path, mapping: Mapping[str, str], tools: Tools, store: Callable[[list[IndexRecord]], int]
) -> tuple[int, list[RowProblem]]:
    """Read, convert and store a table; (number stored, rows left out).

    Args:
        store: takes a batch of records, e.g. ``ListingIndex.add``; a batch that it refuses is tried record by record.
    """
    stored, problems, pending = 0, list[RowProblem](), list[IndexRecord]()

    def flush() -> int:
        try:
            return store(pending) if pending else 0
        except BadRecord:
            return sum(_store_one(record, store, problems) for record in pending)
        finally:
            pending.clear()

    for made in to_records(read_table(path, mapping), tools):
        if isinstance(made, RowProblem):
            problems.append(made)
            continue
        pending.append(made)
        if len(pending) >= _BATCH:
            stored += flush()
    return stored + flush(), problems


def _store_one(record: IndexRecord, store: Callable[[list[IndexRecord]], int], problems: list[RowProblem]) -> int:
    try:
        return store([record])
    except BadRecord as error:
        problems.append(RowProblem(0, str(error)))
        return 0
