"""The demo's folder: a home of its own, which a mark tells from any other."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from app.store.files import replace_privately
from app.store.home_lock import only_user
from listing.errors import IplError
from listing.home import make_home

FILE = "demo.json"
SHARED = ("models", "wheels")  # of the usual home, linked to


class DemoError(IplError):
    """The demo cannot go on; one sentence says what to do."""

    code, exit_status = "demo", 2


@dataclass(frozen=True)
class Mark:
    """Contents of the mark. begin: ISO moment of the first day. ready: it was finished."""

    seed: int
    listings: int
    visitors: int
    begin: str
    ready: bool = False


def read(folder: Path) -> Mark | None:
    """The demo in the folder; None where there is nothing yet. DemoError: the folder is something else."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return None
    try:
        return Mark(**json.loads((folder / FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        message = f"{folder} is no demo (it holds no {FILE}); name another folder with --home DIR."
        raise DemoError(message) from error


def begin(folder: Path, mark: Mark, home: Path) -> None:
    """Make the folder, with the models of the usual home. DemoError: it cannot be written."""
    try:
        make_home(folder)
        write(folder, mark)
        for name in SHARED:
            if (home / name).is_dir():
                (folder / name).symlink_to(home / name)
    except OSError as error:
        raise DemoError(
            f"{folder} cannot be written ({error.strerror}); name another folder with --home DIR."
        ) from error


def write(folder: Path, mark: Mark) -> None:
    """Put the mark in its place."""
    replace_privately(folder / FILE, (json.dumps(asdict(mark), indent=1) + "\n").encode())


def clean(folder: Path) -> bool:
    """Delete the demo, and nothing else; False where there is none.

    Raises:
        DemoError: the folder is something else. HomeInUse: it is being served or made.
    """
    if read(folder) is None:
        return False
    with only_user(folder):
        shutil.rmtree(folder)  # links in it, as to the models, are not followed
    return True
