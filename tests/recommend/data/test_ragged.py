import torch

from recommend.data.ragged import Ragged, concat_batches, select_batch, slice_batch

R = Ragged.of([[1, 2, 3], [], [4], [5, 6]])


def rows(r: Ragged) -> list[list[int]]:
    return [part.tolist() for part in torch.split(r.values, r.lengths.tolist())]


def test_select_slice_last_keep_and_pad():
    assert rows(R.select(torch.tensor([3, 0, 0, 1]))) == [[5, 6], [1, 2, 3], [1, 2, 3], []]
    assert rows(R.slice(1, 4)) == [[], [4], [5, 6]]
    assert rows(R.last(1)) == [[3], [], [4], [6]]
    assert rows(R.last(9)) == rows(R)
    assert rows(R.keep(R.values % 2 == 0)) == [[2], [], [4], [6]]
    padded, mask = R.padded()
    assert padded.tolist() == [[1, 2, 3], [0, 0, 0], [4, 0, 0], [5, 6, 0]]
    assert mask.sum(1).tolist() == [3, 0, 1, 2]


def test_padding_goes_back():
    padded, mask = R.padded(5)
    assert torch.equal(padded[mask], R.values)


def test_empty():
    empty = Ragged.of([])
    assert len(empty) == 0
    assert empty.padded()[0].shape == (0, 1)
    assert rows(Ragged.of([[], []]).last(2)) == [[], []]


def test_batches():
    batch = {"a": torch.arange(4), "h": R}
    again = concat_batches([slice_batch(batch, 0, 1), slice_batch(batch, 1, 4)])
    assert torch.equal(again["a"], batch["a"])
    assert rows(again["h"]) == rows(R)
    assert rows(select_batch(batch, torch.tensor([2]))["h"]) == [[4]]
