"""A world on disk: Parquet in day partitions, streamed; the truth apart; a manifest with every file's checksum."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from recommend.data import oracle
from recommend.data.schema import day_file
from recommend.research.world import tables
from recommend.research.world.clicks import Clicks
from recommend.research.world.impressions import Impressions
from recommend.simulation.config import VIEWS, WORLD_VERSION, KnobError, make_config
from recommend.simulation.truth import Truth

LOG, MANIFEST = "log", "manifest.json"


def write_world(
    out: Path, *, view: str = "impressions", seed: int = 0, knobs: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Simulate a view and write it under ``out``, one day in memory at a time.

    ``out/log/TABLE/day=DDD/part-0.parquet`` is what training reads, ``out/oracle/`` the truth, one file a day in the
    row order of the impressions. The same view, seed and knobs give the same bytes (with the same library versions).

    Args:
        out: a new or empty folder, or one that holds a world, which is replaced.
        view: ``impressions``, ``clicks`` (rows of the table of impressions are then clicks) or ``candidates``
            (impressions by that view's knobs; the candidates need a trained ranker: ``candidates.py`` adds them).
        seed: from 0; those from ``config.JUDGES`` on judge, and nothing may be tuned on them.

    Returns:
        The manifest.

    Raises:
        KnobError: unknown view or knob.
        FileExistsError: ``out`` holds something else.
    """
    if view not in VIEWS:
        raise KnobError(f"there is no view '{view}'; use one of {', '.join(VIEWS)}.")
    knobs = {**VIEWS[view], **(knobs or {})}
    config, out = make_config(knobs), Path(out)
    _make_room(out)
    world = Clicks(config, seed) if view == "clicks" else Impressions(config, seed)
    count: dict[str, int] = {}
    for day, rows, truth in world.days():
        for name, data in _day(world.truth, rows, view).items():
            count[name] = count.get(name, 0) + put(out, name, day, tables.table(name, data))
        oracle.write_truth(out, f"impression/day={day:03d}", truth)
    for name, data in tables.standing(world.truth, config).items():
        count[name] = put(out, name, 0, tables.table(name, data))
    t = world.truth
    oracle.write_truth(out, "item", {n: getattr(t.items, n) for n in ("vector", "quality", "long", "gone")})
    oracle.write_truth(out, "user", {"taste": t.users.taste, "interest": t.users.interest})
    return write_manifest(out, {"view": view, "seed": seed, "knobs": knobs, "rows": count}, asdict(config))


def _day(truth: Truth, rows: dict[str, Any], view: str) -> dict[str, dict[str, Any]]:
    events = tables.orders_and_refunds(truth, rows)
    if view != "clicks":
        return {"impression": tables.impressions(truth, rows), "click": tables.clicks(truth, rows), **events}
    data = tables.facts(truth, rows["user"], rows["item"], rows["time"]) | {
        "impression_id": rows["row"],
        "request_id": rows["row"],
        **{name: rows[name] for name in ("entity", "channel", "policy", "click", "order", "refund")},
    }
    return {"impression": data, **events}


def put(out: Path, name: str, day: int, data: pa.Table) -> int:
    """Write a day of a table; its rows."""
    path = day_file(out / LOG, name, day)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(data, path, compression="zstd", compression_level=1, row_group_size=65_536, write_page_checksum=True)
    return int(data.num_rows)


def write_manifest(out: Path, facts: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    """Version, seed, knobs, rows and checksums."""
    files = {str(p.relative_to(out)): _sha256(p) for p in sorted(out.rglob("*")) if p.is_file() and p.name != MANIFEST}
    text = json.dumps(
        {"world_version": WORLD_VERSION, **facts, "config": config, "files": files}, indent=1, sort_keys=True
    )
    (out / MANIFEST).write_text(text + "\n", encoding="utf-8")
    return json.loads(text)


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
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
