"""Where everything that is made on this machine lives: models, wheels, index, store."""

from __future__ import annotations

import contextlib
import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

log = logging.getLogger(__name__)
PRIVATE = (
    "store.sqlite*",
    "session.key",
    "index",
    "media",
    "feed",
    "logs",
    "uploads",
    "imports",
)  # what lies in a home


def ipl_home() -> Path:
    """``$IPL_HOME``, else ``$XDG_CACHE_HOME/ipl``, else ``~/.cache/ipl`` (the launcher follows the same rule)."""
    named = os.environ.get("IPL_HOME")
    if named:
        return Path(named).expanduser().resolve()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser() / "ipl"


@contextlib.contextmanager
def private_files() -> Iterator[None]:
    """Files that this process writes meanwhile can be read by their owner alone, whatever the caller's umask is."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def make_home(home: Path) -> None:
    """Make the folder ``home`` if there is none, and close it and what is in it to everybody but its owner.

    A folder in which everybody may write, such as ``/tmp``, is left as it is.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if home.stat().st_mode & stat.S_ISVTX:
        return
    for path in [home, *(p for pattern in PRIVATE for p in home.glob(pattern) if not p.is_symlink())]:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            try:
                path.chmod(mode & 0o700)
            except PermissionError:
                log.warning("%s can be read by others and belongs to somebody else; close it with chmod go=", path)
