"""Ragged columns: rows of any length, with the values of all of them side by side; one history for all rows."""

from __future__ import annotations

import torch

from recommend.data.ragged import Ragged, Repeated, concat_batches, select_batch, slice_batch
from tests.recommend.support import tiny

R = Ragged.of([[1, 2, 3], [], [4], [5, 6]])


def rows(r: Ragged) -> list[list[int]]:
    return [part.tolist() for part in torch.split(r.values, r.lengths.tolist())]


def test_rows_are_selected_cut_and_padded():
    assert rows(R.select(torch.tensor([3, 0, 0, 1]))) == [[5, 6], [1, 2, 3], [1, 2, 3], []]
    assert rows(R.slice(1, 4)) == [[], [4], [5, 6]]
    assert rows(R.last(1)) == [[3], [], [4], [6]]
    assert rows(R.last(9)) == rows(R)
    assert rows(R.keep(R.values % 2 == 0)) == [[2], [], [4], [6]]
    padded, mask = R.padded()
    assert padded.tolist() == [[1, 2, 3], [0, 0, 0], [4, 0, 0], [5, 6, 0]]
    assert mask.sum(1).tolist() == [3, 0, 1, 2]
    padded, mask = R.padded(5)
    assert torch.equal(padded[mask], R.values)
    empty = Ragged.of([])
    assert len(empty) == 0
    assert empty.padded()[0].shape == (0, 1)
    assert rows(Ragged.of([[], []]).last(2)) == [[], []]


def test_batches_are_cut_joined_and_selected():
    batch = {"a": torch.arange(4), "h": R}
    again = concat_batches([slice_batch(batch, 0, 1), slice_batch(batch, 1, 4)])
    assert torch.equal(again["a"], batch["a"])
    assert rows(again["h"]) == rows(R)
    assert rows(select_batch(batch, torch.tensor([2]))["h"]) == [[4]]


def test_a_repeated_history_is_ragged_written_out():
    once = Repeated(torch.arange(6).view(3, 2), 4)
    apart = Ragged(once.values, once.lengths)
    assert len(once) == len(apart) == 4
    for a, b in (
        (once.last(2), apart.last(2)),
        (once.last(9), apart.last(9)),
        (once.map(lambda v: v + 1), apart.map(lambda v: v + 1)),
        (once.beside([once]), apart.beside([apart])),
        (once.beside([apart]), apart.beside([once])),
        (once.select(torch.tensor([3, 0])), apart.select(torch.tensor([3, 0]))),
        (once.slice(1, 3), apart.slice(1, 3)),
        (once.to("cpu"), apart),
    ):
        assert tiny.same(a, b)
