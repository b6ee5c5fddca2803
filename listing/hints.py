"""The valid name that somebody probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

# What brings the packages that a bare ``pip install .`` leaves out.
EVERYTHING = "pip install '.[serve,tune,feed]' in a copy of the repository"


def did_you_mean(name: str, valid: Iterable[str], otherwise: str = "") -> str:
    """``did you mean 'x'?`` with the valid name nearest to ``name``; ``otherwise`` where none is near."""
    near = get_close_matches(name, list(valid), n=1, cutoff=0.5)
    return f"did you mean '{near[0]}'?" if near else otherwise
