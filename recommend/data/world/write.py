"""A finished world as a log: Parquet in day partitions, the truth apart, a manifest with every file's checksum."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from recommend.data.schema import conform, day_file
from recommend.data.world import oracle
from recommend.data.world.config import WORLD_VERSION, Scale, make_config
from recommend.data.world.loop import World, simulate
from recommend.data.world.tables import day_tables

LOG = "log"
MANIFEST = "manifest.json"


def write_world(
    out: Path, *, scale: Scale = "full", seed: int = 0, knobs: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Simulate a marketplace and write it under ``out``.

    ``out/log/TABLE/day=DDD/part-0.parquet`` is what training reads, ``out/oracle/`` the truth, ``out/manifest.json``
    version, seed, knobs, rows and checksums. The same scale, seed and knobs give the same bytes
    (with the same library versions).

    Args:
        out: a new or empty folder, or one that holds a world, which is replaced.
        scale: ``full`` (1 M impressions) or ``small`` (200 k).
        seed: any integer from 0.
        knobs: changes to ``WorldConfig``.

    Returns:
        The manifest.

    Raises:
        KnobError: unknown scale or knob.
        FileExistsError: ``out`` holds something else.
    """
    config = make_config(scale, knobs)
    _make_room(Path(out))
    world = simulate(config, seed)
    rows: dict[str, int] = {}
    for table, day, data in day_tables(world):
        path = day_file(Path(out) / LOG, table, day)
        path.parent.mkdir(parents=True, exist_ok=True)
        arrow = conform(table, data)
        pq.write_table(
            arrow, path, compression="zstd", compression_level=1, row_group_size=32_768, write_page_checksum=True
        )
        rows[table] = rows.get(table, 0) + arrow.num_rows
    for name, arrays in truth_tables(world):
        oracle.write_truth(Path(out), name, arrays)
    manifest = {
        "world_version": WORLD_VERSION,
        "scale": scale,
        "seed": seed,
        "knobs": dict(knobs or {}),
        "config": asdict(config),
        "rows": rows,
        "files": {str(p.relative_to(out)): _sha256(p) for p in sorted(Path(out).rglob("*")) if p.is_file()},
    }
    text = json.dumps(manifest, indent=1, sort_keys=True)
    (Path(out) / MANIFEST).write_text(text + "\n", encoding="utf-8")
    return json.loads(text)


def truth_tables(world: World) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """What only the oracle knows, in the row order of the log's tables."""
    rows, truth = world.rows, world.truth
    names = ("p_click", "p_click_without_page", "p_cart", "p_order", "p_refund")
    yield "impression", {name: rows[name] for name in names}
    yield "candidate", {"p_click_without_page": world.candidates["p_click_without_page"]}
    users, items, posts = truth.users, truth.items, truth.posts
    yield "user", {"taste": users.taste, "buyer": users.buyer, "thrift": users.thrift, "trust": users.trust}
    yield "item", {"vector": items.vector, "quality": items.quality, "sold_ms": world.sold_ms}
    yield "post", {"vector": posts.vector, "quality": posts.quality}
    yield "lost", {"impression_id": world.lost.row, "time_ms": world.lost.time}


def _make_room(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise FileExistsError(f"{out} is a file; name a folder for the world.")
    if out.exists() and any(out.iterdir()):
        if not (out / MANIFEST).exists():
            raise FileExistsError(f"{out} is not empty and holds no world; choose another folder or empty it.")
        for name in (LOG, oracle.FOLDER):
            shutil.rmtree(out / name, ignore_errors=True)
        (out / MANIFEST).unlink()
    out.mkdir(parents=True, exist_ok=True)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
