"""Speed of looking up knowledge: batches of keys from a store of a million, quiet and while a version is published.

``python -m benchmarks.recommend.knowledge_store [--keys N] [--lookups N]``. Keys are drawn at
random, a tenth of them missing. "While publishing" asks from this process while another one writes the next version of
the same size and swaps it in. Beside it, the floor: the same vectors in a NumPy memory map with a binary search over
its keys, which can neither be extended nor swapped.
"""

from __future__ import annotations

import json
import multiprocessing
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.common import arguments
from recommend.data.knowledge import KnowledgeStore

CAPACITY = 1 << 33
WIDTH, BATCH = 32, 200  # numbers of a vector, keys of a lookup


def table(keys: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Ascending keys with gaps, and their vectors."""
    rng = np.random.default_rng(seed)
    return np.arange(keys) * 10 // 9, rng.normal(size=(keys, WIDTH)).astype(np.float32)


def publish(folder: Path, keys: int, seed: int) -> None:
    """Publish a version, in another process."""
    with KnowledgeStore(folder, CAPACITY) as store:
        store.publish({"item": table(keys, seed)}, until_ms=0)


def timed(look: Callable[[np.ndarray], object], batches: list[np.ndarray]) -> list[tuple[float, float]]:
    """Wall and CPU seconds of each lookup; the second leaves out when other work had the core."""
    seconds = []
    for batch in batches:
        began, cpu = time.perf_counter(), time.thread_time()
        look(batch)
        seconds.append((time.perf_counter() - began, time.thread_time() - cpu))
    return seconds


def summary(seconds: list[tuple[float, float]]) -> dict[str, float]:
    """Milliseconds."""
    (wall50, cpu50), (wall99, cpu99) = np.percentile(seconds, [50, 99], axis=0) * 1_000
    figures = {"p50_ms": wall50, "p99_ms": wall99, "cpu_p50_ms": cpu50, "cpu_p99_ms": cpu99}
    return {name: round(float(value), 3) for name, value in figures.items()} | {"lookups": len(seconds)}


def main() -> None:
    """Measure and print JSON."""
    args = arguments(__doc__, keys=1_000_000, lookups=5_000).parse_args()
    rng = np.random.default_rng(0)
    span = args.keys * 10 // 9
    batches = [rng.integers(0, span, BATCH) for _ in range(args.lookups)]
    with tempfile.TemporaryDirectory() as name, KnowledgeStore(Path(name), CAPACITY) as store:
        folder = Path(name)
        keys, vectors = table(args.keys, seed=1)
        began, cpu = time.perf_counter(), time.process_time()
        store.publish({"item": (keys, vectors)}, until_ms=0)
        wrote = {"wall_s": time.perf_counter() - began, "cpu_s": time.process_time() - cpu}
        size = (folder / "data.mdb").stat().st_size

        def look(batch: np.ndarray) -> np.ndarray:
            with store.snapshot() as snapshot:
                return snapshot.lookup("item", batch)

        timed(look, batches[:200])
        quiet = timed(look, batches)
        other = multiprocessing.get_context("spawn").Process(target=publish, args=(folder, args.keys, 2))
        other.start()
        busy: list[tuple[float, float]] = []
        while other.is_alive():
            busy += timed(look, batches[:100])
        other.join()
        np.save(folder / "keys.npy", keys)
        np.save(folder / "vectors.npy", vectors)
        sorted_keys, rows = (np.load(folder / f"{n}.npy", mmap_mode="r") for n in ("keys", "vectors"))
        floor = timed(lambda batch: rows[np.searchsorted(sorted_keys, batch).clip(max=len(sorted_keys) - 1)], batches)
        result = {
            "keys": args.keys,
            "width": WIDTH,
            "batch": BATCH,
            "publish": {name: round(value, 2) for name, value in wrote.items()},
            "file_mb": round(size / 1e6),
            "versions": [version.number for version in store.versions()],
            "quiet": summary(quiet),
            "while publishing": summary(busy),
            "memory map": summary(floor),
            "machine": f"{platform.machine()}, Python {platform.python_version()}",
        }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
