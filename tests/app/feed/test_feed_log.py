"""The store's own feed is trained on by the command that trains on the world's log."""

from __future__ import annotations

import pytest

from app.cli.main import main
from app.feed.log import write_log
from recommend.data.parquet import ParquetStream
from recommend.data.ragged import concat_batches
from recommend.data.schema import TABLES, table_files
from tests.app.support.clients import client_of, published
from tests.app.support.shop import buy, seen, visit


@pytest.mark.stores
@pytest.mark.parametrize("undone", ["refund", "cancel"])
def test_what_was_shown_is_written_with_what_came_of_it(services, tmp_path, undone):
    with client_of(services) as client:
        first, second = published(client, price=10), published(client, price=20)
        page = visit(client, "vera", click=[first["id"]])
        order = buy(client, first, page_id=page["id"]).json()
        client.post(f"/v1/orders/{order['id']}/{undone}")
        visit(client, "vera")
        seen(client, "otto")  # never reported as seen
    written = write_log(services.store, tmp_path / "log")
    assert written.rows["impression"] == 3
    assert {name: written.rows[name] for name in ("click", "order", "refund", "cart", "item", "user")} == {
        "click": 1, "order": 1, "refund": 1, "cart": 0, "item": 2, "user": 1}  # fmt: skip
    assert all(table_files(tmp_path / "log", name) for name in TABLES)
    names = ["item_id", "time_ms", "click", "order", "refund", "history_item", "request_id", "stock"]
    rows = concat_batches(list(ParquetStream(table_files(tmp_path / "log", "impression"), names, 100)))
    assert rows["click"].tolist() == [bool(c) for c in rows["order"].tolist()] == rows["refund"].tolist()
    assert rows["click"].sum() == 1
    assert rows["history_item"].lengths.tolist() == [0, 0, 1]  # the click is known on the second page only
    assert rows["request_id"].tolist() == [1, 1, 2]
    assert second["id"] != first["id"]


@pytest.mark.slow
def test_train_evaluate_and_install_on_the_stores_own_log(build, tmp_path, monkeypatch, capsys):
    services = build(feed_per_second=1e6)
    with client_of(services) as client:
        liked = [published(client, price=10 + n) for n in range(6)]
        for n in range(60):
            visit(client, f"v{n % 7}", click=[x["id"] for x in liked if (n + int(x["price"])) % 3 == 0])
        monkeypatch.setenv("IPL_HOME", str(tmp_path))
        log, run = tmp_path / "log", tmp_path / "run"
        assert main(["recommend", "log", "--out", str(log)]) == 0
        # All of it was seen on one day, so that nothing can be held back: the days are told apart by hand.
        for name in TABLES:
            for file in table_files(log, name):
                later = file.parent.with_name(f"day={int(file.parent.name[4:]) + 1:03d}")
                if name == "impression":
                    later.mkdir()
                    (later / file.name).write_bytes(file.read_bytes())
        common = ["--set", "batch_rows=64", "--set", "mlp=[8]", "--set", "embedding=4", "--test-days", "1"]
        for model, role in (("two_tower", "pre_ranking"), ("din", "ranking")):
            out = str(run / model)
            assert main(["recommend", "train", "--data", str(log), "--out", out, "--model", model, *common]) == 0
            assert main(["recommend", "install", "--run", out, "--role", role]) == 0
        assert main(["recommend", "evaluate", "--run", str(run / "din"), "--data", str(log)]) == 0
        install = ["recommend", "install", "--run", str(run / "din"), "--role", "ranking", "--share", "0.3"]
        for command in (install, ["recommend", "promote", "ranking", "0002"], ["recommend", "rollback", "ranking"]):
            assert main(command) == 0
        said = capsys.readouterr().out
        for version, who in (("1", "all visitors"), ("2", "30 % of the visitors"), ("2", "all visitors")):
            assert f"ranking: din 000{version} serves {who} within seconds" in said
        assert said.endswith("ranking: din 0001 serves all visitors again within seconds\n")
        assert main(["recommend", "promote", "ranking", "0003"]) == 2
        assert "there is no version '0003'" in capsys.readouterr().err
        services.feed.refresh()
        page = seen(client, "v1")
        assert page["models"]["ranking"].startswith("din")
        assert page["models"]["pre_ranking"].startswith("two_tower")
        assert page["degraded"] == ["conversion", "ads"]


def test_an_empty_store_says_so(services, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("IPL_HOME", str(tmp_path))
    assert main(["recommend", "log", "--out", str(tmp_path / "log")]) == 0
    assert "nothing has been seen yet" in capsys.readouterr().out


@pytest.mark.parametrize("role", ["rank", ""])
def test_an_unknown_role_is_one_sentence(tmp_path, monkeypatch, capsys, role):
    monkeypatch.setenv("IPL_HOME", str(tmp_path))
    assert main(["recommend", "install", "--run", str(tmp_path), "--role", role]) == 2
    assert "there is no role" in capsys.readouterr().err
