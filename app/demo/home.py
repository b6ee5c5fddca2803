"""The demo's folder: a home of its own, which a mark tells from any other."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from app.store.home_lock import only_user
from app.store.private_file import replace_privately
from listing.errors import IplError
from listing.home import make_home

MARK = "demo.json"
SHARED = ("models", "wheels")  # of the usual home, linked to


class DemoError(IplError):
    """The demo cannot go on; one sentence says what to do."""

    code, exit_status = "demo", 2


@dataclass(frozen=True)
class Made:
    """What the mark says. begin: ISO moment of the first day. ready: the making came to its end."""

    seed: int
    listings: int
    visitors: int
    begin: str
    ready: bool = False


def read(folder: Path) -> Made | None:
    """The demo in the folder; None where there is nothing yet. DemoError: the folder is something else."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return None
    try:
        return Made(**json.loads((folder / MARK).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        message = f"{folder} is no demo (it holds no {MARK}); name another folder with --home DIR."
        raise DemoError(message) from error


def begin(folder: Path, made: Made, home: Path) -> None:
    """Make the folder, with the models of the usual home. DemoError: it cannot be written."""
    try:
        make_home(folder)
        write(folder, made)
        for name in SHARED:
            if (home / name).is_dir():
                (folder / name).symlink_to(home / name)
    except OSError as error:
        raise DemoError(
            f"{folder} cannot be written ({error.strerror}); name another folder with --home DIR."
        ) from error


def write(folder: Path, made: Made) -> None:
    """Put the mark in its place."""
    replace_privately(folder / MARK, (json.dumps(asdict(made), indent=1) + "\n").encode())


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
