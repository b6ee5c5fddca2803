"""Encoders, feature maps and joined vectors."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest
import torch
from pydantic import ValidationError

from recommend.config import ConfigError
from recommend.data.parquet import DataError
from recommend.data.ragged import Ragged, slice_batch
from recommend.data.schema import conform, day_file
from recommend.features.content_join import Contents
from recommend.features.encoders import Encoders, Sample
from recommend.features.feature_map import Feature, FeatureMap, impression_map
from tests.recommend import tiny

TARGET = Feature(column="item_id", role="target")


@pytest.fixture(scope="module")
def encoders() -> Encoders:
    return Encoders.fit(tiny.FEATURES, [slice_batch(tiny.columns(400), a, a + 100) for a in range(0, 400, 100)])


def test_rows_of_the_window_get_rows_and_others_the_unknown_row(encoders: Encoders) -> None:
    window = tiny.columns(400)
    distinct = window["item_id"].unique()
    assert encoders.sizes()["item_id"] == len(distinct) + 1
    assert encoders.row("item_id", distinct).tolist() == list(range(1, len(distinct) + 1))
    assert encoders.row("item_id", torch.tensor([10**12, -1])).tolist() == [0, 0]


def test_the_vocabulary_does_not_tell_what_was_clicked() -> None:
    """Both things were shown once; the clicked one stands in later histories and must not become known by it."""
    features = FeatureMap(features=(TARGET, Feature(column="history_item", role="history", match="item_id")))
    batch = {
        "item_id": torch.tensor([1, 2, 3, 3]),
        "history_item": Ragged.of([[], [1], [1], [1]]),
        "click": torch.tensor([1, 0, 0, 0]),
    }
    encoded = Encoders.fit(features, [batch], min_count=2)(batch)
    assert encoded["item_id"].tolist() == [0, 0, 1, 1]


def test_saved_encoders_are_the_same(encoders: Encoders, tmp_path) -> None:
    encoders.save(tmp_path)
    again = Encoders.load(tmp_path)
    first, second = encoders(tiny.columns(60, seed=2)), again(tiny.columns(60, seed=2))
    assert again.features == encoders.features
    assert all(tiny.same(first[name], second[name]) for name in first)
    (tmp_path / "scales.json").write_text("{")
    with pytest.raises(DataError, match="no readable encoders"):
        Encoders.load(tmp_path)


def test_an_empty_window_or_a_missing_column_is_one_sentence(encoders: Encoders) -> None:
    with pytest.raises(DataError, match="training window is empty"):
        Encoders.fit(tiny.FEATURES, [])
    batch = tiny.columns(5)
    del batch["price"]
    with pytest.raises(DataError, match="lack the column 'price'"):
        encoders(batch)


@pytest.mark.parametrize(
    ("features", "labels", "sentence"),
    [
        ((Feature(column="order", role="context"),), ("click",), "order is a label or"),
        ((Feature(column="x", role="context"),), ("x",), "x is a label or"),
        ((TARGET, TARGET), ("click",), "stands in two features"),
        ((TARGET, Feature(column="h", role="history", match="category")), ("click",), "needs 'match'"),
        ((TARGET, Feature(column="h", role="history", match="item_id", table="own")), ("click",), "use the table"),
        ((TARGET, Feature(column="h", role="history", match="item_id", kind="number")), ("click",), "kind and size"),
    ],
)
def test_maps_that_leak_or_cannot_work_are_refused(features: tuple, labels: tuple, sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        FeatureMap(features=features, labels=labels)


def test_the_logs_map_reads_nothing_that_is_known_later() -> None:
    from recommend.data.schema import columns

    features = impression_map(content=16)
    inputs = {name for f in features.features for name in f.sources}
    assert inputs <= set(columns("impression", "request"))


def test_content_is_joined_to_targets_posts_and_histories(tmp_path) -> None:
    vectors = {"item": {7: [1.0, 2.0], 3: [3.0, 4.0]}, "post": {0: [5.0, 6.0]}}
    filler = {"item_id": 0, "length": 1, "topic": 0, "author_id": 0, "created_ms": 0, "category": 0, "condition": 0}
    filler |= {"price": 1.0, "price_bucket": 0, "stock": 1, "single": True, "is_ad": False, "bid": 0.0}
    filler |= {"listed_ms": 0, "seller_id": 0}
    from recommend.data.schema import columns

    for table, of in vectors.items():
        path = day_file(tmp_path, table, 0)
        path.parent.mkdir(parents=True)
        stated = {f"{table}_id": list(of), "content": list(of.values())}
        rest = {n: [v] * len(of) for n, v in filler.items() if n in columns(table) and n not in stated}
        pq.write_table(conform(table, stated | rest), path)
    features = impression_map(content=2)
    assert "content" not in features.columns
    assert {"item_id", "post_id", "history_item"} <= set(features.columns)
    batch = {
        "item_id": torch.tensor([3, 7, 99, -1]),
        "post_id": torch.tensor([-1, 0, -1, -1]),
        "history_item": Ragged.of([[7], [], [3, 99], []]),
    }
    joined = Contents.read(tmp_path, features)(batch)
    assert joined["content"].tolist() == [[3, 4], [5, 6], [0, 0], [0, 0]]
    assert joined["history_content"].values.tolist() == [[1, 2], [3, 4], [0, 0]]
    assert joined["history_content"].lengths.tolist() == [1, 0, 2, 0]
    with pytest.raises(DataError, match="do not hold 3 numbers"):
        Contents.read(tmp_path, impression_map(content=3))
    with pytest.raises(DataError, match="no table 'post'"):
        Contents.read(tmp_path / "none", features)


def test_numbers_in_buckets_are_ids_of_the_training_days_quantiles():
    shared = {"kind": "id", "buckets": 4}
    features = FeatureMap(
        features=(
            Feature(column="price", role="target", **shared),
            Feature(column="history_price", role="history", match="price", **shared),
            Feature(column="age", role="context", kind="id", edges=(18.0, 30.0)),
        )
    )
    price = torch.arange(100.0)
    history = Ragged.of([[0.0, 99.0]] + [[]] * 99, torch.float32)
    data = {"price": price, "history_price": history, "age": torch.full((100,), 20)}
    encoders = Encoders.fit(features, [data])
    encoded_data = encoders(data)
    assert encoded_data["price"].bincount().tolist() == [0, 25, 25, 25, 25], "row 0 is for what is no number"
    assert encoded_data["history_price"].values.tolist() == [1, 4], "a history shares the buckets"
    ages = torch.tensor([17, 18, 29, 30])
    assert encoders.encoded(features.features[2], ages).tolist() == [1, 2, 2, 3]
    assert encoders.encoded(features.features[0], torch.tensor([float("nan"), 1e9, -1e9])).tolist() == [0, 4, 1]
    assert encoders.sizes() == {"price": 5, "age": 4}


def test_a_sample_of_a_long_stream_keeps_its_quantiles():
    sample, values = Sample(most=1_000), torch.randperm(50_000, generator=torch.Generator().manual_seed(0)).float()
    for part in values.split(777):
        sample.add(part)
    assert sample.count <= 1_000
    assert (sample.edges(10) / 5_000 - torch.arange(1, 10)).abs().max() < 0.5
    constant = Sample()
    constant.add(torch.zeros(10))
    assert constant.edges(10).tolist() == [0.0]


def test_scales_of_numbers():
    numbers = [Feature(column=s, role="target", kind="number", scale=s) for s in ("log", "standard", "none")]
    data = {s: torch.tensor([0.0, 10.0, 1000.0, 5.0]) for s in ("log", "standard", "none")}
    encoded_data = Encoders.fit(FeatureMap(features=tuple(numbers)), [data])(data)
    assert encoded_data["none"].tolist() == [0.0, 10.0, 1000.0, 5.0]
    plain = data["standard"]
    assert torch.allclose(encoded_data["standard"], (plain - plain.mean()) / plain.std(correction=0), atol=1e-5)
    assert torch.allclose(encoded_data["log"].mean(), torch.tensor(0.0), atol=1e-5)
    assert (encoded_data["log"] - encoded_data["standard"]).abs().max() > 0.1


def test_a_cross_is_an_id_of_ids_together():
    features = FeatureMap(
        features=(
            Feature(column="user", role="context"),
            Feature(column="hour", role="context"),
            Feature(column="user x hour", role="context", cross=("user", "hour")),
        ),
        min_count=1,
    )
    assert features.columns == ["user", "hour", "click", "user_id"], "it is no column of the log"
    user, hour = torch.meshgrid(torch.arange(-1, 99), torch.arange(24), indexing="ij")
    data = {"user": user.flatten(), "hour": hour.flatten()}
    encoders = Encoders.fit(features, [data])
    assert encoders.sizes()["user x hour"] == 2_401
    rows = encoders(data)["user x hour"]
    assert len(rows.unique()) == 2_400
    assert encoders({"user": torch.tensor([5, 500]), "hour": torch.tensor([7, 7])})["user x hour"].tolist() == [
        int(rows[6 * 24 + 7]),
        0,
    ]


def test_features_that_cannot_be_are_one_sentence():
    target = {"column": "price", "role": "target"}
    for feature, message in (
        ({**target, "kind": "number", "buckets": 4}, "either buckets or edges, and is of kind id"),
        ({**target, "edges": [2.0, 1.0]}, "must ascend"),
        ({**target, "cross": ["user"]}, "crosses two columns or more"),
    ):
        with pytest.raises(ConfigError, match=message):
            Feature.of(feature)
    for columns, message in (
        ([target, {"column": "x", "role": "target", "cross": ["price", "nobody"]}], "crosses nobody"),
        ([{"column": "dwell_s", "role": "target", "kind": "number"}], "known after the request"),
        ([{"column": "order_day", "role": "target"}], "known after the request"),
    ):
        with pytest.raises(ConfigError, match=message):
            FeatureMap.of({"features": columns})
