"""Several processes under ``torchrun``: who this one is, and what the others do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist

from recommend.data.parquet import Position


@dataclass(frozen=True)
class Group:
    """This process's number among ``size``."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """True for the process that writes the files."""
        return self.rank == 0

    def counts(self, rows: int) -> list[int]:
        """Rows that every process is about to train on; zero means that one has reached its end."""
        return [count for (count,) in self._gathered(rows)]

    def positions(self, position: Position) -> list[Position]:
        """Where every process reads next: shards of unequal row groups move on at unequal pace."""
        return [Position(*of) for of in self._gathered(position.group, position.row, position.epoch)]

    def _gathered(self, *values: int) -> list[list[int]]:
        """The numbers of every process."""
        if self.size == 1:
            return [list(values)]
        mine = torch.tensor(values, dtype=torch.int64)
        every = [torch.zeros_like(mine) for _ in range(self.size)]
        dist.all_gather(every, mine)
        return [of.tolist() for of in every]

    def wait(self) -> None:
        """Until all are here."""
        if self.size > 1:
            dist.barrier()


@contextmanager
def group(backend: str = "gloo") -> Iterator[Group]:
    """The processes that ``torchrun`` started, or a group of one."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Group()
        return
    dist.init_process_group(backend)
    mine = Group(dist.get_rank(), dist.get_world_size())
    try:
        yield mine
        mine.wait()  # whoever leaves first would cut the others' connections
    finally:
        dist.destroy_process_group()
