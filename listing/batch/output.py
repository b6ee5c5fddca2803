"""The output of a batch: appended line by line, on the disk before the next line, healed after a crash."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from listing.errors import IplError


class BatchError(IplError, RuntimeError):
    """The batch cannot go on; the message is one sentence that says what to do."""


class Output:
    """A JSONL file that one run at a time extends. Use as a context manager."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._end = 0

    @classmethod
    def open(cls, path: Path, *, resume: bool) -> Output:
        """Open; BatchError: it exists (without ``resume``), another run writes to it, or it cannot be written."""
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT
        try:
            descriptor = os.open(path, flags, 0o644)
        except OSError as error:
            raise BatchError(f"{path} cannot be written ({error.strerror}): name another file with -o.") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # released when the process ends, however it ends
        except OSError as error:
            os.close(descriptor)
            raise BatchError(f"another run is writing to {path}: wait for it, or name another file with -o.") from error
        if os.fstat(descriptor).st_size and not resume:
            os.close(descriptor)
            raise BatchError(f"{path} exists already: add --resume to go on with it, or name another file with -o.")
        return cls(path, descriptor)

    def __enter__(self) -> Output:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._descriptor)

    def existing(self) -> Iterator[dict[str, Any]]:
        """The whole lines, in order; then a torn last line is cut off, so that appending starts a line of its own.

        BatchError: a line in the middle is no JSON, so the file is something else.
        """
        if not os.fstat(self._descriptor).st_size:
            return
        with open(self._descriptor, "rb", closefd=False) as file:
            for number, line in enumerate(file, 1):
                if (parsed := _parse(line)) is None:
                    if next(file, None) is not None:
                        raise BatchError(f"{self.path} is damaged at line {number}: move it away and start again.")
                    break
                self._end += len(line)
                yield parsed
        if self._end < os.fstat(self._descriptor).st_size:
            os.ftruncate(self._descriptor, self._end)
            os.fsync(self._descriptor)

    def append(self, row: Mapping[str, Any]) -> None:
        """Add one line, which is on the disk then; BatchError: it is not, and its part is cut off again."""
        line = (json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n").encode()
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            os.fsync(self._descriptor)
        except OSError as error:
            with contextlib.suppress(OSError):  # if even that fails, the next run heals it
                os.ftruncate(self._descriptor, self._end)
            raise BatchError(
                f"{self.path} cannot be written any further ({error.strerror}): free some space, then run the same "
                "command with --resume."
            ) from error
        self._end += len(line)


def _parse(line: bytes) -> dict[str, Any] | None:
    """The row, or None when the line was not written to its end."""
    if not line.endswith(b"\n"):
        return None
    try:
        parsed = json.loads(line)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None
