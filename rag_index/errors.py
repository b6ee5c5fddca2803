"""What can go wrong with the index; every message is one sentence that says what to do."""

from __future__ import annotations


class IndexFailure(RuntimeError):
    """The index cannot be used."""


class IndexMissing(IndexFailure):
    """There is no finished index at that location."""


class IndexBusy(IndexFailure):
    """Another process has the folder open."""


class IndexMismatch(IndexFailure):
    """The index was built by another model or another version of its format."""


class IndexUnreachable(IndexFailure):
    """The server does not answer."""


class BadRecord(ValueError):
    """A record cannot be indexed: contact data in it, vectors of a wrong size, an unusable id."""
