"""What sellers make of the drafts: figures from the store alone, by one function.

``python -m app.ops.adoption`` prints them as JSON.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from statistics import fmean
from typing import Any

from rapidfuzz.distance import LCSseq, Levenshtein
from sqlalchemy import select

from app.store.db import Store
from app.store.tables import EventRow, ListingRow
from app.views import TEXT_FIELDS


@dataclass(frozen=True)
class FactCounts:
    """One attribute over all published listings.

    kept: published as the model stated it. corrected: another value. left_out: stated by the model, not published.
    added: published, not stated by the model (a question's answer, a confirmed guess). Sums to every listing with it.
    """

    kept: int = 0
    corrected: int = 0
    left_out: int = 0
    added: int = 0


@dataclass(frozen=True)
class TextFigures:
    """One text over all published listings (means over listings; None without any).

    edit_distance: Levenshtein distance in characters over the longer text's length, 0 = untouched, 1 = all new.
    tokens_kept: share of the model's words that stand in the published text in the same order.
    untouched: share of listings whose text was published as the model wrote it.
    """

    edit_distance: float | None = None
    tokens_kept: float | None = None
    untouched: float | None = None


@dataclass(frozen=True)
class Adoption:
    """shown, published, abandoned: drafts by their events (deleted ones included).

    published_share: published among shown. category_corrected: share of published listings with another category than
    the model's. measured: listings whose texts could be compared (still there, with the model's text beside).
    """

    shown: int
    published: int
    abandoned: int
    published_share: float | None
    measured: int
    category_corrected: float | None
    texts: dict[str, TextFigures] = field(default_factory=dict)
    facts: dict[str, FactCounts] = field(default_factory=dict)


def adoption(store: Store) -> Adoption:
    """The figures of everything in the store."""
    with store.read() as session:
        by_kind = {
            kind: set(session.scalars(select(EventRow.draft_id).where(EventRow.kind == kind)))
            for kind in ("shown", "published", "abandoned")
        }
        query = select(ListingRow.generated, ListingRow.published)
        rows = session.execute(query.where(ListingRow.generated.is_not(None), ListingRow.published.is_not(None))).all()
    pairs: list[tuple[dict[str, Any], dict[str, Any]]] = [(row[0], row[1]) for row in rows]
    shown, published = by_kind["shown"], by_kind["published"]
    return Adoption(
        shown=len(shown),
        published=len(published),
        abandoned=len(by_kind["abandoned"]),
        published_share=len(published & shown) / len(shown) if shown else None,
        measured=len(pairs),
        category_corrected=_mean(float(made["category"]["value"] != sold["category"]) for made, sold in pairs),
        texts={name: compare_texts([(made[name], sold[name]) for made, sold in pairs]) for name in TEXT_FIELDS},
        facts=_facts(pairs),
    )


def compare_texts(pairs: Sequence[tuple[str, str]]) -> TextFigures:
    """Figures of (generated, published) texts."""
    words = [(made.split(), sold.split()) for made, sold in pairs]
    return TextFigures(
        edit_distance=_mean(Levenshtein.normalized_distance(made, sold) for made, sold in pairs),
        tokens_kept=_mean(LCSseq.similarity(made, sold) / len(made) for made, sold in words if made),
        untouched=_mean(float(made == sold) for made, sold in pairs),
    )


def _facts(pairs: Iterable[tuple[dict[str, Any], dict[str, Any]]]) -> dict[str, FactCounts]:
    counts: dict[str, Counter[str]] = {}
    for made, sold in pairs:
        stated = {a["name"]: a["value"] for a in made["attributes"] if a.get("value") is not None}
        for name in stated.keys() | sold["attributes"].keys():
            counts.setdefault(name, Counter())[_outcome(stated.get(name), sold["attributes"].get(name))] += 1
    return {name: FactCounts(**counts[name]) for name in sorted(counts)}


def _outcome(stated: str | None, sold: str | None) -> str:
    if stated is None:
        return "added"
    if sold is None:
        return "left_out"
    return "kept" if stated == sold else "corrected"


def _mean(values: Iterable[float]) -> float | None:
    numbers = list(values)
    return fmean(numbers) if numbers else None


def main() -> int:
    """Print the figures of the store that the settings name."""
    from app.settings import SettingsError, load_settings
    from app.store.db import StoreError, open_store

    try:
        print(json.dumps(asdict(adoption(open_store(load_settings().store_url))), indent=1))
    except (SettingsError, StoreError) as error:
        print(f"ipl: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
