"""Ids of a request are those of the log's files, however they are written; a log with other codes is refused."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from app.feed import scoring_server
from recommend.config import ModelConfig, TrainConfig
from recommend.data.parquet import DataError
from recommend.features.feature_map import Feature
from recommend.imports.maps import LogMap
from recommend.imports.run import import_log
from recommend.serving.export import Program
from recommend.serving.scorer import Scorer, score_log
from recommend.training.runs import plan, read_run, train_run

MAP = LogMap.of({"user": "u", "item": "i", "time": {"column": "t", "unit": "s"}, "target": {"cat": "n"}, "longest": 3})


def bring(root, name, columns, like=None):
    """An imported log."""
    pq.write_table(pa.table(columns), root / f"{name}.parquet")
    import_log([root / f"{name}.parquet"], MAP, root / name, like=like)
    return root / name


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A log whose users are numbers beside empty cells, whose items are texts, and a run on it."""
    root, rng = tmp_path_factory.mktemp("codes"), np.random.default_rng(0)
    columns = {
        "u": [float(u) for u in rng.integers(100, 120, 300)],
        "i": ["A1", *(str(i) for i in rng.integers(0, 40, 299))],
        "n": rng.integers(1000, 1010, 300).tolist(),
        "t": (1_700_000_000 + np.sort(rng.integers(0, 4 * 86_400, 300))).tolist(),
    }
    log = bring(root, "log", columns)
    run = plan(log, ModelConfig(name="dnn", mlp=(4,), embedding=2), TrainConfig(threads=1), ("click",), 1)
    train_run(log, run, root / "run")
    return root, columns


def test_an_id_is_looked_up_as_it_stood_in_the_files(folder):
    root, _ = folder
    scorer = Scorer(root / "run", root / "log")
    users, items = (pq.read_table(root / f"log/codes/{n}.parquet")["value"].to_pylist() for n in ("user_id", "item_id"))
    row = {"user_id": "110.0", "item_id": "17", "cat": 1001, "hour": 3, "history_item": ["5", 7]}

    def read(**change):
        return {
            n: (c if n != "history_item" else c.values).tolist() for n, c in scorer.batch([{**row, **change}]).items()
        }

    plain = read()
    assert plain["item_id"] == [items.index("17")]
    assert plain["history_item"] == [items.index("5"), items.index("7")]
    for same in (
        {"item_id": 17},
        {"item_id": 17.0},
        {"user_id": 110},
        {"user_id": "110"},
        {"cat": "1001"},
        {"hour": 3.0},
    ):
        assert read(**same) == plain, same
    assert plain["user_id"] == [users.index("110.0")]
    assert read(item_id=2**70)["item_id"] == read(item_id=None)["item_id"] == [-1]
    for bad in ({"cat": "dear"}, {"cat": 1.5}, {"item_id": {}}, {"item_id": float("nan")}):
        with pytest.raises(DataError, match="holds something that is no id"):
            read(**bad)
    codes = {i["name"]: i.get("codes") for i in Program(scorer).inputs}
    assert codes["item_id"] == codes["history_item"] == "codes/item_id.parquet"
    assert codes["cat"] is None


def test_a_log_with_other_codes_is_refused(folder):
    root, columns = folder
    more = {n: [*v, v[0]] for n, v in columns.items()}
    more["i"][-1], more["u"][-1] = "0", 1.0
    anew, alike = bring(root, "anew", more), bring(root, "alike", more, like=root / "log")
    with pytest.raises(DataError, match=r"codes of 'user_id' in .* are not those on which the run was trained.*--like"):
        Scorer(root / "run", anew)
    Scorer(root / "run", alike)
    older = read_run(root / "run").model_copy(update={"codes": None})
    (root / "run/run.json").write_text(json.dumps(json.loads(older.model_dump_json())))
    Scorer(root / "run", anew)


def test_like_refuses_a_column_that_was_numbers_and_is_text(folder):
    root, columns = folder
    texts = {**columns, "n": [f"c{n}" for n in columns["n"]]}
    with pytest.raises(DataError, match=r"'cat' is text here and numbers in .*import all files anew"):
        bring(root, "texts", texts, like=root / "log")
    with pytest.raises(DataError, match="'item_id' is numbers here and text in"):
        bring(root, "numbers", {**columns, "i": list(range(300))}, like=root / "log")


def test_scores_bring_the_ids_of_the_files(folder, tmp_path):
    root, columns = folder
    score_log(Scorer(root / "run", root / "log"), tmp_path / "scores.parquet", (0, 3))
    scores = pq.read_table(tmp_path / "scores.parquet")
    assert set(scores["item_id"].to_pylist()) <= set(columns["i"])
    assert set(scores["user_id"].to_pylist()) <= {str(u) for u in columns["u"]}


def test_numbers_that_are_none_are_refused_and_one_too_many_comes_again(folder, monkeypatch):
    root, _ = folder
    scorer = Scorer(root / "run", root / "log")
    row = {"user_id": "110.0", "item_id": "17", "cat": 1001, "hour": 3, "history_item": []}
    price = Feature(column="price", role="target", kind="number")
    for cell in (float("inf"), float("nan"), "nan", 1e300):
        with pytest.raises(DataError, match="'price' holds something that is no number"):
            scorer._column(price, [1.0, cell])
    plain, began, go_on = Scorer.__call__, threading.Event(), threading.Event()

    def slow(self, batch):
        began.set()
        assert go_on.wait(60)
        return plain(self, batch)

    monkeypatch.setattr(Scorer, "__call__", slow)
    monkeypatch.setattr(scoring_server, "MOST_WAITING", 1)
    with TestClient(scoring_server.application(scorer)) as client, ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.post, "/score", json={"rows": [row]})
        assert began.wait(30)
        assert client.post("/score", content=b"not even read").status_code == 503
        go_on.set()
        assert first.result().status_code == 200
        assert client.post("/score", json={"rows": [row]}).status_code == 200
