"""Where a model's calibration is kept: in its own folder, or in the home for a model that has none here."""

from __future__ import annotations

import hashlib
import re
import shlex
from pathlib import Path

from listing.backends.base import Backend
from listing.calibration import FILE


def is_server(model: str) -> bool:
    """True if a model is named by a server's address."""
    return model.startswith(("http://", "https://"))


def identity(model: str, backend: Backend | None = None) -> str:
    """A hub id as it is; of a server, the address and the model that it serves (asked for without a ``backend``).

    Raises:
        BackendError: the server does not answer.
    """
    if not is_server(model):
        return model
    if backend is None:
        from listing.backends.openai import OpenAIBackend

        backend = OpenAIBackend(model)
    return f"{backend.describe()['device']}#{backend.name}"


def file_stem(name: str) -> str:
    """A file name without an ending that can be read and is no other name's."""
    readable = re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-.")[:100]
    return f"{readable}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def calibration_file(model: str | Path, home: Path, backend: Backend | None = None) -> Path:
    """The file of a folder, hub id or server's address, whether it is there or not.

    Raises:
        BackendError: see ``identity``.
    """
    if Path(model).is_dir():
        return Path(model) / FILE
    return home / "calibrations" / f"{file_stem(identity(str(model), backend))}.json"


def command(model: str | None) -> str:
    """The command that calibrates a model; None is the embedded one."""
    return "./ipl evaluate --calibrate" + (f" --model {shlex.quote(model)}" if model else "")
