"""ECAD from a log: all clicks, each window's label as soon as it can change no more.

What is known is what the log knew at the end of the training days; a click whose first window is still open then is
not trained on, one whose last is open is trained on for the earlier ones.
"""

from __future__ import annotations

import torch
from torch import Tensor

from recommend.data.delayed_labels import DAY_MS, NEVER, ClickLog
from recommend.data.memory import MemoryStream
from recommend.data.parquet import DataError, ParquetStream
from recommend.data.schema import columns_of, table_files
from recommend.features.ragged import select_batch, tensor_of
from recommend.models.ecad import ECAD
from recommend.training.input_specs.spec import READ_ROWS, Given


def stream(given: Given) -> MemoryStream:
    """The clicks of the training days for which a window has closed, in their order.

    Raises:
        DataError: there are none.
    """
    assert isinstance(given.model, ECAD)
    first, last = given.run.train_days
    there = columns_of(given.log)
    if absent := [n for n in ("impression_id", "click", *given.features.labels) if n not in there]:
        raise DataError(f"ecad reads '{absent[0]}', which {given.log} does not have.")
    shown = given.shown("impression_id", *(["entity"] if "entity" in there else []))
    ids = tensor_of(shown["impression_id"])
    entity = tensor_of(shown["entity"]) if "entity" in there else torch.zeros_like(ids)
    click, order, refund = (moments(given, table, ids) for table in ("click", "order", "refund"))
    index = ((click < NEVER) & (entity == 0)).nonzero().squeeze(1)
    index = index[click[index].argsort(stable=True)]
    inputs = {f.column: shown[f.column] for f in given.features.features}
    log = ClickLog(select_batch(inputs, index), *(t[index] for t in (click, order, refund)))
    known = log.known((last + 1) * DAY_MS - 1)
    samples = given.model.samples(known, first * DAY_MS - 1)
    if not len(samples.index):
        shortest = min(*given.model.order_ms, *given.model.refund_ms) / DAY_MS
        raise DataError(
            f"no click of the days {given.days} in {given.log} is {shortest:g} days old, as the shortest window asks; "
            "wait, or set shorter ones (--set order_edges=[0.1,1] --set refund_edges=[0.5,2])."
        )
    return MemoryStream({**select_batch(log.columns, samples.index), **samples.columns}, given.run.train.batch_rows)


def moments(given: Given, table: str, ids: Tensor) -> Tensor:
    """(impressions,) when it happened, ms; NEVER where it had not by the end of the training days."""
    at = torch.full((len(ids),), NEVER)
    files = table_files(given.log, table, *given.run.train_days)
    known, place = ids.sort()
    for batch in ParquetStream(files, ["impression_id", "time_ms"], READ_ROWS) if files else ():
        wanted, time = batch["impression_id"], batch["time_ms"]
        assert isinstance(wanted, Tensor)
        assert isinstance(time, Tensor)
        found = torch.searchsorted(known, wanted).clamp(max=len(known) - 1)
        there = known[found] == wanted
        at[place[found[there]]] = time[there]
    return at
