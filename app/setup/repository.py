"""Whether this is a copy of the repository or an installed package, which has no tests, no documentation, no tools."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def repository() -> Path | None:
    """The repository's root; None for an installed package."""
    return ROOT if (ROOT / "pyproject.toml").is_file() and (ROOT / "tests").is_dir() else None
