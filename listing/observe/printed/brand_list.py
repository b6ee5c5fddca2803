"""The brands that are known: ``brands.txt``, one a line, all its spellings; its head explains the marks."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path

from listing.lexicon import BRAND_FILE, read_brands
from listing.observe.printed.folding import fold
from listing.shops.shop import BRANDS, use_shop

BETWEEN_WORDS = re.compile(r"[\s./|,;:()\[\]\"*·•_+\-]+")
SHORT = 3  # letters; so short a name is read by chance too often


@dataclass(frozen=True)
class Spelling:
    """One way to write a brand: as it stands in print, its letters, how many words, whether it must stand alone."""

    name: str
    text: str
    key: str
    words: int
    strict: bool


def spellings() -> tuple[Spelling, ...]:
    """All spellings of all brands, in the order of the list; behind them those that a shop's table names besides."""
    return _spellings(use_shop())


@functools.cache
def _spellings(shop: Path | None) -> tuple[Spelling, ...]:
    read: list[Spelling] = []
    files = [BRAND_FILE, *([shop / BRANDS] if shop else [])]
    for marked, texts in (brand for file in files for brand in read_brands(file)):
        for text in texts:
            words = words_of(text)
            key = "".join(words)
            # A longer spelling of a common word ("Hugo Boss") is no common word itself.
            read.append(Spelling(texts[0], text, key, len(words), len(key) <= SHORT or (marked and len(words) == 1)))
    return tuple(read)


def words_of(text: str) -> list[str]:
    """The words of a text, folded."""
    return [word for part in BETWEEN_WORDS.split(text) if (word := fold(part))]
