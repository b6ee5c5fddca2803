"""Streams of rows: from Parquet files and from memory, in the order of time, parted, gone on with; splits by time.

Ragged columns: rows of any length, with the values of all of them side by side; one history for all rows.
"""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from recommend.data.memory import MemoryStream
from recommend.data.parquet import DataError, ParquetStream, Position
from recommend.data.ragged import Ragged, Repeated, concat_batches, rows_of, select_batch, slice_batch
from recommend.data.schema import day_file
from recommend.data.splits import TimeSplit, last_days
from tests.recommend.support import tiny

COLUMNS = list(tiny.columns(1))


@pytest.fixture
def files(tmp_path):
    data = tiny.columns(530)
    parts = [slice_batch(data, 0, 230), slice_batch(data, 230, 530)]
    return data, [tiny.write(tmp_path / f"{i}.parquet", part, 70) for i, part in enumerate(parts)]


def test_rows_come_back_in_order(files):
    data, paths = files
    stream = ParquetStream(paths, COLUMNS, batch_rows=64)
    batches = list(stream)
    assert [rows_of(b) for b in batches] == [64] * 8 + [18]
    assert stream.rows() == 530
    joined = concat_batches(batches)
    for name in COLUMNS:
        assert tiny.same(joined[name], data[name]), name


@pytest.mark.parametrize("stop", [1, 4, 8])
def test_a_position_goes_on_exactly_there(files, stop):
    _, paths = files
    stream = ParquetStream(paths, COLUMNS, batch_rows=64)
    every = list(stream.with_positions())
    rest = list(replace(stream, start=every[stop - 1][1]))
    for (expected, _), got in zip(every[stop:], rest, strict=True):
        assert all(tiny.same(expected[n], got[n]) for n in COLUMNS)


@pytest.mark.parametrize("ranks", [3, 12])
def test_ranks_part_the_rows(files, ranks):
    data, paths = files
    stream = ParquetStream(paths, ["price"], batch_rows=50)
    parts = [stream.share(rank, ranks) for rank in range(ranks)]
    read = [row for part in parts for batch in part for row in batch["price"].tolist()]
    assert sorted(read) == sorted(data["price"].tolist())
    assert sum(part.rows() for part in parts) == 530


def test_a_stream_of_memory_keeps_the_contract(files):
    data, _ = files
    stream = MemoryStream(data, 64, shuffle=3)
    every = list(stream.with_positions())
    rest = list(replace(stream, start=every[4][1]))
    assert len(rest) == len(every) - 5
    assert tiny.same(rest[0]["history_item"], every[5][0]["history_item"])
    other = next(iter(replace(stream, start=Position(epoch=1))))
    assert not tiny.same(other["price"], every[0][0]["price"])


def test_damaged_files_are_one_sentence(tmp_path, files):
    _, paths = files
    bad = tmp_path / "bad.parquet"
    bad.write_bytes(paths[0].read_bytes()[:2000])
    with pytest.raises(DataError, match=r"bad.parquet is damaged or no Parquet file .*write or copy it again"):
        list(ParquetStream([bad], COLUMNS))
    middle = bytearray(paths[0].read_bytes())
    middle[4:3000] = bytes(2996)
    bad.write_bytes(middle)
    with pytest.raises(DataError, match="damaged"):
        list(ParquetStream([bad], COLUMNS))
    with pytest.raises(DataError, match="no data file"):
        list(ParquetStream([tmp_path / "none.parquet"], COLUMNS))
    with pytest.raises(DataError, match="lacks the columns colour"):
        list(ParquetStream(paths, ["colour"]))
    pq.write_table(pa.table({"a": pa.array([1, None]), "b": ["x", "y"]}), bad)
    with pytest.raises(DataError, match="1 empty values"):
        list(ParquetStream([bad], ["a"]))
    with pytest.raises(DataError, match="encode it as numbers"):
        list(ParquetStream([bad], ["b"]))


def test_a_split_tests_strictly_after_training(tmp_path):
    def days(root, count):
        for day in range(count):
            day_file(root, "impression", day).parent.mkdir(parents=True)
            day_file(root, "impression", day).touch()
        return root

    assert last_days(days(tmp_path / "ten", 10), test_days=2) == TimeSplit(train=(0, 7), test=(8, 9))
    assert last_days(tmp_path / "ten") == TimeSplit(train=(0, 8), test=(9, 9))
    with pytest.raises(DataError, match="test starts on day 3"):
        TimeSplit(train=(0, 3), test=(3, 4))
    with pytest.raises(DataError, match="are no period"):
        TimeSplit(train=(3, 0), test=(4, 4))
    with pytest.raises(DataError, match="too few"):
        last_days(days(tmp_path / "two", 2), test_days=2)
    with pytest.raises(DataError, match="no table 'impression'"):
        last_days(tmp_path / "none")


@pytest.mark.nightly
def test_a_flipped_bit_is_found_or_harmless(tmp_path):
    """Page checksums find what the codecs would let through; whatever happens, it is one sentence."""
    data = tiny.columns(200)
    whole = tiny.write(tmp_path / "whole.parquet", data, 100).read_bytes()
    expected = concat_batches(list(ParquetStream([tmp_path / "whole.parquet"], COLUMNS)))
    bad, errors = tmp_path / "bad.parquet", []
    rng = random.Random(0)
    for _ in range(150):
        damaged = bytearray(whole)
        damaged[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        bad.write_bytes(damaged)
        try:
            got = concat_batches(list(ParquetStream([bad], COLUMNS)))
        except DataError as error:
            errors.append(str(error))
        else:
            assert all(tiny.same(got[name], expected[name]) for name in COLUMNS)
    assert len(errors) > 75
    assert all("bad.parquet" in sentence and "\n" not in sentence for sentence in errors)


TRAIN_UNDER_A_CAP = """
import resource, sys
from pathlib import Path
import pyarrow as pa
import torch
from recommend.config import ModelConfig, TrainConfig
from recommend.data.parquet import ParquetStream
from recommend.features.encoders import Encoders
from recommend.models.registry import build_model
from recommend.training.trainer import train
from tests.recommend.support.tiny import FEATURES

torch.set_num_threads(1)
pa.set_memory_pool(pa.system_memory_pool())
stream = ParquetStream([Path(sys.argv[1])], FEATURES.columns, 1024)
def used(what):
    return int(next(l for l in open("/proc/self/status") if l.startswith(what)).split()[1]) * 1024
encoders = Encoders.fit(FEATURES, [next(iter(stream))])
model = build_model(FEATURES, encoders.sizes(), ModelConfig(embedding=4, attention=(8,), mlp=(8,)))
train(model, stream, TrainConfig(threads=1), encoders, stop_after=1)  # libraries are warm now
limit = used("VmData") + int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
print(train(model, stream, TrainConfig(threads=1), encoders).rows, flush=True)
everything = [batch for batch in stream]
print("all of it", flush=True)
"""


@pytest.mark.nightly
def test_a_log_larger_than_memory_trains(tmp_path):
    """The data take at least four times the cap as tensors; the cap is real: loading all of it fails."""
    if not Path("/proc/self/status").exists():
        pytest.skip("the cap is measured with Linux's /proc")
    rows = 120_000
    data = tiny.columns(rows, longest=40)
    path = tiny.write(tmp_path / "big.parquet", data, 5_000)
    tensors = [t for v in data.values() for t in ((v.values, v.lengths) if isinstance(v, Ragged) else (v,))]
    cap = (sum(t.nbytes for t in tensors) - data["order"].nbytes) // 4
    command = [sys.executable, "-c", TRAIN_UNDER_A_CAP, str(path), str(cap)]
    root = Path(__file__).resolve().parents[3]
    child = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert child.stdout.split("\n") == [str(rows), ""], child.stderr[-2000:]
    assert child.returncode != 0
    assert "alloc" in child.stderr or "MemoryError" in child.stderr, child.stderr[-2000:]


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
