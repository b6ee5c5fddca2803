"""The knowledge of a trained extractor, computed once for every key and published as a new version (KEEP)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from recommend.config import ConfigError
from recommend.data.knowledge import KnowledgeStore, Table, Version
from recommend.data.memory import MemoryStream
from recommend.data.parquet import DataError, read_table
from recommend.data.ragged import Batch, Column, Ragged, select_batch, tensor_of
from recommend.data.schema import DAY_MS, TABLES
from recommend.models.keep import CATEGORY, Extractor
from recommend.models.run_config import RunConfig
from recommend.models.training_log import Encode
from recommend.training import checkpoint
from recommend.training.runs import load_run, read_run

CHUNK = 16_384  # keys that a tower works on at once
OF_ITEM = ("item_id", "category", "condition", "price_bucket", "seller_id", "single")


def coordinates(run: Path) -> str:
    """In which coordinates a run's vectors are: those of the run from whose weights it went on, or its own."""
    return read_run(run).start or hashlib.sha256((Path(run) / checkpoint.NAME).read_bytes()).hexdigest()[:16]


def started(run: RunConfig, start: Path) -> RunConfig:
    """The run as one that goes on from another's weights.

    Raises:
        ConfigError: that one has another model, features or labels, or has learned later days, so that knowledge of
            the run would be published as older than it is.
    """
    before = read_run(start)
    same = ("model", "labels", "content", "history", "stock", "extra")
    other = [name for name in same if getattr(before, name) != getattr(run, name)]
    if other:
        raise ConfigError(f"{start} differs in '{other[0]}' and cannot be gone on from.")
    if before.train_days[1] > run.train_days[1]:
        raise ConfigError(
            f"{start} has learned days until {before.train_days[1]}, and what goes on from it may not end with day "
            f"{run.train_days[1]}."
        )
    return run.model_copy(update={"start": coordinates(start)})


def publish(run: Path, log: Path, folder: Path) -> Version:
    """A new version of everything that a run's extractor knows, of the events until the end of its training days.

    Args:
        folder: of the store; made when it is not there.

    Raises:
        DataError: the run is no finished run of an extractor.
    """
    model, encode, split = load_run(run, log)
    if not isinstance(model, Extractor):
        raise DataError(
            f"{run} holds a {read_run(run).model.name}; knowledge comes from a keep_extractor "
            "('./ipl recommend train --model keep_extractor')."
        )
    tables = extract(model.eval(), encode, log, split.train[1])
    with KnowledgeStore(folder) as store:
        return store.publish(tables, (split.train[1] + 1) * DAY_MS, source=coordinates(run))


def extract(model: Extractor, encode: Encode, log: Path, last_day: int) -> dict[str, Table]:
    """Knowledge of every user seen, thing listed and pair of user and category shown until the end of a day."""
    until = (last_day + 1) * DAY_MS
    items = read_table(log, "item", (*OF_ITEM, "listed_ms"))
    listed = (tensor_of(items["listed_ms"]) < until).nonzero().squeeze(1)
    items = select_batch(items, listed[tensor_of(items["item_id"])[listed].argsort()])
    impressions = read_table(log, "impression", ("user_id", "item_id", CATEGORY), 0, last_day)
    ids = {n: tensor_of(impressions[n])[tensor_of(impressions["item_id"]) >= 0] for n in ("user_id", CATEGORY)}
    pairs = torch.unique(torch.stack([ids["user_id"], ids[CATEGORY].long()], 1), dim=0)
    users = torch.unique(tensor_of(impressions["user_id"]))
    longest = max(f.max_length for f in model.features.role("history"))
    of_user = _behaviour(log, users, items, last_day, longest)
    of_pair = select_batch(of_user, torch.searchsorted(users, pairs[:, 0].contiguous()))
    of_pair[CATEGORY] = pairs[:, 1]
    of_item = {name: items[name] for name in OF_ITEM}
    return {
        "user": (users.numpy(), vectors(model.user_vector, encode, model, of_user)),
        "item": (tensor_of(items["item_id"]).numpy(), vectors(model.item_vector, encode, model, of_item)),
        "pair": (pairs.numpy(), vectors(model.pair_vector, encode, model, of_pair)),
    }


@torch.no_grad()
def vectors(tower: Callable[[Batch], Tensor], encode: Encode, model: Extractor, keys: Batch) -> np.ndarray:
    """(keys, width) vectors of a tower, which reads the columns given and no other."""
    count = len(next(iter(keys.values())))
    blank: dict[str, Column] = {}
    for name in model.features.columns:
        kind = next((c.type for c in TABLES["impression"] if c.name == name), None)
        ragged = kind is not None and str(kind).startswith("list")
        nothing = torch.empty(0, dtype=torch.int64), torch.zeros(count, dtype=torch.int64)
        blank[name] = Ragged(*nothing) if ragged else torch.full((count,), -1)
    parts = [tower(encode(part)) for part in MemoryStream({**blank, **keys}, CHUNK)]
    return torch.cat(parts).numpy() if parts else np.zeros((0, model.config.tower), np.float32)


def _behaviour(log: Path, users: Tensor, items: Batch, last_day: int, longest: int) -> dict[str, Column]:
    """The users' columns as a request right after the day would find them."""
    clicks = read_table(log, "click", ("user_id", "item_id", "time_ms"), 0, last_day)
    user, item, time = (tensor_of(clicks[n]).numpy() for n in ("user_id", "item_id", "time_ms"))
    item_ids = tensor_of(items["item_id"]).numpy()
    order = np.lexsort((time, user))
    order = order[np.isin(item[order], item_ids)]  # of posts nothing is known here
    user, item = user[order], item[order]
    begin, end = (np.searchsorted(user, users.numpy(), side) for side in ("left", "right"))
    begin = np.maximum(begin, end - longest)
    lengths = end - begin
    flat = np.repeat(begin - (np.cumsum(lengths) - lengths), lengths) + np.arange(lengths.sum())
    past, count = torch.from_numpy(item[flat]), torch.from_numpy(lengths)
    category = tensor_of(items[CATEGORY])[torch.searchsorted(tensor_of(items["item_id"]), past)]
    return {
        "user_id": users,
        "history_item": Ragged(past, count),
        "history_category": Ragged(category, count),
    }
