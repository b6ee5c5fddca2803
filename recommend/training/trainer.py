"""The training loop: one pass in the order of time unless asked otherwise."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from recommend.config import ConfigError, TrainConfig
from recommend.data.parquet import DataError, Position
from recommend.data.ragged import Batch, Column, on_device, rows_of
from recommend.errors import RecommendError
from recommend.models.base import Ranker
from recommend.models.training_log import Encode, Stream
from recommend.training import checkpoint
from recommend.training.distributed import Group
from recommend.training.logs import RunLog
from recommend.training.optim import kinds, optimizers, set_rates


class TrainingError(RecommendError, RuntimeError):
    """Training cannot go on."""

    exit_status = 1


@dataclass(frozen=True)
class Summary:
    """Result of a run. ``loss`` is the mean over the rows of this call."""

    steps: int
    rows: int
    loss: float
    seconds: float
    cpu_seconds: float
    optimizer: str


class WithLoss(nn.Module):
    """A model and its loss as one module, so that distributed training also sees weights that only the loss uses."""

    def __init__(self, model: Ranker) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> Tensor:
        # In bf16 runs the logits come in bfloat16; a loss needs more digits than that.
        return self.model.loss({name: value.float() for name, value in self.model(batch).items()}, batch)


def train(
    model: Ranker,
    stream: Stream,
    config: TrainConfig,
    encode: Encode | None = None,
    folder: Path | None = None,
    group: Group | None = None,
    progress: bool = False,
    stop_after: int | None = None,
) -> Summary:
    """Train a model in place.

    Args:
        stream: the training window; with several processes, this process's shard.
        encode: raw batch to model input (``Encoders``).
        folder: for log and checkpoint; a checkpoint found there is continued.
        group: the processes; gradients are averaged over all rows of a global step, and training ends with the first
            process that runs out (what the others have left then, up to a row group, stays unread).
        stop_after: end after this many steps of this call (tests and interrupted runs).
    """
    group = group or Group()
    _set_up(model, config)
    steps = optimizers(model, config)
    path = Path(folder) / checkpoint.NAME if folder is not None else None
    step, rows, position = _resumed(path, model, steps, group) or (0, 0, stream.start)
    loss_of: nn.Module = DistributedDataParallel(WithLoss(model)) if group.size > 1 else WithLoss(model)
    # Rows of all processes, by which the rates rise and fall in each of them alike.
    done, total = (sum(group.counts(n)) for n in (rows, stream.rows() * config.epochs))
    log = RunLog(folder if group.first else None, stream.rows() * config.epochs, rows, progress and group.first)
    began, cpu, first, loss_rows = time.monotonic(), time.process_time(), step, 0
    loss_sum = torch.zeros(())
    model.train()
    try:
        for batch, after, together in _epochs(stream, position, config.epochs, group):
            data = on_device(encode(batch) if encode else batch, config.device)
            size = rows_of(batch)
            set_rates(steps, config, min((done + together / 2) / total, 1))
            done += together
            # The mean over all processes' rows is what one process with the joined batch would compute.
            loss = _step(loss_of, data, steps, config, size * group.size / together)
            step, rows, position = step + 1, rows + size, after
            loss_sum, loss_rows = loss_sum + loss * size, loss_rows + size
            if step % config.log_every == 0:
                _finite(loss, step)
                log.step(step, rows, loss=float(loss))
            if config.checkpoint_every and step % config.checkpoint_every == 0:
                _keep(path, model, steps, (step, rows, position), group)
            if stop_after is not None and step - first >= stop_after:
                break
        else:
            _keep(path, model, steps, (step, rows, position), group)
    finally:
        log.close()
    group.wait()
    return Summary(
        steps=step,
        rows=rows,
        loss=float(loss_sum) / max(loss_rows, 1),
        seconds=time.monotonic() - began,
        cpu_seconds=time.process_time() - cpu,
        optimizer=kinds(model, config),
    )


def _set_up(model: Ranker, config: TrainConfig) -> None:
    torch.set_num_threads(config.threads or idle_cores())
    torch.manual_seed(config.seed)
    computing(config.device)
    model.to(config.device)


def computing(device: str) -> None:
    """Raises:
    ConfigError: this machine has no such device.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("this machine has no CUDA device that PyTorch can use; take --device cpu.")


def _step(
    loss_of: nn.Module, data: Batch, steps: list[torch.optim.Optimizer], config: TrainConfig, share: float
) -> Tensor:
    """Forward, backward, update; the loss of the batch, of which ``share`` counts.

    It comes without its graph: one that lives on beside the next step's leaves holes in the heap, and the pages that
    are then given back and fetched again can cost a small model a tenth of its time.
    """
    for optimizer in steps:
        optimizer.zero_grad(set_to_none=True)
    with torch.autocast(config.device, dtype=torch.bfloat16, enabled=config.precision == "bf16"):
        loss: Tensor = loss_of(data)
    (loss * share).backward()
    if config.clip_norm:
        nn.utils.clip_grad_norm_([p for g in steps[0].param_groups for p in g["params"]], config.clip_norm)
    for optimizer in steps:
        optimizer.step()
    return loss.detach()


def _resumed(
    path: Path | None, model: nn.Module, steps: list[torch.optim.Optimizer], group: Group
) -> tuple[int, int, Position] | None:
    """Step, rows and position of a checkpoint, whose weights are loaded; None without one."""
    if path is None or not path.exists():
        return None
    before = checkpoint.load(path, model, steps)
    if len(before.positions) != group.size:
        raise DataError(f"{path} was written by {len(before.positions)} processes; go on with as many.")
    return before.step, before.rows, before.positions[group.rank]


def _finite(loss: Tensor, step: int) -> None:
    if not bool(torch.isfinite(loss)):
        raise TrainingError(
            f"the loss is no number any more after step {step}: lower learning_rate, or look for NaN in the data."
        )


def _keep(
    path: Path | None,
    model: nn.Module,
    steps: list[torch.optim.Optimizer],
    done: tuple[int, int, Position],
    group: Group,
) -> None:
    """A checkpoint; every process tells its position, the first one writes."""
    if path is None:
        return
    step, rows, position = done
    positions = tuple(group.positions(position))
    if group.first:
        checkpoint.save(path, model, steps, checkpoint.Progress(step, rows, positions))


def _epochs(
    stream: Stream, position: Position, epochs: int, group: Group
) -> Iterator[tuple[dict[str, Column], Position, int]]:
    """Batches of all passes that are left, and the rows of all processes' batches; all see the same number."""
    for epoch in range(position.epoch, epochs):
        start = position if epoch == position.epoch else Position(epoch=epoch)
        batches = replace(stream, start=start).with_positions()  # type: ignore[type-var]
        while True:
            batch = next(batches, None)
            counts = group.counts(rows_of(batch[0]) if batch else 0)
            if batch is None or min(counts) == 0:
                break
            yield *batch, sum(counts)


def idle_cores() -> int:
    """Cores that nobody uses now, at least one: two jobs on one core are slower than one after the other."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return max(1, cores - round(load))
