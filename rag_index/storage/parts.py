"""The two collections of a generation: opened, and filled with what another one holds.

Chroma's first files of vectors begin as a piece of its process's memory, whatever stood there. So a generation that is
to keep no traces is filled by a process of its own, which has never held anything but its rows.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

from rag_index.errors import IndexFailure
from rag_index.storage.location import FolderPlace, Place, client_of, plain_errors
from rag_index.storage.manifest import SPACE, EncodersInfo
from rag_index.storage.rows import PRICED, chunks, price_keys, slices, to_record

HNSW: Any = {"space": SPACE, "ef_construction": 100, "max_neighbors": 16, "ef_search": 100}
Part = Literal["image", "text"]
PARTS: tuple[Part, ...] = ("image", "text")
COPIED = 200  # rows that are copied in one step, between which others have their turn
WHOLE = ["embeddings", "metadatas"]
FILLERS = ["-", "--"]  # rows that make Chroma write its files
Columns = dict[str, Any]


def collections_of(place: Place, generation: str, *, create: bool = False) -> dict[Part, Any]:
    """The two collections of a generation."""
    with plain_errors(place.name):
        return _collections(place.client(generation), generation, create=create)


def _collections(client: Any, generation: str, *, create: bool) -> dict[Part, Any]:
    collections: dict[Part, Any] = {}
    for part in PARTS:
        name = f"ipl-{generation}-{part}"
        collections[part] = (
            client.create_collection(
                name, configuration={"hnsw": HNSW}, metadata={PRICED: True}, embedding_function=None
            )
            if create
            else client.get_collection(name, embedding_function=None)
        )
    return collections


def stored(ids: Sequence[str], rows: Any) -> Iterator[Columns]:
    """What ``get`` has found of these ids, for ``upsert``, in their order: by it the newest are known."""
    columns = zip(rows["ids"], rows["embeddings"], rows["metadatas"], strict=True)
    by_id = {i: (vector.tolist(), _with_prices(data)) for i, vector, data in columns}
    return slices([(i, *by_id[i]) for i in ids if i in by_id], COPIED)


def _with_prices(data: dict[str, Any]) -> dict[str, Any]:
    """Metadata with its prices' keys: those of an index that was built before rows had any are added."""
    return data if PRICED in data else {**data, **price_keys(to_record(data))}


@contextmanager
def filling(place: Place, generation: str, encoders: EncodersInfo) -> Iterator[Callable[[Part, Columns], None]]:
    """Make a generation of the rows that are handed to it in the block; in a folder by a process of its own."""
    if not isinstance(place, FolderPlace):
        parts = collections_of(place, generation, create=True)
        yield lambda part, columns: parts[part].upsert(**columns)
        return
    apart = multiprocessing.get_context("spawn")
    theirs, ours = apart.Pipe(duplex=False)
    sizes = {"image": encoders.image.dimensions, "text": encoders.text.dimensions}
    process = apart.Process(target=_fill, args=(place.folder / generation, generation, sizes, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield lambda part, columns: ours.send((part, columns))
        ours.send(None)
    except BrokenPipeError:
        pass  # it has ended, see below
    finally:
        ours.close()
        process.join()
    if process.exitcode != 0:
        raise IndexFailure(
            f"The index in {place.name} could not be rebuilt (its process ended with {process.exitcode})."
        )


def _fill(folder: Path, generation: str, sizes: dict[Part, int], rows: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal stops the server, which ends this
    client = client_of(folder)
    parts = _collections(client, generation, create=True)
    try:
        while (message := rows.recv()) is not None:
            parts[message[0]].upsert(**message[1])
    except EOFError:  # whoever wanted it has died or given up
        return
    # Whoever opens a collection of few vectors begins its files anew, unless some were written once. How many it takes
    # is read at an opening.
    for collection in parts.values():
        collection.modify(configuration={"hnsw": {"sync_threshold": 2, "batch_size": 2}})
    client.close()
    client = client_of(folder)
    for part, collection in _collections(client, generation, create=False).items():
        collection.upsert(ids=FILLERS, embeddings=[[1.0] * sizes[part]] * len(FILLERS))
        collection.modify(configuration={"hnsw": {"sync_threshold": 1_000, "batch_size": 100}})
    client.close()
    client = client_of(folder)
    for collection in _collections(client, generation, create=False).values():
        collection.delete(ids=FILLERS)
    client.close()


def copy_again(old: dict[Part, Any], new: dict[Part, Any], listing_ids: Sequence[str]) -> None:
    """Make the rows of these listings in ``new`` those that are in ``old``."""
    here = {"listing_id": {"$in": list(listing_ids)}}
    for part in PARTS:
        for group in chunks(new[part].get(where=here, include=[])["ids"], COPIED):
            new[part].delete(ids=group)
        for group in chunks(old[part].get(where=here, include=[])["ids"], COPIED):
            for columns in stored(group, old[part].get(ids=group, include=WHOLE)):
                new[part].upsert(**columns)
