"""Loaders of public logs: tiny files of the documented shapes, and the real logs where they are there."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from recommend.config import ModelConfig, TrainConfig
from recommend.data import sequences
from recommend.data.memory import MemoryStream
from recommend.data.parquet import DataError
from recommend.data.public import (
    amazon_cross_domain,
    amazon_sequences,
    coat,
    online_retail,
    open_bandit,
    source,
    taobao,
)
from recommend.features.encoders import Encoders
from recommend.models.registry import build_model
from recommend.training.scoring import evaluate
from recommend.training.trainer import train
from tests.conftest import NEEDS


def needs(name: str) -> None:
    if not source.present(name):
        pytest.skip(NEEDS["data"].reason)  # no package brings the logs, so that a strict run lets it pass


def write(path, text: str):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def parquet(path, **columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


def declared(table: pa.Table, columns) -> bool:
    """Exactly the declared names, types and metadata."""
    return table.schema.equals(pa.schema([pa.field(c.name, c.type) for c in columns])) and all(
        f.metadata[b"known"].decode() == c.known for f, c in zip(table.schema, columns, strict=True)
    )


def test_taobao(tmp_path):
    rows = "1,10,5,pv,1511539200\n2,11,5,buy,1511539100\n1,12,6,fav,1511712000\n3,13,6,pv,1400000000\n"
    write(tmp_path / "UserBehavior.csv", rows)
    table = taobao.read(tmp_path)
    assert declared(table, taobao.EVENTS)
    assert table["user_id"].to_pylist() == [2, 1, 1], "in the order of time, without the row of another year"
    assert table["behaviour"].to_pylist() == [3, 0, 2]
    assert table["day"].to_pylist() == [0, 1, 3]
    write(tmp_path / "UserBehavior.csv", "1,10,5,gone,1511539200\n")
    with pytest.raises(DataError, match="none of pv, cart, fav, buy"):
        taobao.read(tmp_path)
    midnight = 1511452800 + 86_400  # 2017-11-25 00:00 in China
    write(tmp_path / "UserBehavior.csv", f"1,1,1,pv,{midnight - 1}\n1,1,1,pv,{midnight}\n")
    assert taobao.read(tmp_path)["day"].to_pylist() == [0, 1]


def test_the_real_taobao_log():
    needs(taobao.NAME)
    table = taobao.read()
    events = source.numpy(table)
    assert table.num_rows == 84_468
    assert np.bincount(events["behaviour"]).tolist() == [75_865, 4_497, 2_356, 1_750]
    assert len(np.unique(events["user_id"])) == 815
    assert (np.diff(events["time_ms"]) >= 0).all()
    assert (events["day"].min(), events["day"].max()) == (0, 9)


def test_amazon_sequences(tmp_path):
    folder = tmp_path / amazon_sequences.NAME
    parquet(folder / "Beauty.parquet", user=[2, 1, 1], pos=[0, 1, 0], item=[7, 8, 9])
    parquet(folder / "Beauty_attrs.parquet", item=[7, 7, 9], attribute=[1, 2, 3])
    table = amazon_sequences.read("Beauty", tmp_path)
    assert declared(table, amazon_sequences.EVENTS)
    assert table["item_id"].to_pylist() == [9, 8, 7]
    assert table["category"].to_pylist() == [3, -1, 2], "the last listed attribute; -1 where there is none"
    with pytest.raises(DataError, match="no domain 'Books'"):
        amazon_sequences.read("Books", tmp_path)
    with pytest.raises(DataError, match=r"no file .*Sports_and_Outdoors.*IPL_DATA"):
        amazon_sequences.read("Sports_and_Outdoors", tmp_path)


@pytest.mark.parametrize(
    ("domain", "events", "users"), [("Beauty", 198_502, 22_363), ("Sports_and_Outdoors", 296_337, 35_598)]
)
def test_the_real_amazon_sequences(domain, events, users):
    needs(amazon_sequences.NAME)
    found = source.numpy(amazon_sequences.read(domain))
    assert (len(found["item_id"]), len(np.unique(found["user_id"]))) == (events, users)
    steps = np.diff(found["step"])
    assert ((steps == 1) | (np.diff(found["user_id"]) > 0)).all()
    assert found["category"].min() >= 0


def test_amazon_cross_domain(tmp_path):
    parquet(
        tmp_path / amazon_cross_domain.NAME / "electronics.parquet", user=[0, 0], item=[1, 2], split=["train", "test"]
    )
    table = amazon_cross_domain.read("electronics", tmp_path)
    assert declared(table, amazon_cross_domain.EVENTS)
    assert table["held_back"].to_pylist() == [False, True]


def test_the_real_cross_domain_log_has_the_same_users_in_both():
    needs(amazon_cross_domain.NAME)
    one, two = (source.numpy(amazon_cross_domain.read(d)) for d in amazon_cross_domain.DOMAINS)
    assert (len(one["user_id"]), len(two["user_id"])) == (118_879, 53_732)
    assert set(one["user_id"]) == set(two["user_id"])
    assert one["held_back"].sum() == two["held_back"].sum() == 3_325


def retail(tmp_path, **changes):
    base = {
        "InvoiceNo": ["1", "2", "C3", "C4", "5"],
        "StockCode": ["a", "a", "a", "b", "a"],
        "Quantity": [5, 6, -6, -1, 1],
        "InvoiceDate": pa.array((np.arange(1, 6) * 86_400 + online_retail.START_S) * 1_000_000, pa.timestamp("us")),
        "UnitPrice": [1.0, 3.0, 3.0, 1.0, 8.0],
        "CustomerID": [7.0, 7.0, 7.0, 7.0, None],
        "Country": ["UK"] * 5,
        "is_cancel": [False, False, True, True, False],
    }
    parquet(tmp_path / online_retail.NAME / "online_retail.parquet", **{**base, **changes})


def test_online_retail_joins_a_cancellation_to_the_latest_purchase(tmp_path):
    retail(tmp_path)
    lines = online_retail.read(tmp_path)
    assert declared(lines, online_retail.LINES)
    assert lines["user_id"].to_pylist() == [7, 7, 7, 7, -1]
    back = online_retail.cancellations(lines)
    assert declared(back, online_retail.CANCELLATIONS)
    assert back.to_pylist() == [{"line": 2, "order_line": 1, "delay_ms": 86_400_000}], "b was never bought"
    prices = online_retail.median_prices(lines)
    assert prices[:3].tolist() == [3.0, 3.0, 3.0]
    assert np.isnan(prices[3])


def test_the_real_online_retail_log():
    needs(online_retail.NAME)
    lines = online_retail.read()
    back = online_retail.cancellations(lines)
    days = np.asarray(back["delay_ms"]) / source.DAY_MS
    assert (lines.num_rows, int(np.asarray(lines["cancelled"]).sum())) == (541_909, 9_288)
    assert back.num_rows == pytest.approx(7_509, abs=100)
    assert np.median(days) == pytest.approx(9.4, abs=0.3)
    assert (days >= 0).all()


def bandit_columns(items: int, rows: int) -> dict:
    return {
        "timestamp": ["2019-11-24 00:00:34.762830+00:00", "2019-11-25 01:00:00+00:00"][:rows],
        "item_id": [1, 2][:rows],
        "position": [3, 1][:rows],
        "click": [0, 1][:rows],
        "propensity_score": [0.0125, 0.5][:rows],
        **{f"user_feature_{i}": ["x", "y"][:rows] for i in range(4)},
        **{f"user-item_affinity_{i}": [float(i), 0.0][:rows] for i in range(items)},
    }


def test_open_bandit(tmp_path):
    columns = {"policy": ["bts", "random"], "campaign": ["men", "all"], **bandit_columns(80, 2)}
    parquet(tmp_path / open_bandit.NAME / "obd.parquet", **columns)
    table = open_bandit.read(tmp_path)
    assert declared(table, open_bandit.IMPRESSIONS)
    assert table["policy"].to_pylist() == [0, 1]
    assert table["time_ms"].to_pylist() == [90_000_000, 34_000]
    assert table["click"].to_pylist() == [True, False]
    assert [len(a) for a in table["affinity"].to_pylist()] == [80, 34], "as many as the campaign has items"
    context = ",item_id,item_feature_0,item_feature_1,item_feature_2,item_feature_3\n0,0,-0.5,a,b,c\n"
    write(tmp_path / open_bandit.NAME / "item_context_women.csv", context)
    items = open_bandit.read_items("women", tmp_path)
    assert items.to_pylist() == [
        {"item_id": 0, "feature": -0.5, "item_feature_1": "a", "item_feature_2": "b", "item_feature_3": "c"}
    ]
    with pytest.raises(DataError, match="no campaign 'children'"):
        open_bandit.read_items("children", tmp_path)


def test_the_real_open_bandit_log():
    needs(open_bandit.NAME)
    table = open_bandit.read()
    rows = source.numpy(table, ("policy", "campaign", "click", "propensity"))
    assert table.num_rows == 60_000
    clicks = [
        [int(rows["click"][(rows["policy"] == p) & (rows["campaign"] == c)].sum()) for c in range(3)] for p in (0, 1)
    ]
    assert clicks == [[38, 46, 46], [42, 69, 46]]
    assert np.unique(rows["propensity"][(rows["policy"] == 0) & (rows["campaign"] == 0)]) == pytest.approx(1 / 80)
    assert open_bandit.read_items("men").num_rows == 34


def test_coat(tmp_path):
    folder = tmp_path / coat.NAME
    parquet(folder / "ratings.parquet", split=["test", "train"], user=[0, 1], item=[3, 4], rating=[5, 1])
    write(folder / "user_features_map.txt", "gender:men\ngender:women\nage:20-30\nlocation:rural\nfashioninterest:very")
    write(folder / "user_features.csv", "0,1,1,0,1\n1,0,0,1,0\n")
    assert coat.read(tmp_path)["uniform"].to_pylist() == [False, True]
    users = coat.read_users(tmp_path)
    assert declared(users, coat.USERS)
    assert users["gender"].to_pylist() == ["women", "men"]
    assert users["age"].to_pylist() == ["20-30", None]
    write(folder / "user_features.csv", "0,1,1\n")
    with pytest.raises(DataError, match=r"user_features\.csv is not of the expected form"):
        coat.read_users(tmp_path)


def test_the_real_coat_log():
    needs(coat.NAME)
    ratings = source.numpy(coat.read())
    uniform = ratings["uniform"]
    assert (int((~uniform).sum()), int(uniform.sum())) == (6_960, 4_640)
    assert ratings["rating"][~uniform].mean() == pytest.approx(2.61, abs=0.01)
    assert ratings["rating"][uniform].mean() == pytest.approx(2.23, abs=0.01)
    assert (coat.read_users().num_rows, coat.read_items().num_rows) == (290, 300)
    assert coat.read_items()["color"].null_count == 0


@pytest.mark.parametrize(
    "read",
    [
        taobao.read,
        amazon_sequences.read_attributes,
        online_retail.read,
        open_bandit.read,
        coat.read,
    ],
)
def test_a_missing_log_is_one_sentence(tmp_path, read):
    with pytest.raises(DataError, match=r"^[^\n]+\.$") as found:
        read(tmp_path / "none") if read not in (amazon_sequences.read_attributes,) else read("Beauty", tmp_path)
    assert "there " in str(found.value)


@pytest.mark.parametrize(
    ("name", "file", "read"),
    [
        (taobao.NAME, "userbehavior.parquet", taobao.read),
        (online_retail.NAME, "online_retail.parquet", online_retail.read),
        (open_bandit.NAME, "obd.parquet", open_bandit.read),
        (coat.NAME, "ratings.parquet", coat.read),
    ],
)
def test_a_broken_file_is_one_sentence(tmp_path, name, file, read):
    write(tmp_path / name / file, "no parquet")
    with pytest.raises(DataError, match=rf"{file} is not of the expected form \(.*\); copy it again\.$"):
        read(tmp_path)
    parquet(tmp_path / name / file, x=[1])
    with pytest.raises(DataError, match="lacks the columns"):
        read(tmp_path)


# Samples.


def little(**options):
    user = np.array([1, 1, 1, 2, 2, 1])
    item = np.array([10, 11, 12, 20, 21, 13])
    time = np.array([0, 1, 1, 0, 5, 9])
    return sequences.samples(user, item, time, item * 10, seed=0, **options)


def histories(columns) -> list[list[int]]:
    history = columns["history_item"]
    return [h.tolist() for h in torch.split(history.values, history.lengths.tolist())]


def test_samples_are_in_time_order_and_look_back_only():
    columns = little(negatives=1)
    positive = columns["click"].numpy()
    assert columns["item_id"].numpy()[positive].tolist() == [11, 12, 21, 13]
    assert histories(columns)[::2] == [[10], [10], [20], [10, 11, 12]], "the same moment is not the past"
    assert histories(columns)[1::2] == histories(columns)[::2], "a negative has its positive's history"
    assert columns["time"].tolist() == [1, 1, 1, 1, 5, 5, 9, 9]
    assert columns["list_id"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert columns["last"].numpy()[positive].tolist() == [False, False, True, True]
    assert (columns["category"] == columns["item_id"] * 10).all()
    assert (columns["history_category"].values == columns["history_item"].values * 10).all()
    shown, of_list = columns["item_id"].numpy(), columns["list_id"].numpy()
    assert (shown[~positive] != shown[positive][of_list[~positive]]).all(), "a negative is never its positive"


def test_long_histories_keep_the_newest_and_short_ones_make_no_sample():
    assert histories(little(negatives=0, longest=2)) == [[10], [10], [20], [11, 12]]
    assert histories(little(negatives=0, shortest=3)) == [[10, 11, 12]]
    assert len(little(negatives=0, shortest=0)["click"]) == 6


def test_samples_agree_with_a_plain_loop():
    rng = np.random.default_rng(0)
    user, item, time = rng.integers(0, 9, 300), rng.integers(0, 30, 300), rng.integers(0, 60, 300)
    targets, past = rng.random(300) < 0.6, rng.random(300) < 0.6
    columns = sequences.samples(user, item, time, seed=1, negatives=0, targets=targets, past=past, longest=4)
    expected = []
    for i in np.lexsort([np.arange(300), time]):
        before = [j for j in range(300) if user[j] == user[i] and time[j] < time[i] and past[j]]
        before = [int(item[j]) for j in sorted(before, key=lambda j: (time[j], j))][-4:]
        if targets[i] and before:
            expected.append((int(user[i]), int(item[i]), before))
    found = zip(columns["user_id"].tolist(), columns["item_id"].tolist(), histories(columns), strict=True)
    assert sorted(found) == sorted(expected)
    assert (np.diff(columns["time"].numpy()) >= 0).all()


def test_negatives_follow_the_rule_the_block_and_the_seed():
    rng = np.random.default_rng(0)
    events = 4_000
    item = np.where(rng.random(events) < 0.5, 0, rng.integers(1, 50, events))
    block = np.arange(events) // 2_000
    item += 100 * block
    user, time = rng.integers(0, 50, events), np.arange(events)

    def drawn(rule, seed=0):
        columns = sequences.samples(user, item, time, seed=seed, rule=rule, block=block)
        no = ~columns["click"].numpy()
        return columns["item_id"].numpy()[no], columns["item_id"].numpy()[~no]

    popular, positive = drawn("popular")
    assert (popular // 100 == positive // 100).all(), "within the block"
    often = positive % 100 != 0  # a negative of the popular thing is never that thing
    assert (popular[often] % 100 == 0).mean() == pytest.approx(0.5, abs=0.05)
    uniform, positive = drawn("uniform")
    assert (uniform[positive % 100 != 0] % 100 == 0).mean() == pytest.approx(1 / 50, abs=0.02)
    assert (drawn("popular")[0] == popular).all()
    assert (drawn("popular", seed=1)[0] != popular).any()


def test_splits_share_no_moment_and_no_list():
    columns = little()
    early, late = sequences.split_by_time(columns, 0.5)
    assert early["time"].max() < late["time"].min()
    assert len(early["click"]) + len(late["click"]) == len(columns["click"])
    rest, last = sequences.split_last(columns)
    assert last["item_id"][last["click"]].tolist() == [21, 13]
    assert not set(rest["list_id"].tolist()) & set(last["list_id"].tolist())


def test_no_events_make_no_samples():
    none = np.zeros(0, dtype=np.int64)
    columns = sequences.samples(none, none, none, none, seed=0)
    assert len(columns["click"]) == 0


def test_din_trains_on_taobao():
    """Views alone, negatives of the same day: only the match with the history can help."""
    needs(taobao.NAME)
    e = source.numpy(taobao.read())
    views = (e["behaviour"] == 0) & (e["user_id"] % 2 == 0)
    e = {name: values[views] for name, values in e.items()}
    columns = sequences.samples(
        e["user_id"], e["item_id"], e["time_ms"], e["category"], seed=0, block=e["day"], longest=20
    )
    learn, test = sequences.split_by_time(columns, 0.8)
    encoders = Encoders.fit(sequences.feature_map(longest=20), [learn], min_count=2)
    config = ModelConfig(name="din", embedding=8, attention=(16,), mlp=(32,))
    model = build_model(encoders.features, encoders.sizes(), config, 0)
    train(model, MemoryStream(learn, 256), TrainConfig(threads=1, learning_rate=0.003, batch_rows=256), encoders)
    assert evaluate(model, MemoryStream(test, 4096), encoders)["click"]["auc"] > 0.56
