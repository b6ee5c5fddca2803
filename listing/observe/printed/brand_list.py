"""The known brands (``brands.txt``, one a line, all its spellings), and spotting one in a line read with wrong letters.

The recogniser gives the probability of every character at every step of a line (connectionist temporal classification,
Graves et al. 2006). For each spelling the likeliest way through these steps is found; a brand is spotted when it is
nearly as likely, letter by letter, as what was read ("Rappa", "adidos"). A line must be that name and nothing else.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from listing.lexicon import BRAND_FILE, read_brands
from listing.shops.shop import BRANDS, use_shop

_LEAST = 4  # letters; a shorter name is spotted by chance
_POSSIBLE = -5.0  # log probability that each letter must reach at some step
# Mean log probability of a letter: of a name, of a name that is also a word. No wrong brand in 101 training photos.
_LIKELY, _VERY_LIKELY = -1.0, -0.3
_FLOOR = 1e-6
_NEVER = -1e9
_BLANK = 0  # its number among the characters
# Characters that OCR takes for each other in print; both sides of a comparison are mapped.
_CONFUSED = str.maketrans({"0": "o", "1": "i", "l": "i", "|": "i", "!": "i", "5": "s", "8": "b", "$": "s"})
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


def fold(text: str) -> str:
    """Letters and digits only, without case and accents: ``Lévi's®`` -> ``levis``."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in plain if c.isalnum())


def fold_confused(text: str) -> str:
    """``fold``, with characters that OCR confuses made one (0/o, 1/i/l, 5/s, 8/b), for comparing print with names."""
    return fold(text.casefold().translate(_CONFUSED))


class Spotted(NamedTuple):
    """A brand, and the mean probability of its letters (0..1)."""

    name: str
    score: float


class Line(str):
    """A line of text that knows which brand it may be."""

    spotted: Spotted | None = None


class SpottingDecoder:
    """The decoder of a recogniser, whose lines are ``Line``s."""

    def __init__(self, decoder: Any) -> None:
        self._decoder = decoder
        forms = {form for s in spellings() for form in (s.text, s.text.upper(), s.text.lower())}
        used = {character for form in forms for character in form}
        self._columns = [i for i, c in enumerate(decoder.character) if i == _BLANK or c in used]
        index = {decoder.character[column]: i for i, column in enumerate(self._columns)}
        by_length: dict[int, list[tuple[list[int], str, bool]]] = defaultdict(list)
        for spelling in spellings():
            for text in {spelling.text, spelling.text.upper(), spelling.text.lower()}:
                if len(spelling.key) >= _LEAST and all(character in index for character in text):
                    entry = [index[character] for character in text], spelling.name, spelling.strict
                    by_length[len(text)].append(entry)
        self._names = {
            length: (np.array([letters for letters, _, _ in entries]), [entry[1:] for entry in entries])
            for length, entries in by_length.items()
        }

    def __call__(self, steps: np.ndarray, *args: Any, **kwargs: Any) -> tuple[list[tuple[Line, float]], Any]:
        """The decoder's answer; ``steps``: probabilities [lines, steps, characters]."""
        read, words = self._decoder(steps, *args, **kwargs)
        lines = []
        for (text, score), line_steps in zip(read, steps, strict=True):
            line = Line(text)
            line.spotted = self._spot(line_steps) if any(c.isalpha() for c in text) else None
            lines.append((line, score))
        return lines, words

    def _spot(self, steps: np.ndarray) -> Spotted | None:
        """The likeliest brand of a line, or None."""
        logs, spotted = np.log(np.maximum(steps[:, self._columns], _FLOOR)), []
        peaks = logs.max(0)
        for length, (letters, names) in self._names.items():
            possible = np.flatnonzero((peaks[letters] > _POSSIBLE).all(1))
            if length <= len(logs) and len(possible):
                scores = best_path(logs, letters[possible]) / length
                spotted += [(float(score), *names[i]) for i, score in zip(possible, scores, strict=True)]
        likely = [(score, name) for score, name, strict in spotted if score >= (_VERY_LIKELY if strict else _LIKELY)]
        if not likely:
            return None
        score, name = max(likely)
        return Spotted(name, float(np.exp(score)))


def best_path(logs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Log probability [n] of each label's likeliest way; ``logs`` [steps, characters], ``labels`` [n, letters]."""
    count, length = labels.shape
    states = np.full((count, 2 * length + 1), _BLANK)  # a blank before, between and behind the letters
    states[:, 1::2] = labels
    skips = np.zeros(states.shape, bool)
    skips[:, 3::2] = labels[:, 1:] != labels[:, :-1]  # a blank may be left out between two different letters
    paths = np.full(states.shape, _NEVER)
    paths[:, :2] = logs[0][states[:, :2]]
    for step in logs[1:]:
        before = paths.copy()
        before[:, 1:] = np.maximum(before[:, 1:], paths[:, :-1])
        before[:, 2:] = np.maximum(before[:, 2:], np.where(skips[:, 2:], paths[:, :-2], _NEVER))
        paths = before + step[states]
    return np.asarray(paths[:, -2:].max(1))
