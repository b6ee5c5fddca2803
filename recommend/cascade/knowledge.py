"""Knowledge by key at the request (KEEP): looked up in the version that is current at that moment.

The store is a folder beside the models. A version that is published while the server runs is used from the next
request on; a store that is missing, empty or of other coordinates leaves the ranker without knowledge, which scores as
it would have done before it had any, and the page says so.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from recommend.cascade.registry import Loaded
from recommend.data.knowledge import KnowledgeStore
from recommend.data.parquet import DataError
from recommend.data.ragged import Batch, Column, array_of
from recommend.models.keep import CATEGORY, knowledge_columns, vectors

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Enriched:
    """The columns with knowledge, from where it is (``version 3``, or ``none: why``), and whether there is any."""

    columns: dict[str, Column]
    by: str = ""
    missing: bool = False


def without(loaded: Loaded, raw: Batch, why: str = "") -> Enriched:
    """The columns of a request of which nothing is known."""
    count = len(next(iter(raw.values()))) if raw else 0
    nothing: dict[str, Column] = {
        name: torch.zeros(count, width) for name, width in knowledge_columns(loaded.encoders.features).items()
    }
    return Enriched({**raw, **nothing}, f"none: {why}" if nothing else "", bool(nothing))


class Knowledge:
    """The store as a server reads it. Every method may be called from any thread.

    Args:
        folder: may come later, be replaced, or go away.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._store: KnowledgeStore | None = None
        self._file: tuple[int, int] | None = None
        self._lock = threading.Lock()

    def refresh(self) -> None:
        """See whether there is a store, and whether it is still the same file."""
        with self._lock:
            file = self._stamp()
            if file == self._file:
                return
            # What was open is not closed: a request may be reading from it.
            self._store, self._file = None, file
            if file is not None:
                try:
                    self._store = KnowledgeStore(self.folder, readonly=True)
                except DataError as error:
                    log.warning("the feed goes on without knowledge: %s", error)

    def add(self, loaded: Loaded, raw: Batch) -> Enriched:
        """The raw columns of a request with what is known of their keys, for a model that reads it."""
        widths = knowledge_columns(loaded.encoders.features)
        if not widths:
            return Enriched(dict(raw))
        store = self._store
        if store is None:
            return without(loaded, raw, "no store")
        facts = loaded.manifest.get("knowledge", {})
        user, item, category = (array_of(raw[name]) for name in ("user_id", "item_id", CATEGORY))
        try:
            with store.snapshot() as snapshot:
                version = snapshot.version
                if facts.get("source", version.source) != version.source:
                    return without(loaded, raw, f"version {version.number} is of another extractor")
                columns = vectors(snapshot, user, item, category)
        except DataError as error:
            return without(loaded, raw, str(error))
        if any(_width(columns.get(name)) != width for name, width in widths.items()):
            return without(loaded, raw, f"version {version.number} has vectors of another size")
        return Enriched({**raw, **columns}, f"version {version.number}")

    def _stamp(self) -> tuple[int, int] | None:
        try:
            facts = (self.folder / "data.mdb").stat()
        except OSError:
            return None
        return facts.st_dev, facts.st_ino


def _width(column: Column | None) -> int:
    return column.shape[1] if isinstance(column, Tensor) else 0
