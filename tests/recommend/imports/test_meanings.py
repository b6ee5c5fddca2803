"""Import of anybody's log: what a value means; what would mean something else is mended, counted or refused."""

from __future__ import annotations

import gzip
import json
import os
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather

from recommend.config import ModelConfig, TrainConfig
from recommend.data.parquet import DataError
from recommend.errors import RecommendError
from recommend.imports.maps import LogMap
from recommend.imports.run import sentences
from recommend.phenomena.log import Log
from recommend.phenomena.one_epoch import measure
from recommend.training.runs import plan
from tests.recommend.support.imports import EVENTS, bring, csv, events, parquet, table

START = 1_700_000_000
PLAIN = {"user": "u", "item": "i", "time": {"column": "t", "unit": "s"}}


def brought(path, columns, **more):
    """The report of an import of columns, and its folder."""
    if not path.exists():
        parquet(path, columns)
    return bring(path, LogMap.of({**PLAIN, **more}), path.with_suffix(".out"), now_ms=None), path.with_suffix(".out")


def log(rows: int = 200) -> dict[str, list]:
    rng = np.random.default_rng(0)
    return {
        "u": [f"u{u}" for u in rng.integers(0, 9, rows)],
        "i": [f"{i}" for i in rng.integers(0, 20, rows)],
        "t": (START + rng.integers(0, 3 * 86_400, rows)).tolist(),
    }


@pytest.mark.parametrize(
    ("time", "cell"),
    [
        ({"unit": "ms"}, 1_600_000_000_123),
        ({"unit": "us"}, 1_600_000_000_123_456),
        ({}, "2020-09-13 12:26:40.123"),
        ({"format": "%d/%m/%Y %H:%M"}, "13/09/2020 12:26"),
        ({"format": "%d.%m.%Y %H:%M:%S"}, "13.09.2020 12:26:35"),  # which a reader of CSV takes for a time by itself
    ],
)
def test_moments_are_read_in_every_format(tmp_path, time, cell):
    log = {"who": ["a", "b", "a"], "sku": [1, 2, 2], "at": [cell] * 3}
    fields = LogMap.of({"user": "who", "item": "sku", "time": {"column": "at", "zone_h": 12.0, **time}})
    report = bring(csv(tmp_path / "log.csv", log), fields, tmp_path / "out")
    assert report["span"] == ["2020-09-14 00:26"] * 2, "days and hours are those of the zone"
    assert set(table(tmp_path / "out")["hour"].to_pylist()) == {0}


def test_lines_that_end_in_two_ways_are_named(tmp_path):
    lines = ["who,sku,at", *(f"u{n},{n % 7},{1_600_000_000 + n}" for n in range(300))]
    path = tmp_path / "log.csv"
    path.write_bytes("\r\n".join(lines[:100]).encode() + b"\n\n" + "\r\n".join(lines[100:]).encode())
    fields = LogMap.of({"user": "who", "item": "sku", "time": {"column": "at", "unit": "s"}})
    with pytest.raises(DataError, match=r"log\.csv end in two ways"):
        bring(path, fields, tmp_path / "out")


def test_a_time_that_no_format_fits_is_shown(tmp_path):
    log = {"who": ["a", "b", "a"], "sku": [1, 2, 2], "at": ["13.09.2020"] * 3}
    fields = LogMap.of({"user": "who", "item": "sku", "time": {"column": "at", "format": "%Y/%m/%d"}})
    with pytest.raises(DataError, match=r"is '13\.09\.2020', and the map gives it the format '%Y/%m/%d'"):
        bring(csv(tmp_path / "log.csv", log), fields, tmp_path / "out")


def test_what_cannot_be_used_is_counted(tmp_path):
    log = events(50)
    log["who"][0], log["sku"][1], log["at"][2], log["did"][3] = None, None, None, "?"
    log["at"][4] = 4_000_000_000
    path = csv(tmp_path / "log.csv", log)
    path.write_text(path.read_text() + "half a line\n", encoding="utf-8")
    report = bring(path, EVENTS, tmp_path / "out")
    assert report["dropped"] == {
        "not readable as a row": 1,
        "no user": 1,
        "no item": 1,
        "no readable time": 1,
        "a behaviour that the map does not name": 1,
        "in the future": 1,
    }
    assert report["rows_read"] == 51
    assert json.loads((tmp_path / "out/report.json").read_text()) == report
    log = events(50)
    log["price"] = [float("nan"), float("inf"), None, *[1.5] * 47]
    report = bring(parquet(tmp_path / "log.parquet", log), EVENTS, tmp_path / "numbers")
    assert report["empty"]["price"] == 3
    assert set(table(tmp_path / "numbers")["price"].to_pylist()) <= {0.0, 1.5}


def test_days_of_a_map_are_whole_numbers(tmp_path):
    log = {"u": [1, 1, 2, 2, 1, 2], "i": [5, 6, 5, 6, 6, 5], "at": [0, 1, 2, 3, 4, 5], "d": [0, None, -3, 1, 0, 1]}
    report, out = brought(tmp_path / "log.parquet", log, time={"column": "at", "unit": "step"}, day="d")
    assert report["dropped"] == {"no day (a whole number from 0 on)": 2}
    assert sorted(p.name for p in (out / "impression").iterdir()) == ["day=000", "day=001"]


@pytest.fixture
def berlin():
    """The host's clock in a zone that changes to winter time."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Berlin"
    time.tzset()
    yield
    os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
    time.tzset()


def test_moments_do_not_depend_on_the_host(tmp_path, berlin):
    first = datetime(2023, 10, 28, 20, tzinfo=UTC)
    moments = [first + timedelta(minutes=10 * k) for k in range(60)]
    columns = {"u": ["a", "b", "c"] * 20, "i": [k % 17 for k in range(60)]}
    stamps = {**columns, "t": pa.array(moments, pa.timestamp("us", "UTC"))}
    texts = {**columns, "t": [m.strftime("%Y-%m-%dT%H:%M:%SZ") for m in moments]}
    for name, cells in (("stamps", stamps), ("texts", texts)):
        report, out = brought(tmp_path / f"{name}.parquet", cells, time={"column": "t"})
        assert report["span"] == ["2023-10-28 20:00", "2023-10-29 05:50"], name
        rows = table(out).to_pylist()[::2]
        assert [r["hour"] for r in rows] == [m.hour for m in moments], name


def test_local_times_are_not_in_the_future(tmp_path):
    now = datetime.now(UTC) + timedelta(hours=8)
    texts = [(now - timedelta(minutes=k)).strftime("%Y-%m-%d %H:%M:%S") for k in range(30)]
    report, _ = brought(tmp_path / "log.parquet", {"u": ["a", "b"] * 15, "i": [1, 2, 3] * 10, "t": texts},
                      time={"column": "t"})  # fmt: skip
    assert report["dropped"] == {}


def test_labels_without_a_moment_count_from_their_row(tmp_path):
    columns = {**log(), "y": [k % 3 == 0 for k in range(200)], "at": [None] * 200}
    columns["at"] = [t + 90_000 if k % 6 == 0 else None for k, t in enumerate(columns["t"])]
    of = {"labels": {"order": {"column": "y", "at": "at"}}, "history": ["all"]}
    report, out = brought(tmp_path / "log.parquet", columns, **of)
    rows = table(out).to_pylist()
    late = [r for r in rows if r["order"] and r["order_day"] != r["day"]]
    assert report["unreadable_moments"] == {"order": sum(r["order"] for r in rows) - len(late)} == {"order": 33}
    assert all(r["order_day"] >= r["day"] for r in rows if r["order"])
    assert any("moment cannot be read" in line for line in sentences(report))
    assert len(table(out, "order")) == 67
    columns["at"] = [None if at is None else at * 1000 for at in columns["at"]]
    with pytest.raises(DataError, match="'order' is true in 67 rows, and none of their moments can be read"):
        brought(tmp_path / "unit.parquet", columns, **of)


@pytest.mark.parametrize("rule", ["popular", "uniform"])
def test_a_negative_is_never_its_own_positive(tmp_path, rule):
    """One item has nearly all events of a day; another day has one item only, and becomes no rows."""
    columns = {"u": [k % 9 for k in range(600)], "i": [7] * 600, "t": [START + 10 * k for k in range(600)]}
    columns["i"][100], columns["i"][200] = 8, 9
    columns["t"][500:] = [START + 5 * 86_400 + k for k in range(100)]
    report, out = brought(tmp_path / "log.parquet", columns, negatives={"rule": rule})
    items = np.asarray(table(out)["item_id"]).reshape(-1, 2)
    assert (items[:, 0] != items[:, 1]).all()
    assert (len(items), report["alone"]) == (500, 100)
    assert any("one item" in line for line in sentences(report))
    columns["t"] = [START + 86_400 * k for k in range(600)]
    with pytest.raises(DataError, match="600 of 600 events lie on days with one item"):
        brought(tmp_path / "sparse.parquet", columns)


def test_an_expression_is_one_statement_beside_the_log(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("u,i,t\n" + "".join(f"{k % 9},{k % 7},{START + k * 99}\n" for k in range(90)))
    before, write = path.read_text(), f"COPY (SELECT 'gone') TO '{path}' (USE_TMP_FILE false)"
    items = {"file": "log.csv", "key": "i", "columns": {"x": f"1); {write}; SELECT (1"}}
    for change in ({"user": {"sql": f"1); {write}; SELECT (1"}}, {"where": f"true; {write}"}, {"items": items}):
        with pytest.raises(DataError, match="does not fit its map"):
            brought(path, None, **change)
        assert path.read_text() == before
    for file in ("/etc/host*", "../log.csv"):
        with pytest.raises(DataError, match="must lie beside the log"):
            brought(path, None, items={**items, "file": file})


def test_limited_stock_and_promotions_mean_what_they_say(tmp_path):
    some = ["", None, "xmas", "black friday"]
    columns = {**log(), "s": [[True, False, None][k % 3] for k in range(200)], "p": [some[k % 4] for k in range(200)]}
    labels = {"labels": {"click": {"sql": "i > '15'"}}, "target": {"single": "s"}, "context": {"promotion": "p"}}
    report, out = brought(tmp_path / "log.parquet", columns, **labels)
    assert report["empty"] == {"single": 66, "promotion": 50}
    rows = table(out)
    assert np.bincount(rows["single"]).tolist() == [133, 67]
    assert np.bincount(rows["promotion"]).tolist() == [100, 50, 50], "0 is none"
    columns["s"] = ["limited", "normal"] * 100
    with pytest.raises(DataError, match=r"'single' .* must be true or false \(1 or 0\), not '(limited|normal)'"):
        brought(tmp_path / "texts.parquet", columns, **labels)


def test_texts_with_other_codes_share_no_table(tmp_path):
    columns = {**log(), "b": ["Nike", "Puma"] * 100, "seen": ["Zara", "Nike"] * 100}
    _, out = brought(tmp_path / "log.parquet", columns, target={"brand": "b"}, context={"brand_seen": "seen"})
    path = out / "features.yaml"
    path.write_text(path.read_text().replace("column: brand_seen\n", "column: brand_seen\n  table: brand\n"))
    with pytest.raises(DataError, match="'brand' and 'brand_seen' cannot share the table 'brand'"):
        plan(out, ModelConfig(name="dnn"), TrainConfig(threads=1), ("click",), 1)


def test_files_that_are_cut_leave_nothing(tmp_path):
    """Nothing is left, since the same command would fail again."""
    path = tmp_path / "log.csv.gz"
    text = "u,i,t\n" + "".join(f"{k * k % 9},{k % 7},{START + k * k}\n" for k in range(9000))
    path.write_bytes(gzip.compress(text.encode())[:20_000])
    feather.write_feather(pa.table(log()), tmp_path / "log.feather")
    whole = (tmp_path / "log.feather").read_bytes()
    (tmp_path / "log.feather").write_bytes(whole[: len(whole) // 2])
    for cut in (path, tmp_path / "log.feather"):
        with pytest.raises(DataError, match="does not fit its map"):
            brought(cut, None)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["log.csv.gz", "log.feather"]


def test_facts_of_items_hide_behind_no_column(tmp_path):
    parquet(tmp_path / "items.parquet", {"key": [str(k) for k in range(20)], "cat": ["real"] * 20})
    items = {"file": "items.parquet", "key": "key", "columns": {"C": "any_value(cat)"}}
    with pytest.raises(DataError, match="'C' is a column of the log and one of the map's items; rename"):
        brought(tmp_path / "log.parquet", {**log(), "c": ["log"] * 200}, items=items, target={"category": "C"})


def test_the_number_of_negatives_moves_no_phenomenon(tmp_path):
    item = np.random.default_rng(0).permutation(np.repeat(np.arange(300), 4))
    columns = {"u": np.arange(1200) % 60, "i": item, "t": START + np.arange(1200) * 300}
    by_count = {}
    for count in (1, 4):
        _, out = brought(tmp_path / f"{count}.parquet", columns, negatives={"count": count})
        by_count[count] = measure(Log(out)).value
    assert 0.5 < by_count[1] < 0.9
    assert by_count[4] == pytest.approx(by_count[1], abs=0.06)


LATE = {"at": [1_600_000_000_000] * 50}
SNOOP = "where=(SELECT count(*) FROM read_text('/etc/hostname')) > 0"


@pytest.mark.parametrize(
    ("columns", "changes", "content", "said"),
    [
        ({}, ["user={column: whom}"], None, "'whom', which log.parquet does not have; did you mean 'who'"),
        (LATE, [], None, r"none of the 50 rows can be used \(50 in the future\).*gives it the unit 's'"),
        ({"one": [1] * 50}, ["behaviour=null", "labels={click: {column: one}}"], None, "'click' is true in every row"),
        ({}, ["where=SELECT"], None, "does not fit its map"),
        ({}, [SNOOP], None, "does not fit its map.*Permission"),
        ({}, [], "half", "damaged"),
        ({}, [], b"", "names a column 'who', which log.csv does not have"),
        ({}, [], b"who,sku,at,did,cat,price\n", "the files are empty"),
        ({}, [], bytes(range(256)) * 20, "does not fit its map|does not have"),
    ],
    ids=["column", "future", "class", "sql", "snoop", "half", "void", "head", "bytes"],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(tmp_path, columns, changes, content, said):
    path = parquet(tmp_path / "log.parquet", {**events(50), **columns})
    if content == "half":
        path.write_bytes(path.read_bytes()[:-500])
    elif content is not None:
        path = tmp_path / "log.csv"
        path.write_bytes(content)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(RecommendError, match=said) as caught:
        bring(path, EVENTS.changed(changes), tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before
