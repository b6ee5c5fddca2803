"""Pace of Python's garbage collection: seldom while modules are imported, which would take a tenth longer."""

from __future__ import annotations

import gc

USUAL = gc.get_threshold()
SELDOM = 50_000  # new objects before it looks; Python's own is 700 to 2,000


def seldom() -> None:
    """From now on; ``as_usual`` ends it."""
    gc.set_threshold(SELDOM)


def as_usual() -> None:
    """Python's own again."""
    gc.set_threshold(*USUAL)
