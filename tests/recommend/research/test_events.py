"""Samples of events, and the real logs through their maps where they are there."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
import torch

from app.cli.main import main
from benchmarks.papers.user_logs import feature_map, samples
from finetune.data.photosets import data_root
from recommend.config import ConfigError, ModelConfig, TrainConfig
from recommend.data.memory import MemoryStream
from recommend.data.ragged import select_batch
from recommend.features.encoders import Encoders
from recommend.imports.maps import FOLDER, log_files, read_map
from recommend.models.registry import build_model
from recommend.research.events import read_events
from recommend.training.scoring import evaluate
from recommend.training.trainer import train
from tests.conftest import NEEDS


def needs(name: str) -> None:
    try:
        there = log_files(read_map(name)[0])[0].is_file()
    except ConfigError:
        there = False
    if not there:
        pytest.skip(NEEDS["data"].reason)  # no package brings the logs, so that a strict run lets it pass


@pytest.mark.parametrize("named", [True, False])
def test_logs_lie_where_the_photos_do(named, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("IPL_DATA", str(tmp_path) if named else "")
    assert main(["recommend", "import", "--map", "merrec", "-o", str(tmp_path / "out")]) != 0
    sentence = capsys.readouterr().err
    assert f"is not in {data_root()}: name the log's files, or the folder of the project's logs in IPL_DATA" in sentence
    for name in (p.stem for p in FOLDER.glob("*.yaml")):
        with suppress(ConfigError):
            assert all(file.is_relative_to(data_root()) for file in log_files(read_map(name)[0]))


def test_events_of_a_text_file_without_a_header(tmp_path):
    path = tmp_path / "UserBehavior.csv"
    midnight = 1511452800 + 86_400  # 2017-11-25 00:00 in China
    rows = [f"1,10,5,pv,{midnight}", f"2,11,5,buy,{midnight - 1}", "1,12,6,fav,1511712000", "3,13,6,pv,1400000000"]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    events = read_events("taobao", path)
    assert events["user_id"].tolist() == [2, 1, 1], "in the order of time, without the row of another year"
    assert events["behaviour"].tolist() == ["order", "click", "favourite"]
    assert events["day"].tolist() == [0, 1, 3]


def test_the_real_taobao_log():
    needs("taobao")
    events = read_events("taobao")
    kinds, counts = np.unique(events["behaviour"].astype(str), return_counts=True)
    expected = {"click": 75_865, "cart": 4_497, "favourite": 2_356, "order": 1_750}
    assert dict(zip(kinds.tolist(), counts.tolist(), strict=True)) == expected
    assert len(np.unique(events["user_id"])) == 815
    assert (np.diff(events["time_ms"]) >= 0).all()
    assert (events["day"].min(), events["day"].max()) == (0, 9)


@pytest.mark.parametrize(
    ("name", "events", "users"), [("amazon_beauty", 198_502, 22_363), ("amazon_sports", 296_337, 35_598)]
)
def test_the_real_amazon_sequences(name, events, users):
    needs(name)
    read = read_events(name)
    assert (len(read["item_id"]), len(np.unique(read["user_id"]))) == (events, users)
    assert (read["day"] == 1).sum() == users, "everybody's last event is the test"
    assert read["category"].min() >= 0


# Samples.


def histories(columns) -> list[list[int]]:
    history = columns["history_item"]
    return [h.tolist() for h in torch.split(history.values, history.lengths.tolist())]


def test_samples_agree_with_a_plain_loop():
    rng = np.random.default_rng(0)
    user, item, time = rng.integers(0, 9, 300), rng.integers(0, 30, 300), rng.integers(0, 60, 300)
    targets, past = rng.random(300) < 0.6, rng.random(300) < 0.6
    columns = samples(user, item, time, seed=1, negatives=0, targets=targets, past=past, longest=4)
    expected = []
    for i in np.lexsort([np.arange(300), time]):
        before = [j for j in range(300) if user[j] == user[i] and time[j] < time[i] and past[j]]
        before = [int(item[j]) for j in sorted(before, key=lambda j: (time[j], j))][-4:]
        if targets[i] and before:
            expected.append((int(user[i]), int(item[i]), before))
    drawn_rows = zip(columns["user_id"].tolist(), columns["item_id"].tolist(), histories(columns), strict=True)
    assert sorted(drawn_rows) == sorted(expected)
    assert (np.diff(columns["time"].numpy()) >= 0).all()


def test_negatives_follow_the_rule_the_block_and_the_seed():
    rng = np.random.default_rng(0)
    events = 4_000
    item = np.where(rng.random(events) < 0.5, 0, rng.integers(1, 50, events))
    block = np.arange(events) // 2_000
    item += 100 * block
    user, time = rng.integers(0, 50, events), np.arange(events)

    def drawn(rule, seed=0):
        columns = samples(user, item, time, seed=seed, rule=rule, block=block)
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


def test_din_trains_on_taobao():
    """Views alone, negatives of the same day: only the match with the history can help."""
    needs("taobao")
    e = read_events("taobao")
    views = (e["behaviour"] == "click") & (e["user_id"] % 2 == 0)
    e = {name: values[views] for name, values in e.items()}
    columns = samples(e["user_id"], e["item_id"], e["time_ms"], e["category"], seed=0, block=e["day"], longest=20)
    early = columns["time"] < columns["time"].double().quantile(0.8)
    learn, test = (select_batch(columns, which.nonzero().squeeze(1)) for which in (early, ~early))
    encoders = Encoders.fit(feature_map(longest=20), [learn], min_count=2)
    config = ModelConfig(name="din", embedding=8, attention=(16,), mlp=(32,))
    model = build_model(encoders.features, encoders.sizes(), config, 0)
    train(model, MemoryStream(learn, 256), TrainConfig(threads=1, learning_rate=0.003, batch_rows=256), encoders)
    assert evaluate(model, MemoryStream(test, 4096), encoders)["click"]["auc"] > 0.56
