"""The word lists of ``listing.lexicon``, under their former name."""

from __future__ import annotations

from listing.lexicon import words

__all__ = ["words"]
