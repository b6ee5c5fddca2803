"""A catalogue's rows to records of the index.

Scrubbing and reading photos are the caller's, as passed functions. All rows are made ready before any is stored, group
by group on disk, so that an import that was stopped goes on where it was, and one that fails stores nothing.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from rag_index.encoders import Encoders
from rag_index.errors import BadRecord
from rag_index.imports.catalogue import Catalogue, PlainRow
from rag_index.imports.fetch import Fetcher, FetchProblem, is_address
from rag_index.imports.record_checks import MAX_TEXT, ContactCheck, check
from rag_index.imports.report import Report
from rag_index.imports.tables import RowProblem
from rag_index.records import IndexRecord
from rag_index.storage.rows import chunks

BATCH = 64
FORMAT = 1  # of the groups on disk
Photo = TypeVar("Photo")


@dataclass(frozen=True)
class ReadPhoto:
    """A photo that passed the caller's intake: ``image`` (RGB), and its perceptual hash (16 hex digits)."""

    image: Any
    phash: str


@dataclass(frozen=True)
class Tools:
    """What the caller does for the importer; the second raises ValueError with a sentence for what it refuses."""

    scrub: Callable[[str], str]  # text -> text without contact data
    read_photos: Callable[[Sequence[Path]], Sequence[ReadPhoto]]  # paths of one item -> clean photos


@dataclass(frozen=True)
class Import:
    """One import. ``home``: where groups that are ready and fetched photos lie until it is done."""

    catalogue: Catalogue
    tools: Tools
    encoders: Encoders
    home: Path
    contact_check: ContactCheck | None = None
    fetcher: Fetcher | None = None

    def prepare(self) -> Report:
        """Make all rows ready; nothing is stored yet. A group that is on disk already is not made again."""
        self._folder.mkdir(parents=True, exist_ok=True)
        report = Report()
        for number, group in enumerate(chunks(self.catalogue.rows(), BATCH)):
            file = self._folder / f"{number:06}.npz"
            if not file.is_file():
                _save(file, *self._made(group))
            problems, records = _load(file)
            report.add(problems, [record.category in self.catalogue.vocabulary.kinds for record in records])
        return report

    def records(self) -> Iterator[IndexRecord]:
        """What ``prepare`` made ready, in order."""
        for file in sorted(self._folder.glob("*.npz")):
            yield from _load(file)[1]

    def done(self) -> None:
        """Take away what is only needed to go on after a stop; fetched photos stay."""
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _folder(self) -> Path:
        said = (FORMAT, asdict(self.catalogue.glossary), str(self.catalogue.photos), self.encoders.info.model_dump())
        digest = hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode())
        with self.catalogue.path.open("rb") as table:
            digest.update(hashlib.file_digest(table, "sha256").digest())
        return self.home / digest.hexdigest()[:16]

    def _made(self, group: Sequence[PlainRow | RowProblem]) -> tuple[list[RowProblem], list[IndexRecord]]:
        problems: list[RowProblem] = []
        ready: list[tuple[PlainRow, Sequence[ReadPhoto]]] = []
        rows = [row for row in group if isinstance(row, PlainRow)]
        files = find_photos(rows, self.catalogue, self.fetcher or Fetcher(self.home / "photos"))
        for row in group:
            if isinstance(row, RowProblem):
                problems.append(row)
                continue
            try:
                ready.append((row, read_some(files[row.place], self.tools.read_photos)))
            except ValueError as error:
                problems.append(RowProblem(row.place, "none of its photos can be used", str(error)))
        kept = []
        for row, record in self._records(ready):
            try:
                check(record, self.encoders.info, self.contact_check)
                kept.append(record)
            except BadRecord as error:
                problems.append(RowProblem(row.place, "the index cannot hold it", str(error)))
        return problems, kept

    def _records(self, ready: Sequence[tuple[PlainRow, Sequence[ReadPhoto]]]) -> Iterator[tuple[PlainRow, IndexRecord]]:
        scrub = self.tools.scrub
        texts = [scrub(f"{row.title}\n{row.description}".strip())[:MAX_TEXT] for row, _ in ready]
        text_vectors = self.encoders.text_vectors(texts)
        image_vectors = iter(self.encoders.image_vectors([p.image for _, photos in ready for p in photos]))
        for (row, photos), text, vector in zip(ready, texts, text_vectors, strict=True):
            yield (
                row,
                IndexRecord(
                    listing_id=row.listing_id,
                    # No seller is named: the listing counts for itself, else a whole shop would be one voice.
                    seller_id=row.seller_id or row.listing_id,
                    category=row.category if row.known else scrub(row.category),
                    phashes=[p.phash for p in photos],
                    image_vectors=[[float(x) for x in next(image_vectors)] for _ in photos],
                    text=text,
                    text_vector=[float(x) for x in vector],
                    attributes={name: scrub(value) for name, value in row.attributes.items()},
                    price=row.price,
                    currency=row.currency,
                    sold=row.sold,
                ),
            )


def find_photos(
    rows: Sequence[PlainRow], catalogue: Catalogue, fetcher: Fetcher
) -> dict[str, list[Path | FetchProblem]]:
    """Place of a row -> its photos' files, or why there is none."""
    fetched = fetcher.fetch_all(name for row in rows for name in row.photos if is_address(name))
    return {row.place: [fetched.get(n) or catalogue.find_photo(n) for n in row.photos] for row in rows}


def read_some(files: Sequence[Path | FetchProblem], read: Callable[[Sequence[Path]], Sequence[Photo]]) -> list[Photo]:
    """The photos of an item that can be read; ValueError with the first trouble: there are some, and none can."""
    photos: list[Photo] = []
    troubles: list[str] = []
    for file in files:
        try:
            if isinstance(file, FetchProblem):
                raise file
            photos += read([file])
        except (ValueError, OSError) as error:
            troubles.append(str(error))
    if troubles and not photos:
        raise ValueError(troubles[0])
    return photos


def _save(file: Path, problems: Sequence[RowProblem], records: Sequence[IndexRecord]) -> None:
    plain = [record.model_dump(exclude={"image_vectors", "text_vector"}) for record in records]
    told = {"problems": [asdict(problem) for problem in problems], "records": plain}
    partial = file.with_suffix(".part")
    with partial.open("wb") as opened:
        np.savez(
            opened,
            told=np.frombuffer(json.dumps(told).encode(), np.uint8),
            images=np.array([v for record in records for v in record.image_vectors], np.float32),
            texts=np.array([record.text_vector for record in records], np.float32),
        )
    partial.replace(file)


def _load(file: Path) -> tuple[list[RowProblem], list[IndexRecord]]:
    with np.load(file, allow_pickle=False) as saved:
        told = json.loads(saved["told"].tobytes())
        images, texts = iter(saved["images"].tolist()), saved["texts"].tolist()
    records = [
        IndexRecord(**plain, image_vectors=[next(images) for _ in plain["phashes"]], text_vector=text)
        for plain, text in zip(told["records"], texts, strict=True)
    ]
    return [RowProblem(**problem) for problem in told["problems"]], records
