"""Every model that serves beside the usual ones is trained on the store's own log, by the commands that install it.

The store's own feed is trained on by the command that trains on the world's log.
"""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import select

from app.cli.main import main
from app.feed.items import note_items
from app.feed.log import write_log
from app.store.tables import FeedItemRow, FeedPageRow
from recommend.cascade.catalog import Item
from recommend.data.parquet import ParquetStream
from recommend.data.ragged import concat_batches
from recommend.data.schema import POLICIES, TABLES, table_files
from tests.app.support.clients import client_of, published
from tests.app.support.feed_models import SMALL, Index, busy_days, commands, spread, walk
from tests.app.support.shop import buy, seen, visit

pytestmark = pytest.mark.slow


def test_copr_ecad_rec4ad_and_msnet_learn_from_the_stores_log_and_serve_in_their_stages(
    build, tmp_path, monkeypatch, capsys
):
    services = build(index=Index(), feed_per_second=1e6, feed_candidates=1.0, feed_uniform_ads=0.5)
    monkeypatch.setenv("IPL_HOME", str(tmp_path))
    with client_of(services) as client:
        listings = busy_days(client, ads=range(5))
        walk(client, listings, 20)
        with services.store.read() as session:
            assert (
                session.scalar(select(FeedPageRow.id).where(FeedPageRow.candidates.is_not(None))) is None
            )  # no model has ranked yet
        spread(services)
        assert main(["recommend", "log", "--out", str(tmp_path / "first")]) == 0
        commands(tmp_path / "first", tmp_path / "din", "din", "ranking")
        services.feed.refresh()
        walk(client, listings)
        spread(services)
        log = tmp_path / "log"
        assert main(["recommend", "log", "--out", str(log)]) == 0
        commands(log, tmp_path / "copr", "copr", "pre-ranking", "--set", "chunks=3")
        commands(log, tmp_path / "ecad", "ecad", "conversion")
        commands(log, tmp_path / "rec4ad", "rec4ad", "ads")
        commands(log, tmp_path / "msnet", "msnet", "ranking")
        said = capsys.readouterr().out
        assert all(f"{name} 000" in said for name in ("copr", "ecad", "rec4ad", "msnet"))
        services.feed.refresh()
        page = seen(client, "v1")
        assert {stage: name.split()[0] for stage, name in page["models"].items() if stage != "knowledge"} == {
            "pre_ranking": "copr", "ranking": "msnet", "conversion": "ecad", "ads": "rec4ad"}  # fmt: skip
        assert page["degraded"] == []
        assert {p["reason"] for p in page["places"]} >= {"ranked", "ad"}


def test_the_log_holds_what_was_considered_and_with_which_chance_an_ad_was_shown(build, tmp_path, monkeypatch):
    services = build(index=Index(), feed_per_second=1e6, feed_candidates=1.0, feed_uniform_ads=0.5)
    monkeypatch.setenv("IPL_HOME", str(tmp_path))
    with client_of(services) as client:
        listings = busy_days(client, ads=range(5))
        walk(client, listings, 20)
        spread(services)
        write_log(services.store, tmp_path / "first")
        commands(tmp_path / "first", tmp_path / "din", "din", "ranking")
        services.feed.refresh()
        new = published(client, price=99)  # considered, but sold before the visitor reports anything
        page = visit(client, "vera")
        seen(client, "otto")  # never reported as seen: not in the log
    written = write_log(services.store, tmp_path / "log")
    names = ["request_id", "item_id", "policy", "rank", "rank_score", "bid", "shown"]
    rows = concat_batches(list(ParquetStream(table_files(tmp_path / "log", "candidate"), names, 1000)))
    assert len(set(rows["request_id"].tolist())) == 1
    organic = rows["policy"] == POLICIES.index("organic")
    assert int(organic.sum()) == 9
    assert sorted(rows["rank"][organic].tolist()) == list(range(9))
    assert int((~organic).sum()) == 5
    assert bool((rows["bid"][~organic] > 0).all())
    assert int(rows["shown"].sum()) == len(page["places"])
    items = concat_batches(list(ParquetStream(table_files(tmp_path / "log", "item"), ["item_id", "price"], 1000)))
    assert 99.0 in items["price"].tolist()
    assert new["id"]
    assert written.rows["candidate"] == 14
    names = ["policy", "propensity", "is_ad"]
    shown = concat_batches(list(ParquetStream(table_files(tmp_path / "log", "impression"), names, 1000)))
    ads = shown["is_ad"]
    assert set(shown["policy"][ads].tolist()) == {POLICIES.index("ads"), POLICIES.index("uniform")}
    assert set(shown["policy"][~ads].tolist()) == {POLICIES.index("organic")}
    # Two of five are drawn on half of the pages: 0.5 * 2 / 5 for everybody, and 0.5 more for who wins the auction.
    assert {round(p, 2) for p in shown["propensity"][ads].tolist()} <= {0.2, 0.7}
    assert set(shown["propensity"][~ads].tolist()) == {1.0}


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("copr", "holds no ranking candidates"),
        ("ecad", "days old, as the shortest window asks"),
        ("rec4ad", "nobody saw an ad"),
    ],
)
def test_a_log_that_lacks_what_a_model_needs_is_one_sentence_and_leaves_no_run(
    build, tmp_path, monkeypatch, capsys, model, said
):
    services = build(index=Index(), feed_per_second=1e6)
    monkeypatch.setenv("IPL_HOME", str(tmp_path))
    with client_of(services) as client:
        published(client, price=10)
        for n in range(16):
            visit(client, f"v{n}")
        spread(services)
    write_log(services.store, tmp_path / "log")
    train = ["recommend", "train", "--data", str(tmp_path / "log"), "--out", str(tmp_path / "run"), "--model", model]
    assert main([*train, "--test-days", "1", *SMALL]) != 0
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run" / "run.json").exists()


def test_a_thing_is_written_down_as_it_came_and_its_vector_when_it_is_there(services):
    def item(**changes):
        known = {"item_id": 7, "seller_id": 1, "category": 2, "condition": 1, "price": 10.0, "price_bucket": 4,
                 "stock": 1, "single": True, "listed_ms": 5, "content": np.zeros(16, np.float32)}  # fmt: skip
        return Item(**{**known, **changes})

    for changes in ({}, {"price": 99.0, "content": np.ones(16, np.float32)}, {"content": np.full(16, 2, np.float32)}):
        with services.store.write() as session:
            note_items(session, [item(**changes), item(item_id=8)])
    with services.store.read() as session:
        rows = {row.item_id: row.known for row in session.scalars(select(FeedItemRow))}
    assert set(rows) == {7, 8}
    assert rows[7]["price"] == 10.0
    assert rows[7]["content"] == [1.0] * 16


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
    later = 2 if undone == "cancel" else 1  # what was cancelled is on sale again
    assert written.rows["impression"] == 2 + later
    assert {name: written.rows[name] for name in ("click", "order", "refund", "cart", "item", "user")} == {
        "click": 1, "order": 1, "refund": 1, "cart": 0, "item": 2, "user": 1}  # fmt: skip
    assert all(table_files(tmp_path / "log", name) for name in TABLES)
    names = ["item_id", "time_ms", "click", "order", "refund", "history_item", "request_id", "stock"]
    rows = concat_batches(list(ParquetStream(table_files(tmp_path / "log", "impression"), names, 100)))
    assert rows["click"].tolist() == [bool(c) for c in rows["order"].tolist()] == rows["refund"].tolist()
    assert rows["click"].sum() == 1
    assert rows["history_item"].lengths.tolist() == [0, 0] + [1] * later  # the click is known on the second page only
    assert rows["request_id"].tolist() == [1, 1] + [2] * later
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
