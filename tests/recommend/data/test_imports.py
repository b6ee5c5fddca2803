"""Import of anybody's log: what becomes of columns, time, histories and negatives, and what bad input is told."""

from __future__ import annotations

import json
import resource

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from recommend.config import ConfigError, ModelConfig, TrainConfig
from recommend.data.parquet import DataError, ParquetStream
from recommend.data.schema import day_file, table_files
from recommend.features.feature_map import FeatureMap
from recommend.imports import rows as rows_module
from recommend.imports.maps import FOLDER, LogMap, log_files, read_map
from recommend.imports.run import ImportFailed, import_log, sentences
from recommend.models.registry import build_model
from recommend.training import runs as training_runs
from recommend.training.runs import load_run, plan, train_run

EVENTS = LogMap.of(
    {
        "user": "who",
        "item": "sku",
        "time": {"column": "at", "unit": "s"},
        "behaviour": {"column": "did", "values": {"v": "click", "b": "order", "r": "refund"}},
        "target": {"category": "cat", "price": "price"},
        "longest": 5,
    }
)
NOW = 1_700_000_000_000


def events(rows: int = 400, users: int = 6, seed: int = 0) -> dict[str, list]:
    """A log in which moments coincide, texts are ids, and cells are empty."""
    rng = np.random.default_rng(seed)
    item = rng.integers(0, 30, rows)
    return {
        "who": [f"u{u}" for u in rng.integers(0, users, rows)],
        "sku": [f"s-{i}" for i in item],
        "at": (1_600_000_000 + rng.integers(0, 4 * 1440, rows) * 60).tolist(),
        "did": rng.choice(["v", "v", "v", "b", "r"], rows).tolist(),
        "cat": [None if i == 3 else f"c{i % 4}" for i in item],
        "price": [None if i == 4 else float(i) for i in item],
    }


def parquet(path, columns):
    pq.write_table(pa.table(columns), path)
    return path


def csv(path, columns):
    lines = [
        ",".join(columns),
        *(",".join("" if v is None else str(v) for v in row) for row in zip(*columns.values(), strict=True)),
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def bring(path, log_map, out, **more):
    return import_log([path], log_map, out, now_ms=NOW, **more)


def table(out, name="impression") -> pa.Table:
    return pa.concat_tables([pq.ParquetFile(f).read() for f in table_files(out, name)])


def test_rows_histories_labels_and_negatives_of_a_log_of_events(tmp_path):
    log = events()
    report = bring(parquet(tmp_path / "log.parquet", log), EVENTS, tmp_path / "out")
    rows = table(tmp_path / "out").to_pylist()
    codes = tmp_path / "out/codes"
    values = {n: pq.read_table(codes / f"{n}.parquet")["value"].to_pylist() for n in ("user_id", "item_id")}
    happened = list(zip(*(log[n] for n in ("who", "at", "sku", "did")), strict=True))
    clicks, cats = [e[:3] for e in happened if e[3] == "v"], dict(zip(log["sku"], log["cat"], strict=True))
    for row in rows:
        user, at = values["user_id"][row["user_id"]], row["time_ms"] // 1000 + 1_599_955_200
        before = sorted(s for u, a, s in clicks if u == user and a < at)
        held = [values["item_id"][i] for i in row["history_item"]]
        assert len(held) == min(5, len(before)), "the newest five of what lay strictly before"
        assert set(held) <= set(before)
        assert min(row["history_age_h"], default=1) > 0
        if row["click"]:
            assert (user, at, values["item_id"][row["item_id"]]) in clicks
        no_cat = cats[values["item_id"][row["item_id"]]] is None
        assert (row["category"] == -1) == no_cat, "a negative brings the facts of its own item"
    assert sum(r["click"] for r in rows) * 2 == len(rows) == report["rows"]
    assert [r["impression_id"] for r in rows] == list(range(len(rows)))
    pairs = zip(rows[::2], rows[1::2], strict=True)
    assert all(p["request_id"] == n["request_id"] and p["item_id"] != n["item_id"] for p, n in pairs)
    assert not any(r["order"] for r in rows[1::2]), "nobody bought what was drawn"
    for row in rows[::2]:
        user, item = values["user_id"][row["user_id"]], values["item_id"][row["item_id"]]
        at = row["time_ms"] // 1000 + 1_599_955_200
        assert row["order"] == any((u, s, d) == (user, item, "b") and a >= at for u, a, s, d in happened)
    assert report["empty"].keys() == {"category", "price"}
    assert "days" in sentences(report)[1]


def test_an_import_trains_and_csv_is_parquet(tmp_path):
    log = events(1500, 40)
    bring(parquet(tmp_path / "log.parquet", log), EVENTS, tmp_path / "one")
    bring(csv(tmp_path / "log.csv", log), EVENTS, tmp_path / "two")
    assert table(tmp_path / "one").equals(table(tmp_path / "two"))
    declared = FeatureMap.read(tmp_path / "one/features.yaml")
    assert [f.kind for f in declared.features if f.column == "price"] == ["number"]
    run = plan(tmp_path / "one", ModelConfig(mlp=(8,), embedding=4), TrainConfig(threads=1), ("click",), 1)
    assert run.features == declared
    assert run.test_days == (4, 4)
    assert train_run(tmp_path / "one", run, tmp_path / "run").rows == sum(
        r["day"] < 4 for r in table(tmp_path / "one").to_pylist()
    )


@pytest.mark.parametrize(
    ("time", "cell"),
    [
        ({"unit": "ms"}, 1_600_000_000_123),
        ({"unit": "us"}, 1_600_000_000_123_456),
        ({}, "2020-09-13 12:26:40.123"),
        ({"format": "%d/%m/%Y %H:%M"}, "13/09/2020 12:26"),
    ],
)
def test_formats_of_time(tmp_path, time, cell):
    log = {"who": ["a", "b", "a"], "sku": [1, 2, 2], "at": [cell] * 3}
    fields = LogMap.of({"user": "who", "item": "sku", "time": {"column": "at", "zone_h": 12.0, **time}})
    report = bring(csv(tmp_path / "log.csv", log), fields, tmp_path / "out")
    assert report["span"] == ["2020-09-14 00:26"] * 2, "days and hours are those of the zone"
    assert set(table(tmp_path / "out")["hour"].to_pylist()) == {0}


def test_impressions_with_their_own_labels_need_no_negatives(tmp_path):
    log = {"u": [1, 1, 2**40], "i": [2**40, 5, 5], "at": [0, 60_000, 60_000], "c": [1, 0, 0], "p": ["x", "y", "y"]}
    fields = {"user": "u", "item": "i", "time": {"column": "at", "unit": "ms"}, "labels": {"click": "c"}}
    policy = {"policy": {"column": "p", "values": {"x": "organic", "y": "uniform"}}}
    report = bring(parquet(tmp_path / "log.parquet", log), LogMap.of({**fields, "other": policy}), tmp_path / "out")
    rows = table(tmp_path / "out")
    assert (report["drawn"], rows["item_id"].to_pylist()) == (0, [2**40, 5, 5]), "whole numbers stay as they are"
    assert rows["history_item"].to_pylist() == [[], [2**40], []]
    assert rows["policy"].to_pylist() == [0, 2, 2]


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


def test_a_disk_that_fills_leaves_no_result_and_the_same_call_goes_on(tmp_path):
    path = parquet(tmp_path / "log.parquet", events(20_000, 50))
    bring(path, EVENTS, tmp_path / "whole")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, limit[1]))
    try:
        with pytest.raises(ImportFailed, match="make room and give the same command again"):
            bring(path, EVENTS, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert not (tmp_path / "out").exists()
    bring(path, EVENTS, tmp_path / "out")
    assert table(tmp_path / "out").equals(table(tmp_path / "whole"))


def test_an_import_that_was_cut_off_goes_on(tmp_path, monkeypatch):
    path = parquet(tmp_path / "log.parquet", events())
    bring(path, EVENTS, tmp_path / "whole")
    put, written = rows_module.write_parts, []

    def cut(file, *parts):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(file)
        put(file, *parts)

    monkeypatch.setattr(rows_module, "write_parts", cut)
    with pytest.raises(KeyboardInterrupt):
        bring(path, EVENTS, tmp_path / "out")
    days = {f: f.stat().st_mtime_ns for f in written}
    monkeypatch.setattr(rows_module, "write_parts", lambda file, *parts: (written.append(file), put(file, *parts)))
    bring(path, EVENTS, tmp_path / "out")
    assert len(set(written)) == len(written), "no day twice"
    assert not set(days) & {f for f in days if f.exists()}, "the folder beside has become the result"
    assert table(tmp_path / "out").equals(table(tmp_path / "whole"))
    with pytest.raises(ConfigError, match="there already"):
        bring(path, EVENTS, tmp_path / "out")


@pytest.mark.nightly
def test_one_user_with_very_many_rows(tmp_path):
    rows = 200_000
    log = {"u": np.ones(rows, np.int64), "i": np.arange(rows) % 97, "t": np.arange(rows) // 2}
    fields = LogMap.of({"user": "u", "item": "i", "time": {"column": "t", "unit": "s"}, "longest": 3})
    assert bring(parquet(tmp_path / "log.parquet", log), fields, tmp_path / "out")["rows"] == 2 * rows
    last = table(tmp_path / "out").slice(2 * rows - 2, 1).to_pylist()[0]
    assert last["history_item"] == [(rows - k) % 97 for k in (5, 4, 3)], (
        "two events of the same second do not know each other"
    )


def test_event_tables_hold_their_own_days_also_without_a_clock(tmp_path):
    """The orders of a day are those of that day, in the file's order where moments coincide."""
    log = {"u": [1, 1, 1, 2, 2, 2], "i": [7, 7, 8, 9, 9, 7], "at": [0, 5, 9, 0, 1, 2], "b": list("vbbvvb")}
    fields = {"user": "u", "item": "i", "time": {"column": "at", "unit": "step"}}
    did = {"behaviour": {"column": "b", "values": {"v": "click", "b": "order"}}}
    bring(parquet(tmp_path / "log.parquet", log), LogMap.of({**fields, **did}), tmp_path / "out")
    for day, expected in ((0, [(1, 7, 5)]), (1, [(2, 7, 2), (1, 8, 9)])):
        rows = pq.ParquetFile(day_file(tmp_path / "out", "order", day)).read().to_pylist()
        assert [(r["user_id"], r["item_id"], r["time_ms"]) for r in rows] == expected
        assert {r["day"] for r in rows} == {day}
    many = {n: np.repeat(v, 50) for n, v in {"i": [1, 2], "at": [60_000, 60_000], "b": ["v", "b"]}.items()}
    order = np.random.default_rng(0).permutation(100)
    path = parquet(tmp_path / "many.parquet", {"i": order % 7, "u": order, "at": many["at"], "b": many["b"][order]})
    timed = LogMap.of({**fields, **did, "time": {"column": "at", "unit": "ms"}})
    bring(path, timed, tmp_path / "many")
    assert table(tmp_path / "many", "order")["user_id"].to_pylist() == [u for u in order if u >= 50]


def test_labels_that_come_true_later_are_not_known_in_training(tmp_path):
    day = 86_400_000
    log = {
        "u": [u for u in range(40) for _ in range(2)],
        "i": [u % 5 for u in range(40) for _ in range(2)],
        "at": [
            t for u in range(40) for t in (60_000 + day * (u % 3), day * (1 if u % 3 == 0 and u % 2 else 2) + 7200_000)
        ],
        "b": ["v", "b"] * 40,
    }
    fields = {"user": "u", "item": "i", "time": {"column": "at", "unit": "ms"}}
    did = {"behaviour": {"column": "b", "values": {"v": "click", "b": "order"}}}
    bring(parquet(tmp_path / "log.parquet", log), LogMap.of({**fields, **did}), tmp_path / "out")
    rows = table(tmp_path / "out").to_pylist()
    assert all(r["order"] == (r["order_day"] >= 0) for r in rows)
    run = plan(tmp_path / "out", ModelConfig(name="esmm", mlp=(8,), embedding=4), TrainConfig(threads=1),
               ("click", "order"), 1)  # fmt: skip
    assert run.delayed == ("order",)
    model, encode, _ = _trained(tmp_path, run)
    files = table_files(tmp_path / "out", "impression", 0, 1)
    raw = next(iter(ParquetStream(files, model.features.columns, 500)))
    observed = training_runs.with_observed_labels(encode, run)(raw)["order"].bool()
    assert observed.tolist() == [0 <= r["order_day"] <= 1 for r in rows if r["day"] < 2]
    assert observed.sum() < raw["order"].sum(), "some are ordered on the day that is held back"


def _trained(tmp_path, run):
    train_run(tmp_path / "out", run, tmp_path / "run")
    return load_run(tmp_path / "run", tmp_path / "out")


def test_any_name_of_a_column_and_of_what_it_becomes(tmp_path):
    log = {
        "order": [1, 1, 2], 'say "x"': [5, 6, 5], "the time": [0, 60, 120], "select": ["a", "b", "a"],
        "t": [1.5, 2.5, 3.5],
        "n": [1, 2, 3], "fault": [1, 0, 1],
    }  # fmt: skip
    fields = {
        "user": "order",
        "item": 'say "x"',
        "time": {"column": "the time", "unit": "s"},
        "target": {'odd "name" of it': "select", "t": "t", "asked": "n", "type": "n", "values": "n"},
        "context": {"behaviour": "fault", "given_day": "n", "fault": "fault", "n": "n"},
        "labels": {"it's good": "fault"},
        "sequences": ['odd "name" of it'],
        "history": ["it's good"],
    }
    bring(parquet(tmp_path / "log.parquet", log), LogMap.of(fields), tmp_path / "out")
    rows = table(tmp_path / "out").to_pylist()
    assert [(r["t"], r["asked"], r["behaviour"], r["given_day"], r["n"]) for r in rows] == [
        (1.5, 1, 1, 1, 1), (2.5, 2, 0, 2, 2), (3.5, 3, 1, 3, 3)
    ]  # fmt: skip
    assert [r["it's good"] for r in rows] == [True, False, True]
    assert [r['odd "name" of it'] for r in rows] == [0, 1, 0]
    features = FeatureMap.read(tmp_path / "out/features.yaml")
    sizes = {f.vocabulary: 5 for f in features.features if f.kind == "id"}
    build_model(features, sizes, ModelConfig(name="din", mlp=(8,), embedding=4))


def test_an_import_like_another_keeps_its_codes(tmp_path):
    def values(out, name):
        table = pq.read_table(out / f"codes/{name}.parquet")
        return dict(zip(table["value"].to_pylist(), table["code"].to_pylist(), strict=True))

    old, new = events(200), events(200, seed=1)
    new["sku"], new["who"] = [f"a-{s}" if i % 5 else s for i, s in enumerate(new["sku"])], ["a", *new["who"][1:]]
    bring(parquet(tmp_path / "old.parquet", old), EVENTS, tmp_path / "old")
    bring(parquet(tmp_path / "new.parquet", new), EVENTS, tmp_path / "new", like=tmp_path / "old")
    for name in ("user_id", "item_id", "category"):
        before, after = values(tmp_path / "old", name), values(tmp_path / "new", name)
        assert before.items() <= after.items(), name
        assert sorted(after.values()) == list(range(len(after)))
    assert values(tmp_path / "new", "user_id")["a"] == 6, "what is new comes behind"
    again = {"sku": values(tmp_path / "new", "item_id")}
    positives = [r["item_id"] for r in table(tmp_path / "new").to_pylist() if r["click"]]
    assert sorted(positives) == sorted(again["sku"][s] for s, d in zip(new["sku"], new["did"], strict=True) if d == "v")
    with pytest.raises(ConfigError, match="is no import"):
        bring(tmp_path / "new.parquet", EVENTS, tmp_path / "more", like=tmp_path)


def test_days_of_a_map_are_whole_numbers_from_0_on(tmp_path):
    log = {"u": [1, 1, 2, 2, 1, 2], "i": [5, 6, 5, 6, 6, 5], "at": [0, 1, 2, 3, 4, 5], "d": [0, None, -3, 1, 0, 1]}
    fields = {"user": "u", "item": "i", "time": {"column": "at", "unit": "step"}, "day": "d"}
    report = bring(parquet(tmp_path / "log.parquet", log), LogMap.of(fields), tmp_path / "out")
    assert report["dropped"] == {"no day (a whole number from 0 on)": 2}
    assert sorted(p.name for p in (tmp_path / "out/impression").iterdir()) == ["day=000", "day=001"]


def test_another_file_of_items_is_another_import(tmp_path, monkeypatch):
    path = parquet(tmp_path / "log.parquet", events())
    items = {"file": "items.parquet", "key": "sku", "columns": {"made": "max(maker)"}}
    fields = EVENTS.changed([f"items={json.dumps(items)}", "context={maker: {sql: made}}"])
    facts = {"sku": [f"s-{i}" for i in range(30)], "maker": list(range(30))}
    parquet(tmp_path / "items.parquet", facts)
    monkeypatch.setattr(rows_module, "write_parts", lambda file, *parts: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        bring(path, fields, tmp_path / "out")
    monkeypatch.undo()
    parquet(tmp_path / "items.parquet", {**facts, "maker": [7] * 30})
    bring(path, fields, tmp_path / "out")
    assert set(table(tmp_path / "out")["maker"].to_pylist()) == {7}


@pytest.mark.parametrize("name", sorted(p.stem for p in FOLDER.glob("*.yaml")))
def test_every_map_of_the_project_is_one(name):
    log_map, path = read_map(name)
    assert log_map.about
    assert yaml.safe_load(path.read_text())["user"]


def test_maps_that_are_none():
    with pytest.raises(ConfigError, match=r"no map 'nowhere'.*taobao"):
        read_map("nowhere")
    for change in ("context={click: x}", "context={Category: x}", "other={_t: x}", "other={history_item: x}",
                   "other={order_day: x}"):  # fmt: skip
        with pytest.raises(ConfigError, match="two meanings"):
            EVENTS.changed([change])
    with pytest.raises(ConfigError, match="no name of a column"):
        EVENTS.changed(["other={../up: x}"])
    with pytest.raises(ConfigError, match="leave 'privileged' out"):
        EVENTS.changed(["privileged={dwell: x}"])
    with pytest.raises(ConfigError, match="name the log's files"):
        log_files(EVENTS)
    with pytest.raises(DataError, match="no file"):
        import_log([FOLDER / "none.csv"], EVENTS, FOLDER / "none")
