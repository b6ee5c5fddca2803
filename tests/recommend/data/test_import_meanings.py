"""Import of anybody's log: values that look usable and would mean something else are mended, counted or refused."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recommend.data.imports.maps import LogMap
from recommend.data.imports.run import import_log, sentences
from recommend.data.parquet import DataError
from recommend.data.schema import table_files

START = 1_700_000_000
PLAIN = {"user": "u", "item": "i", "time": {"column": "t", "unit": "s"}}


def bring(path, columns, **more):
    """The report of an import of columns, and its folder."""
    if not path.exists():
        pq.write_table(pa.table(columns), path)
    like = more.pop("like", None)
    out = path.with_suffix(".out")
    return import_log([path], LogMap.of({**PLAIN, **more}), out, like=like), out


def table(out, name="impression") -> pa.Table:
    return pa.concat_tables([pq.ParquetFile(f).read() for f in table_files(out, name)])


def log(rows: int = 200, seed: int = 0) -> dict[str, list]:
    rng = np.random.default_rng(seed)
    return {
        "u": [f"u{u}" for u in rng.integers(0, 9, rows)],
        "i": [f"{i}" for i in rng.integers(0, 20, rows)],
        "t": (START + rng.integers(0, 3 * 86_400, rows)).tolist(),
    }


@pytest.fixture
def berlin():
    """The host's clock in a zone that changes to winter time."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Berlin"
    time.tzset()
    yield
    os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
    time.tzset()


def test_moments_with_a_zone_do_not_depend_on_the_host(tmp_path, berlin):
    first = datetime(2023, 10, 28, 20, tzinfo=UTC)
    moments = [first + timedelta(minutes=10 * k) for k in range(60)]
    columns = {"u": ["a", "b", "c"] * 20, "i": [k % 17 for k in range(60)]}
    stamps = {**columns, "t": pa.array(moments, pa.timestamp("us", "UTC"))}
    texts = {**columns, "t": [m.strftime("%Y-%m-%dT%H:%M:%SZ") for m in moments]}
    for name, given in (("stamps", stamps), ("texts", texts)):
        report, out = bring(tmp_path / f"{name}.parquet", given, time={"column": "t"})
        assert report["span"] == ["2023-10-28 20:00", "2023-10-29 05:50"], name
        rows = table(out).to_pylist()[::2]
        assert [r["hour"] for r in rows] == [m.hour for m in moments], name


def test_local_times_east_of_greenwich_are_not_in_the_future(tmp_path):
    now = datetime.now(UTC) + timedelta(hours=8)
    texts = [(now - timedelta(minutes=k)).strftime("%Y-%m-%d %H:%M:%S") for k in range(30)]
    report, _ = bring(tmp_path / "log.parquet", {"u": ["a", "b"] * 15, "i": [1, 2, 3] * 10, "t": texts},
                      time={"column": "t"})  # fmt: skip
    assert report["dropped"] == {}


def test_a_label_without_a_readable_moment_counts_from_its_row_and_is_said(tmp_path):
    columns = {**log(), "y": [k % 3 == 0 for k in range(200)], "at": [None] * 200}
    columns["at"] = [t + 90_000 if k % 6 == 0 else None for k, t in enumerate(columns["t"])]
    of = {"labels": {"order": {"column": "y", "at": "at"}}, "history": ["all"]}
    report, out = bring(tmp_path / "log.parquet", columns, **of)
    rows = table(out).to_pylist()
    late = [r for r in rows if r["order"] and r["order_day"] != r["day"]]
    assert report["unreadable_moments"] == {"order": sum(r["order"] for r in rows) - len(late)} == {"order": 33}
    assert all(r["order_day"] >= r["day"] for r in rows if r["order"])
    assert any("moment cannot be read" in line for line in sentences(report))
    assert len(table(out, "order")) == 67
    columns["at"] = [None if at is None else at * 1000 for at in columns["at"]]
    with pytest.raises(DataError, match="'order' is true in 67 rows, and none of their moments can be read"):
        bring(tmp_path / "unit.parquet", columns, **of)
