"""Codes of an imported log's texts: which number each has become, and whether a log has those that a run was taught."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow.parquet as pq

from recommend.data.parquet import DataError

CODES = "codes"  # folder beside the tables
PART = 100_000  # texts that are digested at a time


def code_file(log: Path, column: str) -> Path:
    """Where the codes of a column's texts lie; a column without the file holds its numbers as they are."""
    return Path(log) / CODES / f"{column}.parquet"


def marks(log: Path, columns: Iterable[str]) -> dict[str, str]:
    """Marks that tell the codes of some columns from others: how many, and a digest of the texts in their order."""
    digests = {}
    for name in sorted(set(columns)):
        if code_file(log, name).is_file():
            texts = _texts(log, name)
            digests[name] = f"{len(texts)} {_digest(texts)}"
    return digests


def same_codes(log: Path, expected: Mapping[str, str], columns: Iterable[str]) -> None:
    """Check that a log's codes begin with those of ``marks``; more texts may follow.

    Raises:
        DataError: they do not, so that a number means something else.
    """
    for name in sorted({*expected, *columns}):
        there = code_file(log, name).is_file()
        if there == (name in expected):
            if not there:
                continue
            many, digest = expected[name].split()
            texts = _texts(log, name)
            if len(texts) >= int(many) and _digest(texts[: int(many)]) == digest:
                continue
        raise DataError(
            f"the codes of '{name}' in {log} are not those on which the run was trained; import the log with --like "
            "and the folder of that one."
        )


def _texts(log: Path, name: str) -> list[str]:
    table = pq.read_table(code_file(log, name)).sort_by("code")
    texts: list[str] = table["value"].to_pylist()
    return texts


def _digest(texts: list[str]) -> str:
    digest = hashlib.sha256()
    for at in range(0, len(texts), PART):
        digest.update("\0".join([*texts[at : at + PART], ""]).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:16]
