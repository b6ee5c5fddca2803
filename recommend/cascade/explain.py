"""Why a thing stands where it does: how far it came through the stages, and which of its features moved its score.

Features are judged by leave-one-out on the model that serves: a group of a thing's columns is replaced by that of
others on the same page, one after the other, and the mean of these predictions is what the thing would get without
being special in that. The counts of a group's ids go with it. Nothing is fitted beside the model.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from recommend.cascade.catalog import Catalog
from recommend.cascade.page import PageState
from recommend.cascade.registry import Loaded
from recommend.cascade.request import FEED, Moment, columns
from recommend.cascade.scoring import Models, in_vocabulary, probabilities
from recommend.cascade.visitors import Visitor
from recommend.features.feature_map import COUNTED

GROUPS: dict[str, tuple[str, ...]] = {
    "price": ("price", "price_bucket"),
    "category": ("category",),
    "seller": ("seller_id",),
    "condition": ("condition",),
    "photos": ("content",),
    "age": ("item_age_h",),
    "pieces": ("stock", "single"),
    "listing": ("item_id",),  # this very thing
}
COUNTS = {name: tuple(f.column for f in COUNTED if set(f.inputs) & set(of)) for name, of in GROUPS.items()}
PAST = "past"  # what is known of the visitor: without it
OTHERS = 8  # things of the page whose features stand in
MIN_FACTOR = 0.02  # of a factor's logarithm: what moves less is not told


@dataclass(frozen=True)
class Move:
    """``factor``: the predicted click rate over what it would be with the others' feature."""

    feature: str
    factor: float


@dataclass(frozen=True)
class Fate:
    """A thing's way through the stages of a page. Places count from 0; None: it did not come so far.

    Attributes:
        sources: that found it.
        candidates, ranked: how many things reached pre-ranking, and ranking.
        pre_place, pre_score: among the candidates; pre_cut: the lowest score that came through by itself, neither as
            an ad nor to be explored.
        rank, score: among the ranked; cut: the score of the last ranked thing on the page.
        pctr: predicted click rate.
        position, reason: on the page.
    """

    on_sale: bool
    sources: tuple[str, ...] = ()
    candidates: int = 0
    ranked: int = 0
    pre_place: int | None = None
    pre_score: float | None = None
    pre_cut: float | None = None
    rank: int | None = None
    score: float | None = None
    cut: float | None = None
    pctr: float | None = None
    position: int | None = None
    reason: str = ""


def fate(page: PageState, catalog: Catalog, item_id: int) -> Fate:
    """A thing's way through a page that was just made."""
    rows = catalog.rows([item_id])
    if not len(rows):
        return Fate(False)
    row = rows[0]
    sources = tuple(name for name, rows_of_source in page.sources.items() if row in rows_of_source)
    fate_so_far = Fate(True, sources, len(page.rows), len(page.ranked))
    at = np.flatnonzero(page.rows == row)
    if not len(at):
        return fate_so_far
    candidate = int(at[0])
    fate_so_far = replace(
        fate_so_far,
        pre_place=int((page.pre_score > page.pre_score[candidate]).sum()),
        pre_score=float(page.pre_score[candidate]),
        pre_cut=_pre_cut(page),
    )
    among = np.flatnonzero(page.chosen == candidate)
    if not len(among):
        return fate_so_far
    i = int(among[0])
    last = min((p.candidate for p in page.places if p.reason == "ranked"), key=lambda c: page.score[c], default=None)
    line = next((s for s in page.slate.page if s.item_id == item_id), None)
    fell = next((s for s in page.slate.fell if s.item_id == item_id), None)
    return replace(
        fate_so_far,
        rank=int((page.score > page.score[i]).sum()),
        score=float(page.score[i]),
        cut=float(page.score[last]) if last is not None else None,
        pctr=float(page.click.values[i]),
        position=line.position if line else None,
        reason=line.reason if line else fell.reason if fell else "fell: its rank is below the last on the page",
    )


def _pre_cut(page: PageState) -> float | None:
    """Ads come through with less, and what only exploration found with nothing: neither is the cut."""
    usual = np.isin(page.rows, page.usual)
    chosen = np.isin(np.arange(len(page.rows)), page.chosen) & usual
    fell = page.pre_score[usual & ~chosen]
    through = page.pre_score[chosen]
    through = through[through >= fell.max()] if len(fell) else through
    return float(through.min()) if len(through) else None


def moves(
    models: Models, catalog: Catalog, rows: Sequence[int] | np.ndarray, among: np.ndarray, visitor: Visitor,
    moment: Moment,
) -> list[tuple[Move, ...]]:  # fmt: skip
    """Features that moved each thing's predicted click rate most, the strongest first; nothing without a ranking model.

    Args:
        rows: (n,) rows of the catalogue. among: rows of the things whose features stand in, as those of the page.
    """
    loaded = models.get("ranking", visitor)
    if loaded is None or not len(rows):
        return [() for _ in rows]
    read = {f.column for f in loaded.encoders.features.features}
    groups = {name: (*of, *COUNTS[name]) for name, of in GROUPS.items() if read & {*of, *COUNTS[name]}}

    def clicks(by: Visitor) -> np.ndarray:
        return probabilities(models, loaded, catalog, np.asarray(rows), by, moment, FEED)[0]["click"]

    plain = clicks(visitor)
    strange = clicks(Visitor(-1, deque()))
    out = []
    for n, row in enumerate(rows):
        others = among[among != row][:OTHERS]
        candidates = [Move(PAST, float(plain[n] / max(strange[n], 1e-9)))]
        if len(others):
            without = _without(models, loaded, catalog, (int(row), others, groups), visitor, moment)
            candidates += [Move(g, float(plain[n] / max(value, 1e-9))) for g, value in without.items()]
        notable = [m for m in candidates if abs(np.log(max(m.factor, 1e-9))) > MIN_FACTOR]
        out.append(tuple(sorted(notable, key=lambda m: -abs(np.log(max(m.factor, 1e-9))))))
    return out


def _without(
    models: Models, loaded: Loaded, catalog: Catalog, what: tuple[int, np.ndarray, dict[str, tuple[str, ...]]],
    visitor: Visitor, moment: Moment,
) -> dict[str, float]:  # fmt: skip
    """Mean prediction for a row with each group of columns taken from each of the others."""
    row, others, groups = what
    size = len(others)
    raw = columns(catalog, np.full(size * len(groups), row), visitor, in_vocabulary(loaded, moment), FEED)
    raw_others = columns(catalog, others, visitor, in_vocabulary(loaded, moment), FEED)
    for n, names in enumerate(groups.values()):
        for name in names:
            mine, other = raw[name], raw_others[name]
            assert isinstance(mine, Tensor)
            assert isinstance(other, Tensor)
            mine[n * size : (n + 1) * size] = other
    probabilities = loaded(models.knowledge.add(loaded, raw).columns)["click"]
    means = probabilities.double().numpy().reshape(len(groups), size).mean(1)
    return dict(zip(groups, means.tolist(), strict=True))
