"""Training day by day while labels ripen: at each midnight a model learns from what is known then, and is asked for the
clicks of the day that begins.

A model is a ``Ranker`` that also says, from what is known, what it wants to train on (``samples``). It never gets the
log itself; ``ClickLog.known`` hides what has not happened yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from recommend.config import ModelConfig, TrainConfig
from recommend.data.content_join import Contents
from recommend.data.delayed_labels import DAY_MS, NEVER, ClickLog, Known, Samples
from recommend.data.memory import MemoryStream
from recommend.data.parquet import ParquetStream
from recommend.data.schema import ENTITIES, table_files
from recommend.data.world.config import make_config
from recommend.data.world.oracle import no_oracle, open_oracle
from recommend.data.world.write import LOG
from recommend.experiments.recipe import Setting
from recommend.experiments.setups.marketplace import world_folder
from recommend.features.encoders import Encoders
from recommend.features.feature_map import FeatureMap
from recommend.features.ragged import Batch, Column, concat_batches, select_batch, slice_batch
from recommend.losses.pointwise import bce
from recommend.models.base import Logits, label
from recommend.models.ecad import FIRST_RATE, Towers
from recommend.training.optim import optimizers
from recommend.training.trainer import train

ASKED_ROWS = 4_096
WARM_ROWS = 256


class Streamed(Protocol):
    """What a model must do beside ``loss`` and ``predict`` to be trained here."""

    def samples(self, known: Known, since: int) -> Samples: ...


@dataclass(frozen=True)
class Asked:
    """What was predicted: (rows,) probabilities by name of the clicks ``rows``, each before its own day."""

    rows: np.ndarray
    probabilities: dict[str, np.ndarray]
    steps: int
    trained: int


def stream(
    model: torch.nn.Module,
    log: ClickLog,
    days: Sequence[int],
    asked_from: int,
    config: TrainConfig,
    foresight: bool = False,
) -> Asked:
    """Train at the beginning of each day on what has become known, then predict the day's clicks.

    Args:
        model: trained in place.
        days: ascending; the first one trains on nothing.
        asked_from: first day of which the clicks are predicted.
        config: ``epochs`` passes over the samples of each day, in a random order within the day.
        foresight: the oracle's log.
    """
    torch.set_num_threads(config.threads or 1)
    steps = optimizers(model, config.learning_rate)
    since, count, trained = days[0] * DAY_MS - 1, 0, 0
    found: dict[str, list[np.ndarray]] = {}
    with no_oracle():
        for day in days:
            now = day * DAY_MS - 1
            known = log.known(now, foresight)
            samples = model.samples(known, since)  # type: ignore[operator]
            if len(samples.index) and int(samples.index.max()) >= len(known.click_ms):
                raise ValueError("a model asked for clicks of the future.")
            rows = {**select_batch(log.columns, samples.index), **samples.columns}
            model.train()
            for epoch in range(config.epochs if len(samples.index) else 0):
                chance = torch.Generator().manual_seed(config.seed * 1_000_003 + day * 101 + epoch)
                order = torch.randperm(len(samples.index), generator=chance)
                for part in order.split(config.batch_rows):
                    batch = select_batch(rows, part)
                    for optimizer in steps:
                        optimizer.zero_grad(set_to_none=True)
                    model.loss(model(batch), batch).backward()  # type: ignore[operator]
                    for optimizer in steps:
                        optimizer.step()
                    count, trained = count + 1, trained + len(part)
            since = now
            if day >= asked_from:
                start, stop = log.count(now), log.count(now + DAY_MS)
                for at in range(start, stop, ASKED_ROWS):
                    asked = model.predict(slice_batch(log.columns, at, min(at + ASKED_ROWS, stop)))  # type: ignore[operator]
                    for name, p in asked.items():
                        found.setdefault(name, []).append(p.numpy())
    first, last = log.count(asked_from * DAY_MS - 1), log.count((days[-1] + 1) * DAY_MS - 1)
    return Asked(np.arange(first, last), {n: np.concatenate(p) for n, p in found.items()}, count, trained)


class Clicks(Towers):
    """Clicks are known at once: what a body can learn from them before the first order has settled."""

    def loss(self, logits: Logits, batch: Batch) -> Tensor:
        return bce(logits["click"], label(batch, "click"))


def warm_start(
    features: FeatureMap, sizes: Mapping[str, int], shown: Batch, config: ModelConfig, seed: int
) -> dict[str, Tensor]:
    """Weights of tables, attention and bottom after one pass over impressions and their clicks: where all start."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Clicks(features, sizes, config, {"click": FIRST_RATE})
    with no_oracle():
        train(model, MemoryStream(shown, WARM_ROWS), TrainConfig(batch_rows=WARM_ROWS, threads=1, seed=seed))
    return {n: v.clone() for n, v in model.state_dict().items() if not n.startswith("towers.")}


@dataclass(frozen=True)
class Truth:
    """(clicks,) true probabilities within the attribution windows; for measuring only."""

    order: np.ndarray
    rfr: np.ndarray

    @property
    def ecvr(self) -> np.ndarray:
        return self.order * (1 - self.rfr)


@dataclass(frozen=True)
class Market:
    """A world's clicks on things for sale, ready to stream.

    Attributes:
        sizes: of the embedding tables, whose ids are those shown in the warm-up.
        days: of the log.
    """

    log: ClickLog
    truth: Truth
    sizes: dict[str, int]
    days: int


def open_clicks(
    setting: Setting, features: FeatureMap, warm_up: int, order_days: float, refund_days: float, min_count: int = 10
) -> tuple[Market, dict[str, Column]]:
    """Simulate or find a world and load its clicks, and beside them the warm-up's impressions with their clicks.

    Args:
        warm_up: days on whose impressions ids and scales are fitted.
        order_days, refund_days: attribution windows of the truth.
    """
    folder = world_folder(setting.worlds, setting.scale, setting.seed, setting.knobs)
    world = make_config(setting.scale, setting.knobs)
    files = table_files(folder / LOG, "impression")
    names = [n for n in features.columns if n not in features.labels]
    keep = list(dict.fromkeys([*names, "impression_id", "entity", "click", "day"]))
    shown = concat_batches(list(ParquetStream(files, keep, batch_rows=65_536)))
    contents = Contents.read(folder / LOG, features, world.days)
    early = int((_tensor(shown["day"]) < warm_up).sum())
    encoders = Encoders.fit(features, [slice_batch(shown, 0, early)], min_count)
    clicks = _events(folder, "click")
    row = torch.full((len(shown["impression_id"]),), NEVER)
    moment = {table: row.clone() for table in ("click", "order", "refund")}
    for table, at in moment.items():
        ids, time = clicks if table == "click" else _events(folder, table)
        at[torch.from_numpy(ids)] = torch.from_numpy(time)
    sold = (_tensor(shown["entity"]) == ENTITIES.index("item")) & _tensor(shown["click"])
    index = sold.nonzero().squeeze(1)
    index = index[moment["click"][index].argsort(stable=True)]
    columns = encoders(contents(select_batch(shown, index)))
    inputs = {f.column: columns[f.column] for f in features.features}
    log = ClickLog(inputs, *(moment[t][index] for t in ("click", "order", "refund")))
    true, lost = open_oracle(folder), len(open_oracle(folder, "lost")["impression_id"])
    served = 1 - lost / max(lost + int((moment["order"] < NEVER).sum()), 1)
    speed = world.fast_delays
    truth = Truth(
        true["p_order"][index].astype(np.float64) * served * share_within(world.order_delay_h, order_days * 24 / speed),
        true["p_refund"][index].astype(np.float64) * share_within(world.refund_delay_d, refund_days / speed),
    )
    first = slice_batch(shown, 0, early)
    warm = encoders(contents(first))
    return Market(log, truth, encoders.sizes(), world.days), {n: warm[n] for n in (*inputs, "click")}


def share_within(quantiles: Sequence[tuple[float, float]], limit: float) -> float:
    """Share of delays up to ``limit``, of a table of the world's quantiles (between them the logarithm is linear)."""
    shares, values = zip(*quantiles, strict=True)
    return float(np.interp(np.log(limit), np.log(values), shares))


def _tensor(column: Column) -> Tensor:
    assert isinstance(column, Tensor)
    return column


def _events(folder: Path, table: str) -> tuple[np.ndarray, np.ndarray]:
    parts = [pq.read_table(f, columns=["impression_id", "time_ms"]) for f in table_files(folder / LOG, table)]
    whole = pa.concat_tables(parts) if parts else pa.table({"impression_id": [], "time_ms": []})
    return tuple(whole[n].to_numpy().astype(np.int64) for n in ("impression_id", "time_ms"))  # type: ignore[return-value]


def settled(log: ClickLog, rows: np.ndarray, order_days: float, refund_days: float) -> tuple[np.ndarray, np.ndarray]:
    """(rows,) whether each click was ordered, and refunded, within the windows: the final labels."""
    click, order, refund = (t[torch.from_numpy(rows)] for t in (log.click_ms, log.order_ms, log.refund_ms))
    bought = order - click <= order_days * DAY_MS
    back = bought & (refund < NEVER) & (refund - order <= refund_days * DAY_MS)
    return bought.numpy(), back.numpy()
