"""Whose voice is a text in: a private seller's on this platform, or a shop catalogue's?

A linear classifier over letters and words. Facts would give the classes away (the catalogue has other things), so names
of colours, things, brands and numbers are masked first; catalogue texts are cut to the length of a seller's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from finetune.evaluate.measures import words

PLATFORM, CATALOGUE = 1, 0
_MASKED = "thing"


class StyleClassifier:
    """Fitted on texts of both voices; ``held_accuracy`` (0..1, balanced) is that of texts that it did not see.

    platform, catalogue: (texts to fit on, texts held out).
    """

    def __init__(
        self, platform: tuple[Sequence[str], Sequence[str]], catalogue: tuple[Sequence[str], Sequence[str]]
    ) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.metrics import balanced_accuracy_score
        from sklearn.pipeline import make_pipeline, make_union

        self._model: Any = make_pipeline(
            make_union(
                TfidfVectorizer(analyzer="word", ngram_range=(1, 2), sublinear_tf=True, min_df=2),
                TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, min_df=3),
            ),
            LogisticRegression(C=4.0, class_weight="balanced", max_iter=400),
        )
        (fitted, kinds), (held, truth) = (
            ([masked(t) for t in (*ours, *theirs)], [PLATFORM] * len(ours) + [CATALOGUE] * len(theirs))
            for ours, theirs in zip(platform, catalogue, strict=True)
        )
        self._model.fit(fitted, kinds)
        self.held_accuracy = float(balanced_accuracy_score(truth, self._model.predict(held)))

    def platform(self, texts: Sequence[str]) -> list[bool]:
        """Which of the texts are in the platform's voice; an empty text is in none."""
        said = self._model.predict([masked(t) for t in texts]) if texts else []
        return [bool(words(text) and label == PLATFORM) for text, label in zip(texts, said, strict=True)]


@cache
def _content() -> re.Pattern[str]:
    from listing.lexicon import load_lexicon

    lexicon = load_lexicon()
    names = sorted({*lexicon.meanings, *lexicon.nouns}, key=len, reverse=True)
    return re.compile(r"\b(?:" + "|".join(re.escape(n).replace(r"\ ", r"[\s-]+") for n in names) + r")(?:e?s)?\b|\d+")


def masked(text: str) -> str:
    """The text in lower case without what it is about."""
    from listing.lexicon import load_lexicon

    return _content().sub(_MASKED, load_lexicon().brands.sub(_MASKED, text).lower())


def catalogue_texts(folder: Path, count: int, seed: int = 0) -> tuple[list[str], list[str]]:
    """(texts to fit on, held-out texts of other brands) of a table ``text_44k.parquet``: openings of descriptions."""
    import pyarrow.parquet as pq

    table = pq.read_table(folder / "text_44k.parquet", columns=["brand", "description", "master_category"]).to_pylist()
    rng = Random(seed)
    rng.shuffle(table)
    brands = sorted({str(row["brand"]) for row in table})
    held = set(rng.sample(brands, len(brands) // 5))
    parts: tuple[list[str], list[str]] = ([], [])
    for row in table:
        text = opening(str(row["description"] or ""), rng.randint(8, 40))
        part = parts[str(row["brand"]) in held]
        if row["master_category"] in ("Apparel", "Footwear") and len(words(text)) >= 6 and len(part) < count:
            part.append(text)
    return parts


def opening(text: str, most: int) -> str:
    """Whole sentences from the beginning, at least one, about ``most`` words."""
    kept: list[str] = []
    total = 0
    for sentence in re.split(r"(?<=[.!?])\s+|\n+", text.strip()):
        total += len(words(sentence))
        if kept and total > most:
            break
        kept.append(sentence)
    return " ".join(kept)
