"""COPR from a log: impressions teach clicks, the ranking stage's candidates teach its order.

Ads are ordered by expected revenue. Things that are no ads compete by click probability alone, which is the same with
one bid for all, so that their lists are kept apart from those of the ads.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from recommend.data.batching import CutStream, interleave
from recommend.data.candidates import read_listed
from recommend.data.parquet import DataError, ParquetStream
from recommend.data.schema import POLICIES, table_files
from recommend.features.ragged import Batch, Column, concat_batches, rows_of, select_batch
from recommend.models.copr import COPR, draw_lists
from recommend.training.input_specs.spec import READ_ROWS, Given

LOWEST = 1e-6  # of a teacher's probability
FEW_CLICKS = 20  # fewer say nothing about the level of the scores


def stream(given: Given) -> CutStream:
    """Batches of impressions, each followed by its share of the drawn lists.

    Raises:
        DataError: the log holds no candidates, or too few of a page.
    """
    assert isinstance(given.model, COPR)
    chunks = given.model.terms.chunks
    shown = given.shown()
    listed = read_listed(given.log, *given.run.train_days)
    score, bid, rank, request = (_array(listed[n]) for n in ("rank_score", "bid", "rank", "request_id"))
    organic = _array(listed["policy"]) == POLICIES.index("organic")
    bid = np.where(organic, 1.0, bid)
    score = score.astype(np.float64) * level(given, listed)
    rng = np.random.default_rng(given.run.train.seed)
    places = [rows[draw_lists(-rank[rows], chunks, rng)].ravel() for rows in lists(request, organic, chunks)]
    if not places:
        raise DataError(
            f"no page in {given.log} lists {chunks} ranking candidates of one kind on the days {given.days}; "
            "log more pages, or set chunks to a smaller number (--set chunks=5)."
        )
    place = np.concatenate(places)
    columns: dict[str, Column] = {
        "draw": torch.arange(len(place)) // chunks,
        "chunk": torch.arange(len(place)) % chunks,
        "teacher": torch.from_numpy(score[place]).float().clamp(LOWEST, 1 - LOWEST),
        "bid": torch.from_numpy(bid[place]).float(),
        given.features.labels[0]: torch.zeros(len(place), dtype=torch.bool),  # unknown, and not read
    }
    drawn = {**select_batch(given.input(listed), torch.from_numpy(place)), **columns}
    count = rows_of(shown)
    shown |= {"draw": torch.full((count,), -1), "chunk": torch.zeros(count, dtype=torch.int64)}
    shown |= {name: torch.zeros(count) for name in ("teacher", "bid")}
    lengths = np.array([len(p) for p in places])
    return interleave({n: shown[n] for n in drawn}, drawn, given.run.train.batch_rows, lengths)


def lists(request: np.ndarray, organic: np.ndarray, least: int) -> Iterator[np.ndarray]:
    """Places of the candidates of one page and kind, of those that are ``least`` or more."""
    kind = 2 * request + organic
    order = np.argsort(kind, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(kind[order])) + 1):
        if len(rows) >= least:
            yield rows


def level(given: Given, listed: Batch) -> float:
    """What brings the ranking stage's scores to the rate at which what it chose was clicked.

    A factor leaves the order as it was. 1 where there are too few clicks to tell.
    """
    files = table_files(given.log, "impression", *given.run.train_days)
    rows = concat_batches(list(ParquetStream(files, ["request_id", "item_id", "click"], READ_ROWS)))
    chosen = _array(listed["shown"]).astype(bool) & (_array(listed["policy"]) != POLICIES.index("uniform"))
    key = _keys(rows)
    there = np.isin(key, _keys(listed)[chosen])
    clicks = int(_array(rows["click"])[there].sum())
    promised = float(_array(listed["rank_score"])[chosen & np.isin(_keys(listed), key)].sum())
    if clicks < FEW_CLICKS or promised <= 0:
        return 1.0
    return clicks / promised


def _keys(rows: Batch) -> np.ndarray:
    """Page and thing as one number."""
    return _array(rows["request_id"]) * (1 << 32) + _array(rows["item_id"])


def _array(column: Column) -> np.ndarray:
    assert isinstance(column, Tensor)
    return column.numpy()
