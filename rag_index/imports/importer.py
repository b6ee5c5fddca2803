"""A catalogue's rows to records of the index.

Scrubbing and reading photos are the caller's, as passed functions. All rows are made ready before any is stored; what
was worked out is on the disk group by group (``work_store.py``), so that an import that was stopped goes on where it
was, and one that fails stores nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from rag_index.encoders import Encoders
from rag_index.errors import BadRecord
from rag_index.imports.catalogue import Catalogue, PlainRow
from rag_index.imports.fetch import Fetcher, FetchProblem, find_photos
from rag_index.imports.record_checks import MAX_TEXT, ContactCheck, check
from rag_index.imports.report import Report
from rag_index.imports.tables import ImportProblem, RowProblem
from rag_index.imports.work_store import Encoded, Used, WorkStore, digest_of, open_work_store
from rag_index.records import IndexRecord
from rag_index.storage.rows import chunks

BATCH = 64
Photo = TypeVar("Photo")


@dataclass(frozen=True)
class ReadPhoto:
    """A photo that passed the caller's intake: ``image`` (RGB), and its perceptual hash (16 hex digits)."""

    image: Any
    phash: str


@dataclass(frozen=True)
class Tools:
    """Functions of the caller for the importer; the second raises ValueError with a sentence for what it refuses."""

    scrub: Callable[[str], str]  # text -> text without contact data
    read_photos: Callable[[Sequence[Path]], Sequence[ReadPhoto]]  # paths of one item -> clean photos
    version: str = ""  # changes whenever any of this, or the check for contact data, works otherwise


@dataclass(frozen=True)
class Features:
    """Further numbers that the caller wants of each photo; ``name`` changes with them. ``encode``: images -> [n, m]."""

    name: str
    encode: Callable[[Sequence[Any]], np.ndarray]


@dataclass(frozen=True)
class _Photo:
    """A photo of a row: its vector where it was encoded before, else what is to be encoded."""

    file: Path
    digest: str
    stored: Encoded | None
    read: ReadPhoto | None


@dataclass(frozen=True)
class _Ready:
    """A record without its vectors, and the digests under which these are stored."""

    record: IndexRecord
    photos: Sequence[str]
    text: str  # "": none
    files: Sequence[Path]


@dataclass(frozen=True)
class Import:
    """One import. ``home``: where fetched photos lie, and what is known of the table, for a stop and for the next time.

    features: more numbers of each photo, for ``photo_features``. texts: whether the text of what has a photo becomes a
    vector, too. store_as: tables of the same name here share what is
    known; by default it is the table's own. bf16: networks look at photos in 16 bits, for numbers that are the same by
    .999 and are stored apart. dropped: ids of the rows that the glossary leaves out, which may be in the
    index from before.
    """

    catalogue: Catalogue
    tools: Tools
    encoders: Encoders
    home: Path
    contact_check: ContactCheck | None = None
    fetcher: Fetcher | None = None
    features: Features | None = None
    texts: bool = True
    store_as: Path | None = None
    bf16: bool = False
    dropped: set[str] = field(default_factory=set, init=False)
    _ready: list[_Ready] = field(default_factory=list, init=False, repr=False)
    _used: Used = field(default_factory=set, init=False, repr=False)
    _passed: set[str] = field(default_factory=set, init=False, repr=False)

    def prepare(self, progress: Callable[[int], None] = lambda rows: None) -> Report:
        """Make all rows ready; nothing is stored yet. What was worked out before is not worked out again.

        progress: is called with the number of rows that are ready.
        """
        report, rows = Report(), 0
        self._ready.clear()
        with self._store() as store:
            for group in chunks(self.catalogue.rows(), BATCH):
                problems, ready = self._prepared(group, store)
                store.commit()
                self._ready.extend(ready)
                report.add(problems, [r.record.category in self.catalogue.vocabulary.kinds for r in ready])
                self.dropped.update(p.dropped for p in problems if p.dropped)
                rows += len(group)
                progress(rows)
        self.dropped.difference_update(r.record.listing_id for r in self._ready)
        return report

    def records(self) -> Iterator[IndexRecord]:
        """The records that ``prepare`` made ready, in order."""
        with self._store() as store:
            for ready in self._ready:
                photos = [_vector(store, self._image_model, digest) for digest in ready.photos]
                text = _vector(store, self._text_model, ready.text) if ready.text else None
                yield _with_vectors(ready.record, photos, text)

    def photo_features(self) -> Iterator[tuple[IndexRecord, dict[str, Path], np.ndarray]]:
        """(record without vectors, digest -> file of each photo, its vector and ``features`` [photos, m]), in order."""
        with self._store() as store:
            for ready in self._ready:
                files = dict(zip(ready.photos, ready.files, strict=True))
                models = (self._image_model, self._feature_model)
                rows = [np.concatenate([_vector(store, m, digest).numbers for m in models]) for digest in files]
                yield ready.record, files, np.array(rows)

    def check(self, text: str) -> str | None:
        """``contact_check``, which does not look again at what has passed it in ``prepare``."""
        return None if self.contact_check is None or digest_of(text) in self._passed else self.contact_check(text)

    def done(self) -> None:
        """Delete what is known of rows that are no longer used; the rest spares the next import its work."""
        with self._store() as store:
            store.tidy()
        self._ready.clear()

    def _store(self) -> AbstractContextManager[WorkStore]:
        return open_work_store(self.home, self.store_as or self.catalogue.path, self._used)

    @property
    def _image_model(self) -> str:
        return f"image {self.tools.version} {self.encoders.info.image.revision}{' bf16' * self.bf16}"

    @property
    def _feature_model(self) -> str:
        return f"{self.features.name} {self.tools.version}{' bf16' * self.bf16}" if self.features else ""

    @property
    def _text_model(self) -> str:
        return f"text {self.encoders.info.text.revision}"

    def _prepared(
        self, group: Sequence[PlainRow | RowProblem], store: WorkStore
    ) -> tuple[list[RowProblem], list[_Ready]]:
        problems: list[RowProblem] = []
        usable: list[tuple[PlainRow, Sequence[_Photo]]] = []
        rows = [row for row in group if isinstance(row, PlainRow)]
        fetcher = self.fetcher or Fetcher(self.home / "photos")
        files = find_photos((name for row in rows for name in row.photos), self.catalogue.find_photo, fetcher)
        for row in group:
            if isinstance(row, RowProblem):
                problems.append(row)
                continue
            try:
                mine = [files[name] for name in row.photos]
                usable.append((row, read_some(mine, lambda paths: [self._photo(p, store) for p in paths])))
            except ValueError as error:
                problems.append(RowProblem(row.place, "none of its photos can be used", str(error)))
        ready = []
        for row, one, record in self._records(usable, store):
            try:
                check(record, self.encoders.info, self._checking(row.listing_id, store))
                ready.append(one)
            except BadRecord as error:
                problems.append(RowProblem(row.place, "the index cannot hold it", str(error)))
        return problems, ready

    def _photo(self, file: Path, store: WorkStore) -> _Photo:
        digest = ""
        if file.is_file():
            with file.open("rb") as opened:
                digest = hashlib.file_digest(opened, "sha256").hexdigest()
            encoded = store.vector(self._image_model, digest)
            if encoded and (self.features is None or store.vector(self._feature_model, digest)):
                return _Photo(file, digest, encoded, None)
        (read,) = self.tools.read_photos([file])
        return _Photo(file, digest, None, read)

    def _records(
        self, usable: Sequence[tuple[PlainRow, Sequence[_Photo]]], store: WorkStore
    ) -> Iterator[tuple[PlainRow, _Ready, IndexRecord]]:
        """Each row with its record, without and with its vectors."""
        texts = [self._scrubbed(row, f"{row.title}\n{row.description}".strip(), store)[:MAX_TEXT] for row, _ in usable]
        silent = [bool(photos) and not self.texts for _, photos in usable]
        spoken = [(row.listing_id, text) for (row, _), text, no in zip(usable, texts, silent, strict=True) if not no]
        text_vectors = iter(self._texts(spoken, store))
        photo_vectors = self._photos([(row.listing_id, photo) for row, photos in usable for photo in photos], store)
        for (row, photos), text, no in zip(usable, texts, silent, strict=True):
            mine, vector = [next(photo_vectors) for _ in photos], None if no else next(text_vectors)
            plain = self._plain(row, text, [encoded.phash for encoded in mine], store)
            files = [photo.file for photo in photos]
            ready = _Ready(plain, [encoded.digest for encoded in mine], vector.digest if vector else "", files)
            yield row, ready, _with_vectors(plain, mine, vector)

    def _texts(self, texts: Sequence[tuple[str, str]], store: WorkStore) -> list[Encoded]:
        """Vectors of (listing, text)."""
        digests = [digest_of(text) for _, text in texts]
        by_digest = {digest: encoded for digest in digests if (encoded := store.vector(self._text_model, digest))}
        new = [i for i, digest in enumerate(digests) if digest not in by_digest]
        if new:
            for i, numbers in zip(new, self.encoders.text_vectors([texts[i][1] for i in new]), strict=True):
                by_digest[digests[i]] = Encoded(digests[i], numbers)
                store.put(self._text_model, texts[i][0], by_digest[digests[i]])
        return [by_digest[digest] for digest in digests]

    def _photos(self, photos: Sequence[tuple[str, _Photo]], store: WorkStore) -> Iterator[Encoded]:
        new = [photo.read.image for _, photo in photos if photo.read]
        with self._precision() if new else nullcontext():
            vectors = iter(self.encoders.image_vectors(new) if new else ())
            features = iter(self.features.encode(new) if self.features and new else ())
        for listing, photo in photos:
            if photo.read:
                encoded = Encoded(photo.digest, next(vectors), photo.read.phash)
                store.put(self._image_model, listing, encoded)
                if self.features:
                    store.put(self._feature_model, listing, Encoded(photo.digest, next(features)))
                yield encoded
            elif photo.stored:
                yield photo.stored

    def _precision(self) -> AbstractContextManager[None]:
        import torch

        return torch.autocast("cpu", torch.bfloat16, enabled=self.bf16)

    def _scrubbed(self, row: PlainRow, text: str, store: WorkStore) -> str:
        return store.once(f"scrub {self.tools.version}", row.listing_id, text, self.tools.scrub)

    def _checking(self, listing: str, store: WorkStore) -> ContactCheck | None:
        if (look := self.contact_check) is None:
            return None

        def checked(text: str) -> str | None:
            kind = store.once(f"check {self.tools.version}", listing, text, lambda words: look(words) or "")
            if not kind:
                self._passed.add(digest_of(text))
            return kind or None

        return checked

    def _plain(self, row: PlainRow, text: str, phashes: list[str], store: WorkStore) -> IndexRecord:
        return IndexRecord(
            listing_id=row.listing_id,
            # No seller is named: the listing counts for itself, else a whole shop would be one voice.
            seller_id=row.seller_id or row.listing_id,
            category=row.category if row.in_vocabulary else self._scrubbed(row, row.category, store),
            phashes=phashes,
            text=text,
            attributes={name: self._scrubbed(row, value, store) for name, value in row.attributes.items()},
            price=row.price,
            currency=row.currency,
            sold=row.sold,
        )


def _with_vectors(record: IndexRecord, photos: Sequence[Encoded], text: Encoded | None) -> IndexRecord:
    images = [encoded.numbers.tolist() for encoded in photos]
    return record.model_copy(update={"image_vectors": images, "text_vector": text.numbers.tolist() if text else None})


def _vector(store: WorkStore, model: str, digest: str) -> Encoded:
    if (encoded := store.vector(model, digest)) is None:
        raise ImportProblem("Vectors that were just made are gone: was IPL_HOME/imports deleted? Run it again.")
    return encoded


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
