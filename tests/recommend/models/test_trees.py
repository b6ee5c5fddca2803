"""Trees: a run of theirs is scikit-learn's forest, served, checked and explained as any model is."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_info

from recommend.cascade.catalog import Catalog
from recommend.cascade.explain import GROUPS, PAST, moves
from recommend.cascade.health import healthy
from recommend.cascade.registry import Registry
from recommend.cascade.request import HOUR_MS
from recommend.cascade.scoring import Models, Serving, probabilities
from recommend.cascade.visitors import Visitor
from recommend.config import ModelConfig, TrainConfig
from recommend.data.parquet import DataError
from recommend.data.schema import table_files
from recommend.features.encoders import Encoders
from recommend.models.trees import read_by_trees, table_of
from recommend.training.runs import ENCODERS, asked, load_run, plan, train_run
from recommend.training.scoring import predictions
from tests.recommend.support.feed import NOW, SIZE, item, write_log

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A log, and a run of trees on it."""
    root = tmp_path_factory.mktemp("trees")
    log = write_log(root / "log", 5, {})
    settings = ModelConfig(name="trees")
    done = train_run(log, plan(log, settings, TrainConfig(threads=1), ("click",), 1), root / "run")
    assert done.rows == 4 * 500
    return log, root / "run"


def test_a_run_is_scikit_learns_forest(run):
    log, folder = run
    model, encode, split = load_run(folder, log)
    old, new = (list(asked(model, log, days, model.features.columns)) for days in (split.train, split.test))
    fields = read_by_trees(model.features, Encoders.load(folder / ENCODERS).sizes())
    assert {"category", "price_bucket", "hour"} <= {f.column for f, few in fields if few}
    few = [is_few for f, is_few in fields for _ in range(1 if is_few else f.size)]
    used = int((model.says != 0).any(-1).sum())
    assert 0 < used < model.config.trees  # 2,000 rows bear few
    forest = HistGradientBoostingClassifier(
        max_iter=used, categorical_features=few, early_stopping=False, random_state=0
    )
    forest.fit(np.concatenate([table_of(fields, encode(b)) for b in old]), np.concatenate([b["click"] for b in old]))
    right = forest.predict_proba(np.concatenate([table_of(fields, encode(b)) for b in new]))[:, 1]
    assert np.allclose(predictions(model, iter(new), encode)["p_click"], right, atol=1e-5)
    assert right.std() > 0.01


def test_trees_serve_and_say_why(run, tmp_path):
    """In the registry by the usual door, as a program, with the features that moved a thing's place."""
    registry = Registry(tmp_path / "models", healthy)
    registry.install(run[1], "ranking")
    models, catalog, visitor = Models(registry), Catalog(SIZE), Visitor(3, deque())
    assert models.refresh() == ["ranking"]
    loaded = models.get("ranking")
    assert loaded.name == "trees 0001"
    rows = np.array([catalog.put(item(n)) for n in range(30)])
    answers, _ = probabilities(models, loaded, catalog, rows, visitor, NOW, 0)
    assert answers["click"].std() > 0
    assert 0 < answers["click"].min() <= answers["click"].max() < 1
    why = moves(models, catalog, rows[:3], rows, visitor, NOW)
    assert any(why)
    assert {m.feature for of in why for m in of} <= {*GROUPS, PAST}


@pytest.mark.parametrize(("read", "told"), [("item_id", {"listing"}), ("user_id x category", {"category", PAST})])
def test_counts_are_told_with_their_ids(run, tmp_path, read, told):
    """Of a model that reads one count alone: clicks raise it, and they are named by whose they are."""
    registry = Registry(tmp_path / "models", healthy)
    registry.install(run[1], "ranking")
    models, catalog, visitor = Models(registry), Catalog(SIZE), Visitor(3, deque())
    models.refresh()
    by_count = replace(models.get("ranking"), program=lambda raw: {"click": raw[f"{read} count"][:, 1].sigmoid()})
    models.serve("ranking", Serving(by_count))
    rows = np.array([catalog.put(item(n)) for n in range(6)])  # each of a category of its own
    before = NOW.time_ms - 2 * HOUR_MS
    for seen in range(30):
        catalog.add_impressions(range(6), before, visitor.user_id)
        catalog.clicked([2] if seen % 3 == 0 else [], before, visitor.user_id)
    liked, other = moves(models, catalog, rows[[2, 4]], rows, visitor, NOW)
    assert {m.feature for m in liked} == told
    assert all(m.factor > 1.2 for m in liked)
    assert all(m.factor < 1 for m in other)


def test_a_fit_uses_the_threads_that_it_is_given(run, tmp_path, monkeypatch):
    """With all cores beside other programs a fit of a second takes minutes."""
    fit, used = HistGradientBoostingClassifier.fit, set()

    def watched(*arguments):
        used.update(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "openmp")
        return fit(*arguments)

    monkeypatch.setattr(HistGradientBoostingClassifier, "fit", watched)
    train_run(run[0], plan(run[0], ModelConfig(name="trees"), TrainConfig(threads=1), ("click",), 1), tmp_path / "run")
    assert used == {1}


def test_labels_that_are_all_alike_are_refused(run, tmp_path):
    log = write_log(tmp_path / "log", 2, {})
    for file in table_files(log, "impression"):
        rows = pq.ParquetFile(file).read()
        none = pa.array(np.zeros(len(rows), bool))
        pq.write_table(rows.set_column(rows.schema.get_field_index("order"), "order", none), file)
    asked_for = plan(log, ModelConfig(name="trees"), TrainConfig(threads=1), ("order",), 1)
    with pytest.raises(DataError, match="alike in 'order'"):
        train_run(log, asked_for, tmp_path / "run")
    assert not (tmp_path / "run").exists()
