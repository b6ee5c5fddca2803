"""MKT from a log: stage 1 learns from the rows of things and posts, stage 2 from those of posts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from recommend.data.memory import MemoryStream
from recommend.data.parquet import DataError, ParquetStream
from recommend.data.schema import table_files
from recommend.features.entities import ENTITY, POST, Facts, entity_map
from recommend.features.feature_map import FeatureMap
from recommend.features.ragged import Batch, Column, concat_batches, rows_of, select_batch
from recommend.models.mkt import MKT
from recommend.training.input_specs.spec import READ_ROWS, Given
from recommend.training.run_config import RunConfig
from recommend.training.trainer import train

STAGE = "stage1"  # folder of the first stage's checkpoint


def features(usual: FeatureMap, run: RunConfig) -> FeatureMap:
    """Fields of things, of posts and of both, and a history of each."""
    return entity_map(content=run.content, labels=run.labels)


def facts(log: Path, run: RunConfig) -> Callable[[Batch], dict[str, Column]]:
    """Adds what the log's tables say of posts, of people and of what was clicked."""
    names = ["post_id", "category"]
    rows = concat_batches(list(ParquetStream(table_files(log, "impression"), names, READ_ROWS)))
    return Facts(log, rows).join


def first_stage(given: Given, out: Path) -> None:
    """Train what is transferred on the rows of both entities; goes on with an interrupted first stage.

    Raises:
        DataError: the log has rows of one entity alone.
    """
    assert isinstance(given.model, MKT)
    rows = given.shown()
    of_posts = _posts(rows)
    if not bool(of_posts.any()) or bool(of_posts.all()):
        what = "posts" if not bool(of_posts.any()) else "things"
        raise DataError(f"nobody saw {what} on the days {given.days} in {given.log}; mkt learns from things and posts.")
    mem = given.model.mem.requires_grad_(True)
    train(mem, MemoryStream(rows, given.run.train.batch_rows), given.run.train, folder=out / STAGE)
    mem.requires_grad_(False)
    mem.zero_grad()


def stream(given: Given) -> MemoryStream:
    """The rows of posts, in their order."""
    rows = given.shown()
    posts = select_batch(rows, _posts(rows).nonzero().squeeze(1))
    if not rows_of(posts):
        raise DataError(f"nobody saw posts on the days {given.days} in {given.log}; mkt learns from things and posts.")
    return MemoryStream(posts, given.run.train.batch_rows)


def _posts(rows: Batch) -> Tensor:
    entity = rows[ENTITY]
    assert isinstance(entity, torch.Tensor)
    return entity == POST
