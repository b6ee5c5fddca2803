"""The true probabilities, kept where training cannot read them.

They lie in ``ROOT/oracle/``, beside ``ROOT/log/`` which is all that a training run is given, in a format of their own
that no log reader opens. ``open_oracle`` is for evaluation. ``no_oracle()`` wraps training: within it, any attempt of
the process to open a file of an oracle folder raises, whatever function tries it.
"""

from __future__ import annotations

import io
import sys
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from recommend.errors import RecommendError

FOLDER = "oracle"
SUFFIX = ".truth"
_MAGIC = b"WORLD-TRUTH-1\n"


class _Seal:
    """State of the process's audit hook. A hook cannot be taken off, so it is put on once and asks ``depth``; it must
    hold for every thread, which a context variable would not."""

    def __init__(self) -> None:
        self.depth = 0
        self.hooked = False

    def refuse(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Raise when a truth file is opened while sealed."""
        if event != "open" or not self.depth:
            return
        path = arguments[0].decode() if isinstance(arguments[0], bytes) else str(arguments[0])
        if path.endswith(SUFFIX):
            raise OracleSealed("training must not read the true probabilities; use open_oracle after training.")


_seal = _Seal()


class OracleSealed(RecommendError, PermissionError):
    """Training tried to read the truth."""

    exit_status = 1


def write_truth(root: Path, name: str, arrays: Mapping[str, np.ndarray]) -> Path:
    """Write arrays as ``ROOT/oracle/NAME.truth``; the same arrays give the same bytes."""
    buffer = io.BytesIO()
    for key in sorted(arrays):
        np.lib.format.write_array(buffer, np.asarray([key]), allow_pickle=False)
        np.lib.format.write_array(buffer, np.ascontiguousarray(arrays[key]), allow_pickle=False)
    path = Path(root) / FOLDER / f"{name}{SUFFIX}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_MAGIC + zlib.compress(buffer.getvalue(), level=1))
    return path


def open_oracle(root: Path, name: str) -> dict[str, np.ndarray]:
    """Truth of a world, by row of the log's file: ``impression/day=DDD``, ``candidate/day=DDD``, ``user`` or ``item``.

    Raises:
        OracleSealed: called within ``no_oracle()``.
        FileNotFoundError: the world has no such table of truth.
    """
    path = Path(root) / FOLDER / f"{name}{SUFFIX}"
    if not path.exists():
        raise FileNotFoundError(f"there is no truth '{name}' in {root}; write the world again with write_world.")
    data = path.read_bytes()
    if not data.startswith(_MAGIC):
        raise ValueError(f"{path} is not a table of truth; write the world again with write_world.")
    stream = io.BytesIO(zlib.decompress(data[len(_MAGIC) :]))
    arrays: dict[str, np.ndarray] = {}
    end = stream.getbuffer().nbytes
    while stream.tell() < end:
        key = np.lib.format.read_array(stream, allow_pickle=False)[0]
        arrays[str(key)] = np.lib.format.read_array(stream, allow_pickle=False)
    return arrays


@contextmanager
def no_oracle() -> Iterator[None]:
    """Within it, opening any file of an oracle folder raises ``OracleSealed``; wraps every training run."""
    if not _seal.hooked:
        sys.addaudithook(_seal.refuse)
        _seal.hooked = True
    _seal.depth += 1
    try:
        yield
    finally:
        _seal.depth -= 1
