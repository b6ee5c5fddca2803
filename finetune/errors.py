"""Errors about what a person gave; every message is one sentence that says what to do."""

from __future__ import annotations

from rag_index import IplError


class DataError(IplError, ValueError):
    """Photos, annotations, listings or labels cannot be used."""

    exit_status = 2


class TuneError(IplError, ValueError):
    """A config, a model, an adapter or a file of samples cannot be used."""

    exit_status = 2
