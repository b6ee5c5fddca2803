"""Pre-ranking: a cheap score of everything retrieved; the best reach the ranking model, a tenth of them as ads."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from recommend.cascade.catalog import Catalog, among, smoothed_rate
from recommend.cascade.health import sample
from recommend.cascade.page import PageState
from recommend.cascade.program import pre_ranking
from recommend.cascade.registry import Loaded
from recommend.cascade.request import FEED, Moment, columns
from recommend.cascade.scoring import SIMPLE, Models, Scores, in_vocabulary
from recommend.cascade.visitors import Visitor
from recommend.data.ragged import Batch
from recommend.models.baselines.two_tower import TwoTower

VECTORS_AT_ONCE = 4_096  # rows


class PreRank:
    """Chooses ``ranked`` of the candidates.

    Ads are pre-ranked by expected revenue, beside the organic items: clicks alone would starve the auction. Items that
    only exploration retrieved take no other item's place: they get what is left, or at most a tenth.
    """

    name = "pre_ranking"

    def __init__(self, catalog: Catalog, pre_ranker: PreRanker, ranked: int) -> None:
        self.catalog, self.pre_ranker, self.ranked = catalog, pre_ranker, ranked

    def __call__(self, page: PageState) -> None:
        """Score ``page.rows`` and choose ``page.chosen`` of them."""
        rows = page.rows
        page.pre = self.pre_ranker.score(rows, page.visitor, page.moment) if len(rows) else None
        page.pre_score = page.pre.order if page.pre is not None else np.empty(0)
        alone = ~among(rows, page.usual)
        values = np.where(alone, -1.0, page.pre_score)
        bids = np.where(alone, 0.0, self.catalog.get("bid", rows))
        unseen = np.flatnonzero(among(rows, page.sources.get("unseen", page.usual[:0])))
        chosen = survivors(values, bids, self.ranked)
        extra = unseen[~among(unseen, chosen)]
        if len(extra):
            chosen = survivors(values, bids, self.ranked - len(extra))
            extra = unseen[~among(unseen, chosen)][: self.ranked - len(chosen)]
        page.beyond = np.concatenate([alone[chosen], np.ones(len(extra), bool)])
        page.chosen = np.concatenate([chosen, extra])
        page.ranked = rows[page.chosen]


def survivors(values: np.ndarray, bids: np.ndarray, count: int) -> np.ndarray:
    """Places of at most ``count`` candidates that reach ranking: by pCTR, a tenth of them by pCTR x bid."""
    if len(values) <= count:
        return np.arange(len(values))
    revenue = values * bids
    for_ads = min(count // 10, int((revenue > 0).sum()))
    best_ads = np.argsort(-revenue, kind="stable")[:for_ads]
    others = np.argsort(-values, kind="stable")
    return np.concatenate([best_ads, others[~among(others, best_ads)][: count - for_ads]])


@dataclass
class _Vectors:
    """Item vectors by row of the catalogue, all of one model."""

    loaded: Loaded
    ask: Callable[[Tensor, Batch], tuple[Tensor, ...]]  # see ``pre_ranking``
    values: np.ndarray
    filled: np.ndarray
    computed_ms: int

    @torch.inference_mode()
    def fill(self, catalog: Catalog, rows: np.ndarray, moment: Moment) -> None:
        """Make the vectors of rows."""
        model = self.loaded.model
        assert isinstance(model, TwoTower)
        nobody = Visitor(-1, deque())
        for start in range(0, len(rows), VECTORS_AT_ONCE):
            part = rows[start : start + VECTORS_AT_ONCE]
            batch = self.loaded.encoders(columns(catalog, part, nobody, in_vocabulary(self.loaded, moment), FEED))
            vectors = model.item_vector(model.inputs(batch)).numpy()
            missing = int(part.max()) + 1 - len(self.filled)
            if missing > 0:
                more = max(missing, len(self.filled))
                self.values = np.concatenate([self.values, np.zeros((more, vectors.shape[1]), np.float32)])
                self.filled = np.concatenate([self.filled, np.zeros(more, np.bool_)])
            self.values[part], self.filled[part] = vectors, True


class PreRanker:
    """Vectors of everything on sale by the two-tower models: a request costs one user vector and one product.

    Vectors are made when a thing comes. ``rebuild`` makes all anew, for another model or because they are old (a
    thing's age is among its features); requests go on with the old ones until the new ones are there.
    """

    def __init__(self, catalog: Catalog, models: Models) -> None:
        self.catalog, self.models = catalog, models
        self._lock, self._making = threading.Lock(), threading.RLock()
        self._states: dict[str, _Vectors] = {}  # by version

    def rebuild(self, moment: Moment) -> None:
        """All vectors anew; one thread at a time."""
        with self._making:
            states = {}
            for loaded in (s.loaded for s in self.models.serving("pre_ranking")):
                if isinstance(loaded.model, TwoTower):
                    old, empty = self._states.get(loaded.version), np.zeros((0, loaded.model.config.tower), np.float32)
                    ask = old.ask if old is not None and old.loaded is loaded else pre_ranking(loaded, sample(loaded))
                    state = _Vectors(loaded, ask, empty, np.zeros(0, bool), moment.time_ms)
                    state.fill(self.catalog, self.catalog.live(), moment)
                    states[loaded.version] = state
            with self._lock:
                self._states = states

    def age_s(self, moment: Moment) -> float:
        """Seconds since the vectors were made; 0 without any."""
        return max(((moment.time_ms - s.computed_ms) / 1000 for s in self._states.values()), default=0.0)

    def put(self, rows: np.ndarray, moment: Moment) -> None:
        """Vectors of things that have come or changed."""
        with self._lock:
            for state in self._states.values():
                state.fill(self.catalog, rows, moment)

    def _follow(self, loaded: Loaded, moment: Moment) -> None:
        """Vectors of a model that serves now; while somebody makes them, who has old ones goes on with these."""
        old = self._states.get(loaded.version)
        if old is not None and old.loaded is loaded:
            return
        if self._making.acquire(blocking=not self._states):
            try:
                old = self._states.get(loaded.version)
                if old is None or old.loaded is not loaded:
                    self.rebuild(moment)
            finally:
                self._making.release()

    def score(self, rows: np.ndarray, visitor: Visitor, moment: Moment) -> Scores:
        """pCTR of the candidates, cheaply."""
        loaded = self.models.get("pre_ranking", visitor)
        if loaded is None or not isinstance(loaded.model, TwoTower):
            return Scores(smoothed_rate(self.catalog, rows), SIMPLE, degraded=True)
        self._follow(loaded, moment)
        with self._lock:
            state = self._states.get(loaded.version) or next(iter(self._states.values()), None)
            if state is None:  # the model went while its vectors were made
                return Scores(smoothed_rate(self.catalog, rows), SIMPLE, degraded=True)
            inside = rows[rows < len(state.filled)]
            missing = np.concatenate([rows[rows >= len(state.filled)], inside[~state.filled[inside]]])
            if len(missing):
                state.fill(self.catalog, missing, moment)
            vectors = state.values[rows]
        with torch.inference_mode():
            one = columns(self.catalog, rows[:1], visitor, in_vocabulary(state.loaded, moment), FEED)
            p, ordered = state.ask(torch.from_numpy(vectors), one)
        return Scores(p.numpy(), state.loaded.name, ordered=ordered.numpy())
