"""The index at 100,000 listings: build rate, filtered search (folder and server), recall, memory.

``python -m benchmarks.rag_index.retrieval [--listings N] [--queries N]``. Listings are clones of the shipped
sample: each is a sample listing's vectors plus noise, so that they lie in clusters as real garments do.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.common import arguments, percentiles
from rag_index import (
    Filter,
    IndexRecord,
    ListingIndex,
    Query,
    ServerPlace,
    build,
    retrieve,
    sample_encoders,
    sample_records,
)
from tests.servers import Server

NOISE = 0.9  # length of the noise over the length of the vector: cosine of clone and original about 0.74
SELLERS = 5_000


@dataclass(frozen=True)
class Clones:
    """float32 vectors [n, dimensions] of length 1; ``categories`` [n]."""

    image: np.ndarray
    text: np.ndarray
    categories: np.ndarray

    @classmethod
    def make(cls, base: list[IndexRecord], n: int, seed: int) -> Clones:
        rng = np.random.default_rng(seed)
        chosen = rng.integers(0, len(base), n)

        def noisy(vectors: np.ndarray) -> np.ndarray:
            clones = vectors[chosen].astype(np.float32)
            clones += (NOISE / np.sqrt(clones.shape[1])) * rng.standard_normal(clones.shape, dtype=np.float32)
            return clones / np.linalg.norm(clones, axis=1, keepdims=True)

        return cls(
            noisy(np.array([r.image_vectors[0] for r in base], np.float32)),
            noisy(np.array([r.text_vector for r in base], np.float32)),
            np.array([r.category for r in base])[chosen],
        )

    def records(self, start: int = 0, end: int | None = None) -> Iterator[IndexRecord]:
        for n in range(start, len(self.categories) if end is None else end):
            yield IndexRecord(
                listing_id=f"c{n}",
                seller_id=f"s{n % SELLERS}",
                category=str(self.categories[n]),
                phashes=[f"{n * 0x9E3779B97F4A7C15 % 2**64:016x}"],
                image_vectors=[self.image[n].tolist()],
                text=f"Clone number {n} of a sample listing, made for measuring.",
                text_vector=self.text[n].tolist(),
                attributes={"colour": "blue"},
            )


def memory_mb(pid: int | None = None) -> float:
    """Resident memory of a process now, by default of this one."""
    return float(psutil.Process(pid).memory_info().rss / 2**20)


def milliseconds(work: Callable[[int], Any], count: int) -> dict[str, float]:
    """p50 and p99 of ``work(0) ... work(count - 1)``, after three warm-up calls."""
    taken = []
    for n in (*range(min(3, count)), *range(count)):
        began = time.perf_counter()
        work(n)
        taken.append((time.perf_counter() - began) * 1e3)
    return percentiles(taken[-count:])


def measure_search(index: ListingIndex, queries: Clones) -> dict[str, Any]:
    """A search of photos within a category, and the whole retrieval."""
    vectors, count = queries.image.tolist(), len(queries.categories)

    def filtered(n: int) -> Any:
        return index.search_images([vectors[n]], 10, Filter(category=str(queries.categories[n])))

    def whole(n: int) -> Any:
        text = queries.text[n].tolist()
        return retrieve(index, Query([vectors[n]], text, category=str(queries.categories[n]), seller_id="s1"), 8)

    ways = {"filtered": filtered, "retrieve (image, text, rules)": whole}
    return {name: milliseconds(work, count) for name, work in ways.items()}


def recall_at_10(index: ListingIndex, stored: Clones, queries: Clones) -> float:
    """Share of the exact ten nearest in the category that the filtered search finds."""
    shares = []
    for vector, category in zip(queries.image, queries.categories, strict=True):
        inside = np.flatnonzero(stored.categories == category)
        exact = inside[np.argsort(-(stored.image[inside] @ vector))[:10]]
        hits = index.search_images([vector.tolist()], 10, Filter(category=str(category)))
        shares.append(len({f"c{n}" for n in exact} & {h.listing_id for h in hits}) / len(exact))
    return round(float(np.mean(shares)), 4)


def measure(listings: int, queries: int, folder: Path) -> dict[str, Any]:
    """Everything, as a JSON-able object."""
    info = sample_encoders()
    base = list(sample_records(info))
    stored, asked = Clones.make(base, listings, 1), Clones.make(base, queries, 2)
    place = folder / "index"
    began = time.perf_counter()
    build(stored.records(), place, info)
    result: dict[str, Any] = {"listings": listings, "build_per_s": round(listings / (time.perf_counter() - began), 1)}
    began, before = time.perf_counter(), memory_mb()
    with ListingIndex.open(place, info) as index:
        index.search_images([asked.image[0].tolist()], 10)
        result["open_and_first_search_s"] = round(time.perf_counter() - began, 2)
        result["embedded_ms"] = measure_search(index, asked)
        result["recall_at_10"] = recall_at_10(index, stored, asked)
        manifest = index.manifest
        result["memory_mb"] = {"opened index": round(memory_mb() - before)}
    result["disk_mb"] = round(sum(f.stat().st_size for f in place.rglob("*") if f.is_file()) / 1e6)
    # The server takes over the folder as it is: only the manifest has to be told to it.
    server = Server(place / manifest.generation)
    server.start()
    try:
        ServerPlace(server.url).publish(manifest)
        with ListingIndex.open(server.url, info) as index:
            result["server_ms"] = measure_search(index, asked)
        assert server.process is not None
        result["memory_mb"]["server"] = round(memory_mb(server.process.pid))
    finally:
        server.kill()
    result["machine"] = f"{os.cpu_count()} cores, {platform.machine()}, load {os.getloadavg()[0]:.1f}"
    return result


def main() -> None:
    """Measure and print."""
    args = arguments(__doc__, listings=100_000, queries=300).parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        print(json.dumps(measure(args.listings, args.queries, Path(scratch)), indent=1))


if __name__ == "__main__":
    main()
