"""Import of anybody's log: rows, histories, negatives and codes; it goes on where it was cut off."""

from __future__ import annotations

import json
import resource
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from recommend.config import ConfigError, ModelConfig, TrainConfig
from recommend.data.parquet import ParquetStream
from recommend.data.schema import day_file, table_files
from recommend.features.feature_map import FeatureMap
from recommend.imports.maps import LogMap
from recommend.imports.run import ImportFailed, sentences
from recommend.models.registry import build_model
from recommend.training.runs import load_run, plan, train_run, with_observed_labels
from tests.recommend.support.imports import EVENTS, bring, csv, events, parquet, table

WRITER = pq.ParquetWriter


def codes(out: Path, name: str) -> dict[str, int]:
    rows = pq.read_table(out / f"codes/{name}.parquet")
    return dict(zip(rows["value"].to_pylist(), rows["code"].to_pylist(), strict=True))


def test_rows_histories_labels_and_negatives_are_the_logs(tmp_path):
    log = events()
    report = bring(parquet(tmp_path / "log.parquet", log), EVENTS, tmp_path / "out")
    rows = table(tmp_path / "out").to_pylist()
    values = {n: list(codes(tmp_path / "out", n)) for n in ("user_id", "item_id")}
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
    before = pc.less(table(tmp_path / "one")["day"], 4)
    assert train_run(tmp_path / "one", run, tmp_path / "run").rows == pc.sum(before).as_py()


def test_impressions_with_labels_need_no_negatives(tmp_path):
    log = {"u": [1, 1, 2**40], "i": [2**40, 5, 5], "at": [0, 60_000, 60_000], "c": [1, 0, 0], "p": ["x", "y", "y"]}
    fields = {"user": "u", "item": "i", "time": {"column": "at", "unit": "ms"}, "labels": {"click": "c"}}
    policy = {"policy": {"column": "p", "values": {"x": "organic", "y": "uniform"}}}
    report = bring(parquet(tmp_path / "log.parquet", log), LogMap.of({**fields, "other": policy}), tmp_path / "out")
    rows = table(tmp_path / "out")
    assert (report["drawn"], rows["item_id"].to_pylist()) == (0, [2**40, 5, 5]), "whole numbers stay as they are"
    assert rows["history_item"].to_pylist() == [[], [2**40], []]
    assert rows["policy"].to_pylist() == [0, 2, 2]


def test_a_full_disk_leaves_nothing_behind(tmp_path):
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


def stop_after(files: int, monkeypatch) -> list[Path]:
    """The process is cut off when it has written so many files; the files that are begun."""
    begun: list[Path] = []

    class Writer(WRITER):
        def __init__(self, where: Path, *arguments, **more) -> None:
            if len(begun) == files:
                raise KeyboardInterrupt
            begun.append(where)
            super().__init__(where, *arguments, **more)

    monkeypatch.setattr(pq, "ParquetWriter", Writer)
    return begun


def test_an_import_that_was_cut_off_goes_on(tmp_path, monkeypatch):
    path = parquet(tmp_path / "log.parquet", events())
    bring(path, EVENTS, tmp_path / "whole")
    first = stop_after(2, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        bring(path, EVENTS, tmp_path / "out")
    second = stop_after(99, monkeypatch)
    bring(path, EVENTS, tmp_path / "out")
    assert second
    assert not set(first) & set(second), "no day twice"
    assert not any(file.parent.exists() for file in first), "the folder beside has become the result"
    assert table(tmp_path / "out").equals(table(tmp_path / "whole"))
    with pytest.raises(ConfigError, match="there already"):
        bring(path, EVENTS, tmp_path / "out")


def test_event_tables_hold_their_own_days(tmp_path):
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


def test_labels_of_later_are_unknown_in_training(tmp_path):
    day = 86_400_000
    user = np.arange(40)
    bought = day * np.where((user % 3 == 0) & (user % 2 == 1), 1, 2) + 7_200_000
    log = {"u": user.repeat(2), "i": user.repeat(2) % 5, "b": ["v", "b"] * 40,
           "at": np.stack([60_000 + day * (user % 3), bought], 1).ravel()}  # fmt: skip
    fields = {"user": "u", "item": "i", "time": {"column": "at", "unit": "ms"}}
    did = {"behaviour": {"column": "b", "values": {"v": "click", "b": "order"}}}
    bring(parquet(tmp_path / "log.parquet", log), LogMap.of({**fields, **did}), tmp_path / "out")
    rows = table(tmp_path / "out").to_pylist()
    assert all(r["order"] == (r["order_day"] >= 0) for r in rows)
    run = plan(tmp_path / "out", ModelConfig(name="esmm", mlp=(8,), embedding=4), TrainConfig(threads=1),
               ("click", "order"), 1)  # fmt: skip
    assert run.delayed == ("order",)
    train_run(tmp_path / "out", run, tmp_path / "run")
    model, encode, _ = load_run(tmp_path / "run", tmp_path / "out")
    files = table_files(tmp_path / "out", "impression", 0, 1)
    raw = next(iter(ParquetStream(files, model.features.columns, 500)))
    observed = with_observed_labels(encode, run)(raw)["order"].bool()
    assert observed.tolist() == [0 <= r["order_day"] <= 1 for r in rows if r["day"] < 2]
    assert observed.sum() < raw["order"].sum(), "some are ordered on the day that is held back"


def test_any_name_of_a_column_will_do(tmp_path):
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
    old, new = events(200), events(200, seed=1)
    new["sku"], new["who"] = [f"a-{s}" if i % 5 else s for i, s in enumerate(new["sku"])], ["a", *new["who"][1:]]
    bring(parquet(tmp_path / "old.parquet", old), EVENTS, tmp_path / "old")
    bring(parquet(tmp_path / "new.parquet", new), EVENTS, tmp_path / "new", like=tmp_path / "old")
    for name in ("user_id", "item_id", "category"):
        before, after = codes(tmp_path / "old", name), codes(tmp_path / "new", name)
        assert before.items() <= after.items(), name
        assert sorted(after.values()) == list(range(len(after)))
    assert codes(tmp_path / "new", "user_id")["a"] == 6, "what is new comes behind"
    code = codes(tmp_path / "new", "item_id")
    positives = [r["item_id"] for r in table(tmp_path / "new").to_pylist() if r["click"]]
    assert sorted(positives) == sorted(code[s] for s, d in zip(new["sku"], new["did"], strict=True) if d == "v")
    with pytest.raises(ConfigError, match="is no import"):
        bring(tmp_path / "new.parquet", EVENTS, tmp_path / "more", like=tmp_path)


def test_another_file_of_items_is_another_import(tmp_path, monkeypatch):
    path = parquet(tmp_path / "log.parquet", events())
    items = {"file": "items.parquet", "key": "sku", "columns": {"made": "max(maker)"}}
    fields = EVENTS.changed([f"items={json.dumps(items)}", "context={maker: {sql: made}}"])
    facts = {"sku": [f"s-{i}" for i in range(30)], "maker": list(range(30))}
    parquet(tmp_path / "items.parquet", facts)
    stop_after(0, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        bring(path, fields, tmp_path / "out")
    monkeypatch.undo()
    parquet(tmp_path / "items.parquet", {**facts, "maker": [7] * 30})
    bring(path, fields, tmp_path / "out")
    assert set(table(tmp_path / "out")["maker"].to_pylist()) == {7}
