"""Training: it goes on after a kill as if nothing had been, two processes do what one does, an overfit pass is said."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from recommend.config import ConfigError, ModelConfig, TrainConfig
from recommend.data.memory import MemoryStream
from recommend.data.parquet import DataError
from recommend.data.ragged import slice_batch
from recommend.models.registry import build_model
from recommend.training import checkpoint
from recommend.training.optim import kinds, optimizers, set_rates, sparse_parameters
from recommend.training.trainer import TrainingError, train
from tests.recommend.support import tiny
from tests.recommend.support.training import KINDS, ONCE, SMALL, joined, prepared, weights

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
CHILD = """
import os, signal, sys
from pathlib import Path
from tests.recommend.support.training import ONCE, prepared, train

encoders, model, stream = prepared(Path(sys.argv[1]))
calls = 0
def encode(batch):
    global calls
    calls += 1
    if calls == 8:
        os.kill(os.getpid(), signal.SIGKILL)
    return encoders(batch)
train(model, stream, ONCE, encode, Path(sys.argv[2]))
"""
PART = """
import sys
from pathlib import Path
from tests.recommend.support.training import part

part(Path(sys.argv[1]))
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """530 rows in two files of row groups of 70: 9 steps a pass."""
    data = tiny.columns(530)
    for name, (start, stop) in {"a": (0, 230), "b": (230, 530)}.items():
        tiny.write(tmp_path / f"{name}.parquet", slice_batch(data, start, stop), 70)
    return tmp_path


def equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[n], second[n]) for n in first)


def child(code: str, *arguments: str, **environment: str) -> subprocess.Popen:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, text=True, **PIPES)


def test_a_killed_run_ends_with_the_identical_model(log: Path) -> None:
    encoders, undisturbed, stream = prepared(log)
    train(undisturbed, stream, ONCE, encoders, log / "whole")
    killed = child(CHILD, str(log), str(log / "killed"))
    _, errors = killed.communicate()
    assert killed.returncode == -signal.SIGKILL, errors
    _, again, _ = prepared(log)
    torch.rand(3)  # whatever was drawn meanwhile
    done = train(again, stream, ONCE, encoders, log / "killed")
    assert done.steps == 18
    assert done.rows == 1_060
    assert equal(weights(undisturbed), weights(again))
    ends = [load_file(log / name / checkpoint.NAME) for name in ("whole", "killed")]
    assert equal(*ends)  # optimiser states and random state too


@pytest.mark.parametrize("stop", [4, 9])
def test_a_run_may_end_anywhere(log: Path, stop: int) -> None:
    """Also in the middle of a row group, at the end of a pass and in the second one; with sparse tables as well."""
    config = SMALL.model_copy(update={"sparse_rows": 10})
    every = ONCE.model_copy(update={"checkpoint_every": 1})
    encoders, undisturbed, stream = prepared(log, config)
    train(undisturbed, stream, every, encoders)
    _, model, _ = prepared(log, config)
    train(model, stream, every, encoders, log / "run", stop_after=stop)
    _, model, _ = prepared(log, config)
    train(model, stream, every, encoders, log / "run")
    assert equal(weights(undisturbed), weights(model))


def test_one_pass_in_time_order_is_the_default(log: Path) -> None:
    encoders, model, stream = prepared(log)
    prices: list[float] = []

    def encode(batch: dict) -> dict:
        prices.extend(batch["price"].tolist())
        return encoders(batch)

    done = train(model, stream, TrainConfig(threads=1), encode)
    assert done.rows == 530
    assert prices == tiny.columns(530)["price"].tolist()


def test_two_processes_do_what_one_does(tmp_path: Path) -> None:
    """The last step's shares are unequal (32 and 22 rows): the mean is over rows, not over processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    where = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    both = [child(PART, str(tmp_path), RANK=str(rank), **where) for rank in range(2)]
    for process in both:
        output, errors = process.communicate(timeout=200)
        assert output == "done\n", errors  # gloo's threads can abort a process that has ended
    for kind in KINDS:
        one, data = joined(kind)
        train(one, MemoryStream(data, 64), TrainConfig(threads=1))
        two = load_file(tmp_path / f"{kind}.safetensors")
        for name, value in weights(one).items():
            torch.testing.assert_close(value, two[name], atol=2e-6, rtol=1e-4)
    # One process cannot go on with a checkpoint of two: each has a place of its own in the data.
    with pytest.raises(DataError, match="written by 2 processes"):
        train(one, MemoryStream(data, 64), TrainConfig(threads=1), folder=tmp_path / "sparse")


def test_big_tables_are_trained_lazily(log: Path) -> None:
    encoders, model, stream = prepared(log, SMALL.model_copy(update={"sparse_rows": 10}))
    assert [type(o).__name__ for o in optimizers(model, TrainConfig(learning_rate=0.1))] == ["Adam", "SparseAdam"]
    assert len(sparse_parameters(model)) == 2  # users and items
    table = model.inputs.tables.tables["item_id"]
    before = table.weight.clone()
    done = train(model, stream, TrainConfig(threads=1), encoders, stop_after=1)
    batch = encoders(next(iter(stream)))
    used = torch.cat([batch["item_id"], batch["history_item"].values]).unique()
    moved = (table.weight != before).any(1).nonzero()[:, 0]
    assert set(moved.tolist()) <= set(used.tolist())
    assert "SparseAdam (lazy) on 2 tables" in done.optimizer
    with pytest.raises(ConfigError, match="set sparse_rows higher"):
        optimizers(model, TrainConfig(weight_decay=0.1))
    dense = prepared(log)[1]
    assert kinds(dense, TrainConfig()) == "fused Adam"
    for asked, expected in (("weight_decay=0.1", "AdamW"), ("optimizer=sgd", "SGD")):
        assert [type(o).__name__ for o in optimizers(dense, TrainConfig().changed([asked]))] == [expected]


def test_rates_rise_and_fall_and_tables_have_theirs(log: Path) -> None:
    _, model, _ = prepared(log)
    config = TrainConfig(learning_rate=0.1, table_rate=0.4, warmup=0.2)
    steps = optimizers(model, config)
    of_tables = {id(p) for p in model.inputs.tables.parameters()}
    assert [{id(p) in of_tables for p in g["params"]} for g in steps[0].param_groups] == [{False}, {True}]
    for done, factor in ((0.0, 0.0), (0.1, 0.5), (0.2, 1.0), (0.6, 0.5), (1.0, 0.0)):
        set_rates(steps, config, done)
        assert [g["lr"] for g in steps[0].param_groups] == pytest.approx([0.1 * factor, 0.4 * factor])
    plain = TrainConfig(schedule="constant", warmup=0.0, table_rate=0.0, learning_rate=0.1)
    steps = optimizers(model, plain)
    set_rates(steps, plain, 0.7)
    assert [g["lr"] for g in steps[0].param_groups] == [0.1]


def test_bf16_is_near_fp32_with_weights_in_fp32(log: Path) -> None:
    losses = {}
    for precision in ("fp32", "bf16"):
        encoders, model, stream = prepared(log, SMALL.model_copy(update={"dropout": 0.0}))
        config = TrainConfig(threads=1, precision=precision, epochs=3, learning_rate=0.01)
        losses[precision] = train(model, stream, config, encoders).loss
        assert all(p.dtype == torch.float32 for p in model.parameters())
    assert losses["bf16"] == pytest.approx(losses["fp32"], rel=0.02)
    assert losses["bf16"] != losses["fp32"]


def test_the_log_says_what_happens(log: Path) -> None:
    encoders, model, stream = prepared(log)
    train(model, stream, ONCE, encoders, log / "run")
    lines = [json.loads(line) for line in (log / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(2, 19, 2))
    assert all(line["loss"] > 0 and line["rows_per_s"] > 0 for line in lines)
    assert lines[-1]["left_s"] == 0


def test_a_damaged_or_foreign_checkpoint_is_one_sentence(log: Path) -> None:
    encoders, model, stream = prepared(log)
    train(model, stream, ONCE, encoders, log / "run", stop_after=3)
    path = log / "run" / checkpoint.NAME
    _, other, _ = prepared(log, SMALL.model_copy(update={"mlp": (5,)}))
    with pytest.raises(DataError, match="belongs to another model"):
        train(other, stream, ONCE, encoders, log / "run")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match="cannot be read"):
        train(model, stream, ONCE, encoders, log / "run")


def test_a_loss_of_nan_stops_the_run(log: Path) -> None:
    encoders, model, stream = prepared(log)
    with torch.no_grad():
        next(model.parameters()).fill_(torch.nan)
    with pytest.raises(TrainingError, match="no number any more after step 2: lower learning_rate"):
        train(model, stream, ONCE, encoders)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_device_is_one_sentence() -> None:
    model = build_model(tiny.FEATURES, tiny.encoded(50)[0], SMALL)
    with pytest.raises(ConfigError, match="no CUDA device"):
        train(model, None, TrainConfig(device="cuda", threads=1))  # before anything is read


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["dnn", "din"])
def test_a_cuda_device_trains_what_the_processor_trains(name: str) -> None:
    sizes, data = tiny.encoded(400)
    answers = []
    for device in ("cpu", "cuda"):
        model = build_model(tiny.FEATURES, sizes, ModelConfig(name=name, mlp=(8,)))
        train(model, MemoryStream(data, 64), TrainConfig(device=device, threads=1))
        answers.append(model.predict(data)["click"])
    assert torch.allclose(*answers, atol=1e-3)
