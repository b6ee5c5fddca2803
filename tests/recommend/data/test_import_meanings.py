"""Import of anybody's log: values that look usable and would mean something else are mended, counted or refused."""

from __future__ import annotations

import gzip
import os
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

from recommend.config import ConfigError, ModelConfig, TrainConfig
from recommend.data.parquet import DataError
from recommend.data.schema import table_files
from recommend.imports.maps import LogMap
from recommend.imports.run import import_log, sentences
from recommend.phenomena.log import Log
from recommend.phenomena.one_epoch import measure
from recommend.training.runs import plan

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
    for name, cells in (("stamps", stamps), ("texts", texts)):
        report, out = bring(tmp_path / f"{name}.parquet", cells, time={"column": "t"})
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


@pytest.mark.parametrize("rule", ["popular", "uniform"])
def test_a_negative_is_never_its_own_positive(tmp_path, rule):
    """One item has nearly all events of a day; another day has one item only, and becomes no rows."""
    columns = {"u": [k % 9 for k in range(600)], "i": [7] * 600, "t": [START + 10 * k for k in range(600)]}
    columns["i"][100], columns["i"][200] = 8, 9
    columns["t"][500:] = [START + 5 * 86_400 + k for k in range(100)]
    report, out = bring(tmp_path / "log.parquet", columns, negatives={"rule": rule})
    items = np.asarray(table(out)["item_id"]).reshape(-1, 2)
    assert (items[:, 0] != items[:, 1]).all()
    assert (len(items), report["alone"]) == (500, 100)
    assert any("one item" in line for line in sentences(report))
    columns["t"] = [START + 86_400 * k for k in range(600)]
    with pytest.raises(DataError, match="600 of 600 events lie on days with one item"):
        bring(tmp_path / "sparse.parquet", columns)


def test_an_expression_is_one_statement_and_items_lie_beside_the_log(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("u,i,t\n" + "".join(f"{k % 9},{k % 7},{START + k * 99}\n" for k in range(90)))
    before, write = path.read_text(), f"COPY (SELECT 'gone') TO '{path}' (USE_TMP_FILE false)"
    items = {"file": "log.csv", "key": "i", "columns": {"x": f"1); {write}; SELECT (1"}}
    for change in ({"user": {"sql": f"1); {write}; SELECT (1"}}, {"where": f"true; {write}"}, {"items": items}):
        with pytest.raises(DataError, match="does not fit its map"):
            bring(path, None, **change)
        assert path.read_text() == before
    for file in ("/etc/host*", "../log.csv"):
        with pytest.raises(DataError, match="must lie beside the log"):
            bring(path, None, items={**items, "file": file})


def test_limited_stock_and_promotions_mean_what_they_say(tmp_path):
    some = ["", None, "xmas", "black friday"]
    columns = {**log(), "s": [[True, False, None][k % 3] for k in range(200)], "p": [some[k % 4] for k in range(200)]}
    labels = {"labels": {"click": {"sql": "i > '15'"}}, "target": {"single": "s"}, "context": {"promotion": "p"}}
    report, out = bring(tmp_path / "log.parquet", columns, **labels)
    assert report["empty"] == {"single": 66, "promotion": 50}
    rows = table(out)
    assert np.bincount(rows["single"]).tolist() == [133, 67]
    assert np.bincount(rows["promotion"]).tolist() == [100, 50, 50], "0 is none"
    columns["s"] = ["limited", "normal"] * 100
    with pytest.raises(DataError, match=r"'single' .* must be true or false \(1 or 0\), not '(limited|normal)'"):
        bring(tmp_path / "texts.parquet", columns, **labels)


def test_texts_with_codes_of_their_own_share_no_table(tmp_path):
    columns = {**log(), "b": ["Nike", "Puma"] * 100, "seen": ["Zara", "Nike"] * 100}
    _, out = bring(tmp_path / "log.parquet", columns, target={"brand": "b"}, context={"brand_seen": "seen"})
    path = out / "features.yaml"
    path.write_text(path.read_text().replace("column: brand_seen\n", "column: brand_seen\n  table: brand\n"))
    with pytest.raises(DataError, match="'brand' and 'brand_seen' cannot share the table 'brand'"):
        plan(out, ModelConfig(name="dnn"), TrainConfig(threads=1), ("click",), 1)


def test_files_that_are_cut_and_columns_that_come_too_late_are_the_logs_fault(tmp_path):
    """Nothing is left, since the same command would fail again."""
    path, text = (
        tmp_path / "log.csv.gz",
        "u,i,t\n" + "".join(f"{k * k % 9},{k % 7},{START + k * k}\n" for k in range(9000)),
    )
    path.write_bytes(gzip.compress(text.encode())[:20_000])
    feather.write_feather(pa.table(log()), tmp_path / "log.feather")
    whole = (tmp_path / "log.feather").read_bytes()
    (tmp_path / "log.feather").write_bytes(whole[: len(whole) // 2])
    for cut in (path, tmp_path / "log.feather"):
        with pytest.raises(DataError, match="does not fit its map"):
            bring(cut, None)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["log.csv.gz", "log.feather"]
    with pytest.raises(ConfigError, match="dwell_s is known after the request"):
        LogMap.of({**PLAIN, "context": {"dwell_s": "d"}})


def test_facts_of_items_do_not_hide_behind_a_column_of_the_log(tmp_path):
    pq.write_table(pa.table({"key": [str(k) for k in range(20)], "cat": ["real"] * 20}), tmp_path / "items.parquet")
    items = {"file": "items.parquet", "key": "key", "columns": {"C": "any_value(cat)"}}
    with pytest.raises(DataError, match="'C' is a column of the log and one of the map's items; rename"):
        bring(tmp_path / "log.parquet", {**log(), "c": ["log"] * 200}, items=items, target={"category": "C"})


def test_how_many_negatives_are_drawn_moves_no_phenomenon(tmp_path):
    item = np.random.default_rng(0).permutation(np.repeat(np.arange(300), 4))
    columns = {"u": np.arange(1200) % 60, "i": item, "t": START + np.arange(1200) * 300}
    by_count = {}
    for count in (1, 4):
        _, out = bring(tmp_path / f"{count}.parquet", columns, negatives={"count": count})
        by_count[count] = measure(Log(out)).value
    assert 0.5 < by_count[1] < 0.9
    assert by_count[4] == pytest.approx(by_count[1], abs=0.06)
