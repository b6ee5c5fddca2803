"""Programs that are not Python packages: where they are, and how to get them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
POSTGRES_FOLDERS = ("/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt")


def find_chromium() -> Path | None:
    """The installed Chromium or Chrome."""
    path = next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)
    return Path(path) if path else None


def find_postgres() -> Path | None:
    """The folder with PostgreSQL's server programs (``initdb``, ``postgres``), newest version first."""
    for folder in POSTGRES_FOLDERS:
        versions = [p for p in Path(folder).glob("*/bin") if (p / "initdb").is_file() and (p / "postgres").is_file()]
        if versions:
            return max(versions, key=_version)
    path = shutil.which("initdb")
    return Path(path).resolve().parent if path and shutil.which("postgres") else None


def find_faketime() -> Path | None:
    """The library that, loaded before all others, gives a program another clock."""
    return next(iter(sorted(Path("/usr/lib").glob("**/faketime/libfaketimeMT.so.1"))), None)


def _version(folder: Path) -> int:
    digits = "".join(c for c in folder.parent.name if c.isdigit())
    return int(digits) if digits else 0


# Name, where it is, which tests need it, how to get it.
PROGRAMS: tuple[tuple[str, Callable[[], Path | None], str, str], ...] = (
    ("Chromium", find_chromium, "the page's browser tests", "apt-get install chromium, or install Chrome"),
    ("PostgreSQL", find_postgres, "the store's server tests", "apt-get or brew install postgresql"),
    ("libfaketime", find_faketime, "the tests of clocks that jump", "apt-get install libfaketime (Linux)"),
)
