"""Things of a world's log as they would come into a live feed."""

from __future__ import annotations

from pathlib import Path

from recommend.cascade.catalog import Item
from recommend.cascade.request import Moment
from recommend.data.parquet import ParquetStream
from recommend.data.schema import table_files
from recommend.features.ragged import Ragged, concat_batches, tensor_of

PLAIN = (
    "item_id",
    "seller_id",
    "category",
    "condition",
    "price",
    "price_bucket",
    "stock",
    "single",
    "bid",
    "listed_ms",
)


def world_items(log: Path, until: Moment) -> list[Item]:
    """All things listed until a moment, the latest first; whether they were sold by then is not asked."""
    rows = concat_batches(list(ParquetStream(table_files(log, "item"), [*PLAIN, "content"], batch_rows=65_536)))
    content = rows["content"]
    assert isinstance(content, Ragged)
    vectors = content.padded()[0].numpy()
    plain = {name: tensor_of(rows[name]).tolist() for name in PLAIN}
    items = [
        Item(**{name: values[n] for name, values in plain.items()}, content=vectors[n])
        for n in range(len(vectors))
        if plain["listed_ms"][n] <= until.time_ms
    ]
    return sorted(items, key=lambda item: -item.listed_ms)
