"""Past listings in Chroma: an image collection and a text collection, behind one class.

Vectors are always given, never made here (``embedding_function=None``); the space is cosine, set explicitly.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeVar

from rag_index.errors import BadRecord, IndexFailure, IndexMissing
from rag_index.imports.record_checks import ContactCheck, check
from rag_index.records import IndexRecord
from rag_index.search import Filter, Hit, nearest
from rag_index.storage.location import FolderPlace, Place, find_place, new_generation, plain_errors
from rag_index.storage.manifest import EncodersInfo, Manifest
from rag_index.storage.parts import COPIED, PARTS, WHOLE, Part, collections_of, copy_again, filling, stored
from rag_index.storage.rows import (
    PRICED,
    PRICED_BRAND,
    SHARDS,
    TEXT_PART,
    RowKey,
    chunks,
    price_key,
    price_keys,
    slices,
    to_record,
    to_rows,
)

BATCH = 2_000  # rows a call; Chroma refuses more than 5,461
READS = 5  # tries of a read, beside somebody who removes what it reads
PRICES = 100  # most listings that a price range is worked out from
_EVERYTHING = Filter()
_NO_PHOTO = 1 << 30
T = TypeVar("T")


class ListingIndex:
    """Open with ``ListingIndex.open`` or ``build``; close it (or use ``with``) to let the next process in."""

    def __init__(self, place: Place, manifest: Manifest, contact_check: ContactCheck | None = None) -> None:
        self._place = place
        self._contact_check = contact_check
        self.manifest = manifest
        self._parts = collections_of(place, manifest.generation)
        self._changing, self._rebuilding = threading.RLock(), threading.Lock()
        self._changed: set[str] | None = None  # listings that came or went during a rebuild

    @classmethod
    def open(
        cls,
        location: str | Path,
        encoders: EncodersInfo | None = None,
        *,
        contact_check: ContactCheck | None = None,
    ) -> ListingIndex:
        """The index in a folder, or at the address of a ``chroma run`` server.

        Args:
            encoders: the models in use; None skips the check (to look at counts, never to search).
            contact_check: names the kind of contact data in a text, or None; records in which it finds any are refused.

        Raises:
            IndexMissing, IndexBusy, IndexMismatch, IndexDamaged, IndexUnreachable: see ``errors.py``.
        """
        if not str(location).startswith("http") and not (Path(location) / "manifest.json").is_file():
            raise IndexMissing(f"There is no index in {location}; make one with: ipl index build.")
        place = find_place(location)
        try:
            manifest = place.current()
            if encoders is not None:
                manifest.check(encoders, place.name)
            if not isinstance(place, FolderPlace):
                return cls(place, manifest, contact_check)
            place.check(manifest.generation)
            try:
                index = cls(place, manifest, contact_check)
                for part in PARTS:  # reads its files, so that damage shows here
                    index._call(part, "get", limit=1, include=[])
            except IndexFailure as error:
                if re.search(r"\(code: \d+\)", str(error)):  # of SQLite, whose database is whole: a full disk
                    raise
                raise place.damaged(str(error)) from error
            return index
        except BaseException:
            place.close()
            raise

    def __enter__(self) -> ListingIndex:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the folder's lock or the connection."""
        self._place.close()

    def rebuild(self, *, nightly: bool = False) -> bool:
        """Copy all listings beside and delete what was there, with its traces of what was removed or replaced.

        Searches and changes by this process go on meanwhile; of a rebuild that is killed nothing stays.

        Args:
            nightly: only of a folder, if there are traces, and it is night or they are a day old.

        Returns:
            Whether the files hold nothing of it now: those of a server do until ``chroma vacuum``.
        """
        with self._rebuilding:
            if nightly and not self._place.is_due(self.manifest.generation):
                return False
            with self._changing:
                self._changed = set()
            try:
                self._move(self._place)
            finally:
                self._changed = None
        return isinstance(self._place, FolderPlace)

    def _move(self, place: Place) -> None:
        generation = new_generation()
        try:
            with plain_errors(place.name), filling(place, generation, self.manifest.encoders) as fill:
                for part in PARTS:
                    for group in chunks(self._ids(part), COPIED):
                        for columns in stored(group, self._call(part, "get", ids=group, include=WHOLE)):
                            fill(part, columns)
            parts = collections_of(place, generation)  # its files are opened while others still search
            with plain_errors(place.name):
                ids = {RowKey.decode(i).listing_id for c in parts.values() for i in c.get(include=[])["ids"]}
            manifest = Manifest.now(generation, self.manifest.encoders, len(ids))
            with self._changing, place.alone(), plain_errors(place.name):
                for group in chunks(sorted(self._changed or ()), COPIED):
                    place.note_removal(generation)
                    copy_again(self._parts, parts, group)
                place.publish(manifest)
                self.manifest, self._parts = manifest, parts
        except BaseException:
            if self.manifest.generation != generation:
                place.drop(generation)
            raise
        with place.alone():
            place.sweep(keep=generation)

    def add(self, records: Iterable[IndexRecord]) -> int:
        """Store listings; one that is there already is replaced. Returns how many were stored.

        What was stored when an error is raised stays; adding the same records again is safe.

        Raises:
            BadRecord: contact data, a vector of a wrong size, an unusable id; nothing of its batch is stored.
        """
        stored = 0
        for group in chunks(records, BATCH):
            for record in group:
                check(record, self.manifest.encoders, self._contact_check)
            stored += self._write(group)
        return stored

    def remove(self, listing_ids: Iterable[str]) -> int:
        """Delete listings with all their vectors; returns how many of them were there."""
        removed = 0
        for group in chunks(listing_ids, 500):
            here = {"listing_id": {"$in": group}}
            with self._change(group):
                ids_of_part: dict[Part, list[str]] = {part: self._ids(part, where=here) for part in PARTS}
                removed += len({RowKey.decode(i).listing_id for i in chain(*ids_of_part.values())})
                for part, ids in ids_of_part.items():
                    self._delete(part, ids)
        return removed

    def get(self, listing_id: str) -> IndexRecord | None:
        """The listing with its vectors, or None."""
        return next(iter(self._assemble({"listing_id": listing_id})), None)

    def first_image_vectors(self, listing_ids: Iterable[str]) -> dict[str, list[float]]:
        """The vector of each listing's first photo; listings without one are left out."""
        first: dict[str, tuple[int, list[float]]] = {}
        for group in chunks(listing_ids, BATCH):
            rows = self._call("image", "get", where={"listing_id": {"$in": group}}, include=["embeddings"])
            for row_id, vector in zip(rows["ids"], rows["embeddings"], strict=True):
                key = RowKey.decode(row_id)
                if int(key.part) < first.get(key.listing_id, (_NO_PHOTO, []))[0]:
                    first[key.listing_id] = int(key.part), vector.tolist()
        return {listing_id: vector for listing_id, (_, vector) in first.items()}

    def records(self) -> Iterator[IndexRecord]:
        """All listings with their vectors."""
        for group in chunks(sorted(self.ids()), 500):
            yield from self._assemble({"listing_id": {"$in": group}})

    def count(self) -> int:
        """Number of listings (not of photos)."""
        return len(self.ids())

    def ids(self) -> set[str]:
        """Ids of all listings."""
        return {RowKey.decode(row_id).listing_id for part in PARTS for row_id in self._ids(part)}

    def photo_count(self) -> int:
        """Number of photos with a vector."""
        return int(self._call("image", "count"))

    def categories(self) -> list[str]:
        """The category of every listing, in no order."""
        keys = (RowKey.decode(row_id) for part in PARTS for row_id in self._ids(part))
        return list({key.listing_id: key.category for key in keys}.values())

    def search_images(
        self,
        vectors: Sequence[Sequence[float]],
        limit: int = 10,
        filter_by: Filter = _EVERYTHING,
        enough: int | None = None,
    ) -> list[Hit]:
        """Listings with a photo near one of ``vectors`` [photos, dimensions], nearest first; see ``search.nearest``."""
        return self._on("image", lambda c: nearest(c, vectors, limit, filter_by, enough)) if len(vectors) else []

    def search_text(
        self, vector: Sequence[float], limit: int = 10, filter_by: Filter = _EVERYTHING, enough: int | None = None
    ) -> list[Hit]:
        """Listings whose text is near ``vector`` [dimensions], nearest first."""
        return self._on("text", lambda c: nearest(c, [vector], limit, filter_by, enough))

    def fetch(self, hits: Sequence[Hit]) -> dict[str, IndexRecord]:
        """Records (without vectors) of hits of either search, by listing id."""
        records: dict[str, IndexRecord] = {}
        for part in PARTS:
            ids = [h.row_id for h in hits if (RowKey.decode(h.row_id).part == TEXT_PART) == (part == "text")]
            if ids:
                rows = self._call(part, "get", ids=ids, include=["metadatas"])
                records.update({m["listing_id"]: to_record(m) for m in rows["metadatas"]})
        return records

    def priced(
        self,
        categories: Sequence[str],
        brand: str | None = None,
        without_sellers: frozenset[str] = frozenset(),
        limit: int = PRICES,
    ) -> list[IndexRecord]:
        """People's listings of these categories, of all brands or one, that carry a price: newest first, no vectors.

        Where an eighth of them is enough, they are the newest of that eighth.
        """
        name, marked = PRICED_BRAND if brand else PRICED, self._marks_prices()
        keys, ids = set[str](), dict[Part, list[str]]()
        for shards in (1, SHARDS) if marked else (SHARDS,):
            keys = {key for c in categories for n in range(shards) if (key := price_key(c, brand or None, n))}
            where: dict[str, Any] = {name: {"$in": [*keys]}} if marked else {"category": {"$in": [*categories]}}
            for part in PARTS if keys else ():  # rows come in the order in which they were stored
                stored = reversed(self._ids(part, where))
                others = (i for i in stored if RowKey.decode(i).seller_id not in without_sellers)
                ids[part] = list(islice(others, limit if marked else BATCH))
            if sum(map(len, ids.values())) >= limit:
                break
        rows = [record for part in reversed(ids) if ids[part] for record in self._records_of(part, ids[part])]
        return list({r.listing_id: r for r in rows if price_keys(r)[name] in keys}.values())[:limit]

    def _records_of(self, part: Part, ids: Sequence[str]) -> list[IndexRecord]:
        """Records of rows, in the order of their ids."""
        rows = self._call(part, "get", ids=list(ids), include=["metadatas"])
        by_id = dict(zip(rows["ids"], rows["metadatas"], strict=True))
        return [to_record(by_id[i]) for i in ids if i in by_id]

    def _marks_prices(self) -> bool:
        """False in an index that was built before rows said whether they carry a price."""
        return PRICED in (self._on("text", lambda collection: collection.metadata) or {})

    def _write(self, records: Sequence[IndexRecord]) -> int:
        """New rows first, surplus rows of earlier versions afterwards, so that a stop in between loses nothing."""
        unique = {record.listing_id: record for record in records}
        here = {"listing_id": {"$in": list(unique)}}
        for part, rows in zip(PARTS, to_rows(unique.values()), strict=True):
            with self._change(unique):
                before = self._ids(part, where=here)
                if before:
                    self._place.note_removal(self.manifest.generation)
                for columns in slices(rows, BATCH):
                    self._call(part, "upsert", **columns)
                self._delete(part, sorted(set(before) - {row_id for row_id, *_ in rows}))
        return len(unique)

    @contextmanager
    def _change(self, listing_ids: Iterable[str]) -> Iterator[None]:
        """Around a change of these listings, one at a time: a rebuild takes them in as they are afterwards."""
        with self._changing:
            if self._changed is not None:
                self._changed.update(listing_ids)
            yield

    def _delete(self, part: Part, ids: Sequence[str]) -> None:
        for group in chunks(ids, BATCH):
            self._place.note_removal(self.manifest.generation)
            self._call(part, "delete", ids=group)

    def _assemble(self, where: dict[str, Any]) -> list[IndexRecord]:
        images: dict[str, dict[int, list[float]]] = {}
        texts: dict[str, list[float]] = {}
        plain: dict[str, IndexRecord] = {}
        for part in PARTS:
            rows = self._call(part, "get", where=where, include=["metadatas", "embeddings"])
            for row_id, vector, metadata in zip(rows["ids"], rows["embeddings"], rows["metadatas"], strict=True):
                key, numbers = RowKey.decode(row_id), [float(x) for x in vector]
                plain[key.listing_id] = to_record(metadata)
                if key.part == TEXT_PART:
                    texts[key.listing_id] = numbers
                else:
                    images.setdefault(key.listing_id, {})[int(key.part)] = numbers
        return [
            record.model_copy(
                update={"image_vectors": [v for _, v in sorted(images.get(i, {}).items())], "text_vector": texts.get(i)}
            )
            for i, record in plain.items()
        ]

    def _ids(self, part: Part, where: dict[str, Any] | None = None) -> list[str]:
        return list(self._call(part, "get", where=where, include=[])["ids"])

    def _call(self, part: Part, method: str, **arguments: Any) -> Any:
        """A method of a collection."""
        return self._on(part, lambda collection: getattr(collection, method)(**arguments))

    def _on(self, part: Part, work: Callable[[Any], T]) -> T:
        """Run ``work`` on a collection; on a server somebody else may have rebuilt the index in the meantime."""
        from chromadb.errors import NotFoundError

        with self._place.answering(), plain_errors(self._place.name):
            try:
                return _again(lambda: work(self._parts[part]))
            except NotFoundError:
                newer = self._place.current()
                newer.check(self.manifest.encoders, self._place.name)
                self.manifest, self._parts = newer, collections_of(self._place, newer.generation)
                return work(self._parts[part])


def _again(work: Callable[[], T]) -> T:
    """Run ``work``, again where Chroma met a row that was removed while it read: it looks rows up one by one."""
    from chromadb.errors import InternalError

    for _ in range(READS):
        try:
            return work()
        except InternalError as error:
            if "finding id" not in str(error):
                raise
    return work()


def build(
    records: Iterable[IndexRecord],
    location: str | Path,
    encoders: EncodersInfo,
    *,
    contact_check: ContactCheck | None = None,
) -> int:
    """Make an index (again) and swap it in; returns the number of listings. Interrupted, it changes nothing.

    Raises:
        BadRecord, IndexBusy: a record cannot be stored, or the folder is open in another process.
    """
    place = find_place(location)
    try:
        return _fill(place, records, encoders, contact_check)
    finally:
        place.close()


def _fill(
    place: Place, records: Iterable[IndexRecord], encoders: EncodersInfo, contact_check: ContactCheck | None
) -> int:
    generation = new_generation()
    parts = collections_of(place, generation, create=True)
    ids: set[str] = set()
    try:
        for group in chunks(records, BATCH):
            for record in group:
                check(record, encoders, contact_check)
                if record.listing_id in ids:
                    raise BadRecord(f"Listing {record.listing_id!r} is given twice; give each listing its own id.")
                ids.add(record.listing_id)
            for part, rows in zip(PARTS, to_rows(group), strict=True):
                for columns in slices(rows, BATCH):
                    with plain_errors(place.name):
                        parts[part].upsert(**columns)
    except BaseException:
        place.drop(generation)
        raise
    place.publish(Manifest.now(generation, encoders, len(ids)))
    place.sweep(keep=generation)
    return len(ids)
