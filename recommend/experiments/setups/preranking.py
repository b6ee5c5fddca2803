"""Pre-ranking, ranking, auction: a world's logged ranking candidates, what trains on them, and what comes of them.

Candidates are not impressions: most were never shown, so that nobody knows whether they would have been clicked. What
the log has of them is the ranking model's score and the bid. Their features are those of an impression on the same page
in the ads' channel, all known at the request.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from recommend.data.candidates import read_listed
from recommend.data.content_join import Contents
from recommend.data.schema import POLICIES
from recommend.data.splits import TimeSplit
from recommend.data.world.oracle import open_oracle
from recommend.data.world.write import LOG
from recommend.features.encoders import Encoders
from recommend.features.ragged import Column, rows_of
from recommend.metrics.lists import mean_average_precision, ndcg

SLOTS = 2  # ads on a feed page


@dataclass(frozen=True)
class Candidates:
    """Ranking candidates of some days, request by request in the order of time.

    Attributes:
        columns: encoded features.
        request: (rows,) ascending.
        user, score, bid: (rows,) as logged; ``score`` is the ranking model's click probability.
        truth: (rows,) true click probability in the first ad slot; NaN while training may look.
        shown: (rows,) whether it became an impression.
        uniform: (rows,) whether the page showed a uniform draw of its candidates.
    """

    columns: dict[str, Column]
    request: np.ndarray
    user: np.ndarray
    score: np.ndarray
    bid: np.ndarray
    truth: np.ndarray
    shown: np.ndarray
    uniform: np.ndarray

    @property
    def revenue(self) -> np.ndarray:
        """(rows,) ``e* = p* b``, by which the ranking stage orders."""
        return self.score * self.bid

    def lists(self) -> list[np.ndarray]:
        """Places of each request's rows."""
        return np.split(np.arange(len(self.request)), np.flatnonzero(np.diff(self.request)) + 1)


def read_candidates(folder: Path, split: TimeSplit, encoders: Encoders) -> dict[str, Candidates]:
    """The logged candidates of the training window and of the test days, encoded with the training window's encoders.

    Args:
        folder: of a world. The truth is read for the test days only.
    """
    log, features = folder / LOG, encoders.features
    contents = Contents.read(log, features, split.test[1])
    truth = open_oracle(folder, "candidate")["p_click_without_page"]
    found, before = {}, 0
    for part in ("train", "test"):
        first, last = split.train if part == "train" else split.test
        rows = read_listed(log, first, last, split.test[1])
        encoded = encoders(contents(rows))
        count = rows_of(rows)
        found[part] = Candidates(
            columns={f.column: encoded[f.column] for f in features.features},
            request=_array(rows["request_id"]),
            user=_array(rows["user_id"]),
            score=_array(rows["rank_score"]).astype(np.float64),
            bid=_array(rows["bid"]).astype(np.float64),
            truth=truth[before : before + count] if part == "test" else np.full(count, np.nan),
            shown=_array(rows["shown"]).astype(bool),
            uniform=_array(rows["policy"]) == POLICIES.index("uniform"),
        )
        before += count
    return found


def _array(column: Column) -> np.ndarray:
    assert isinstance(column, torch.Tensor)
    return column.numpy()


def consistency(candidates: Candidates, value: np.ndarray, found: int = 6, passed: int = 12) -> dict[str, float]:
    """How far a pre-ranking order agrees with the ranking stage's.

    Args:
        value: (rows,) what the pre-ranking stage orders by.
        found, passed: a tenth and a fifth of about 58 candidates.

    Returns:
        ``hr``: share of the ranking stage's first ``found`` among the first ``passed``. ``ndcg``: at 10, gain ``e*``.
        ``map``: the first ``found`` as the answers, up to ``passed``. ``inversions``: share of a request's pairs in the
        other order, of those that the ranking stage orders. Of equal values the worse ads come first and their pairs
        are inverted: a constant earns nothing.
    """
    lists = candidates.lists()
    revenue, request = candidates.revenue, candidates.request
    wanted = _first(revenue, revenue, lists, found)
    kept = _first(value, revenue, lists, passed)
    hits = [np.mean(kept[rows][wanted[rows]]) for rows in lists]
    one, other = _pairs(revenue, lists)
    return {
        "hr": float(np.mean(hits)),
        "ndcg": ndcg(revenue, value, request, 10),
        "map": mean_average_precision(wanted, value, request, passed),
        "inversions": float(_inverted(revenue, value, one, other).mean()),
    }


def cascade(candidates: Candidates, value: np.ndarray, passed: int = 6) -> dict[str, float]:
    """What the auction earns when the pre-ranking stage passes ``passed`` ads to the ranking stage.

    The ranking stage orders what it gets by ``e*``; the first two are shown and pay, for a click, what the next one
    would have earned in clicks of their own predicted rate. Clicks come with the true probability.

    Returns:
        ``revenue`` and ``clicks`` over what they are without a pre-ranking stage.
    """
    lists = candidates.lists()
    kept = _first(value, candidates.revenue, lists, passed)
    some = np.array([_sold(candidates, rows[kept[rows]]) for rows in lists]).sum(0)
    every = np.array([_sold(candidates, rows) for rows in lists]).sum(0)
    return {"revenue": float(some[0] / every[0]), "clicks": float(some[1] / every[1])}


def _sold(c: Candidates, rows: np.ndarray) -> tuple[float, float]:
    """Expected revenue and clicks of a page's slots."""
    order = rows[np.argsort(-c.revenue[rows], kind="stable")]
    shown, following = order[:SLOTS], order[1 : SLOTS + 1]
    price = c.revenue[following] / c.score[shown]
    return float((c.truth[shown] * price).sum()), float(c.truth[shown].sum())


def inversions_by_bids(candidates: Candidates, p: np.ndarray, value: np.ndarray) -> dict[str, float]:
    """Do bids amplify what is left of the error of the scores? Pairs by the ratio of their bids.

    Args:
        p: (rows,) the pre-ranker's click probability.

    Returns:
        ``inverted_near`` and ``inverted_far``: share of inverted pairs among those whose bids differ by a factor below
        1.3 and above 2. ``inverted_matched``: of the far ones, weighted so that their errors
        ``|log p/p* - log p'/p'*|`` are distributed as those of the near ones. ``lost_near`` and ``lost_far``: revenue
        ``|e* - e*'|`` at stake in the inverted pairs, spread over all near or far pairs, over the mean revenue of a
        candidate; divided by the share that is inverted it is the stake of an inverted pair. NaN where bids are all
        near or all far.
    """
    revenue = candidates.revenue
    one, other = _pairs(revenue, candidates.lists())
    inverted = _inverted(revenue, value, one, other)
    stake = np.abs(revenue[one] - revenue[other])
    ratio = np.abs(np.log(candidates.bid[one] / candidates.bid[other]))
    error = np.log(p) - np.log(candidates.score)
    error = np.abs(error[one] - error[other])
    near, far = ratio < np.log(1.3), ratio > np.log(2)
    lost = stake * inverted / revenue.mean()
    return {
        "inverted_near": _mean(inverted[near]),
        "inverted_far": _mean(inverted[far]),
        "inverted_matched": _matched(inverted[far], error[far], error[near]),
        "lost_near": _mean(lost[near]),
        "lost_far": _mean(lost[far]),
    }


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _matched(values: np.ndarray, error: np.ndarray, wanted: np.ndarray, bins: int = 20) -> float:
    """Mean of ``values`` (n,), weighted so that their ``error`` (n,) is distributed as ``wanted`` (m,)."""
    if not len(values) or not len(wanted):
        return float("nan")
    edges = np.quantile(wanted, np.linspace(0, 1, bins + 1)[1:-1])
    bin_here, bin_wanted = np.searchsorted(edges, error), np.searchsorted(edges, wanted)
    share = np.bincount(bin_wanted, minlength=bins) / np.maximum(np.bincount(bin_here, minlength=bins), 1)
    return float(np.average(values, weights=share[bin_here]))


def _first(value: np.ndarray, revenue: np.ndarray, lists: list[np.ndarray], k: int) -> np.ndarray:
    """(rows,) whether a row is among the first k of its list; of equal values those of less revenue come first.

    The log holds candidates in the ranking stage's order, so that ties in the order of the log would flatter.
    """
    out = np.zeros(len(value), dtype=bool)
    for rows in lists:
        out[rows[np.lexsort((revenue[rows], -value[rows]))[:k]]] = True
    return out


def _pairs(revenue: np.ndarray, lists: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Both places of every pair within a list whose revenues differ; equal ones have no order to agree with."""
    found = [np.triu_indices(len(rows), 1) for rows in lists]
    one, other = (np.concatenate([rows[f[i]] for rows, f in zip(lists, found, strict=True)]) for i in (0, 1))
    ordered = revenue[one] != revenue[other]
    return one[ordered], other[ordered]


def _inverted(wanted: np.ndarray, value: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(pairs,) whether both orders differ; a tie of ``value`` counts as inverted."""
    return (wanted[one] - wanted[other]) * (value[one] - value[other]) <= 0
