"""Price ranges of a catalogue's new items by its other rows, and what a range costs at 20,000 listings.

``python -m benchmarks.rag_index.prices --table FILE [--items 500] [--seed 0] [--listings 20000]``. FILE: Parquet with
``brand``, ``article_type`` (the category), ``sub_category`` (its group) and ``price_inr``. Vectors are made up.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle, islice
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from benchmarks.common import arguments, machine, percentiles
from rag_index import EncoderInfo, EncodersInfo, IndexRecord, ListingIndex, PriceBasis, Query, build, comparable_prices

ENCODER = EncoderInfo(model="none", revision="none", dimensions=384)
INFO = EncodersInfo(image=ENCODER, text=ENCODER)
Ranges = Sequence[tuple[PriceBasis, float]]  # with the price that the item has


def records(rows: Sequence[dict[str, Any]], count: int) -> Iterator[IndexRecord]:
    """Listings of the rows, over and over, each of a seller of its own; vectors at random."""
    vectors = np.random.default_rng(0).standard_normal((count, ENCODER.dimensions), np.float32)
    for number, row in enumerate(islice(cycle(rows), count)):
        ids = {"listing_id": f"row{number}", "seller_id": f"seller{number}", "category": row["article_type"]}
        price = {"attributes": {"brand": row["brand"]}, "price": row["price_inr"], "currency": "INR"}
        yield IndexRecord.model_validate({**ids, **price, "text_vector": vectors[number].tolist()})


def figures(ranges: Ranges, items: int) -> dict[str, float]:
    """The share of items with a range, of those the share whose price lies inside, and the ranges' width."""
    inside = np.mean([basis.low <= price <= basis.high for basis, price in ranges])
    width = np.median([basis.high / basis.low for basis, _ in ranges])
    numbers = {"with_range": len(ranges) / items, "inside": inside, "median_width": width}
    return {name: round(float(number), 3) for name, number in numbers.items()}


def measured(index: ListingIndex, items: Sequence[dict[str, Any]], group: Mapping[str, set[str]]) -> dict[str, Any]:
    """Figures of all items and by scope, and the milliseconds of a range."""
    ranges, spent = list[tuple[PriceBasis, float]](), list[float]()
    for row in items:
        query, related = Query(category=row["article_type"]), sorted(group.get(row["sub_category"], ()))
        began = time.perf_counter()
        if basis := comparable_prices(index, query, row["brand"], related):
            ranges.append((basis, row["price_inr"]))
        spent.append((time.perf_counter() - began) * 1e3)
    by_scope = {scope: [r for r in ranges if r[0].scope == scope] for scope in {b.scope for b, _ in ranges}}
    scopes = {scope: figures(by_scope[scope], len(items)) for scope in sorted(by_scope)}
    return {**figures(ranges, len(items)), **percentiles(spent), **scopes}


def main() -> None:
    """Measure and print."""
    args = arguments(__doc__, table="", items=500, seed=0, listings=20_000).parse_args()
    rows = [row for row in pq.read_table(args.table).to_pylist() if row["price_inr"]]
    order = np.random.default_rng(args.seed).permutation(len(rows))
    items, others = ([rows[i] for i in part] for part in (order[: args.items], order[args.items :]))
    group, result = dict[str, set[str]](), dict[str, Any](machine())
    for row in others:
        group.setdefault(row["sub_category"], set()).add(row["article_type"])
    for name, count in (("catalogue", len(others)), ("cost", args.listings)):
        with tempfile.TemporaryDirectory() as folder:
            build(records(others, count), folder, INFO)
            with ListingIndex.open(folder, INFO) as index:
                result[name] = {"listings": count, **measured(index, items, group)}
    result["cost"] = {key: result["cost"][key] for key in ("listings", "p50_ms", "p99_ms")}
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
