"""A paper's model serves only where the store's own log holds what its method feeds on, and /ops says so."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from app.feed import model_selection
from app.feed.model_selection import ModelSelection, decision, last_measurement, measure, measure_daily
from app.settings import Settings, SettingsError
from app.store.tables import FeedPageRow, FeedRow, OrderRow, now
from recommend.config import ModelConfig, TrainConfig
from recommend.metrics.jackknife import Estimate
from recommend.phenomena import table
from recommend.phenomena.table import NINE, Finding, as_json
from recommend.research.world import write_world
from recommend.research.world.stored import store_histories
from recommend.training.runs import plan, train_run
from tests.app.feed.test_feed import seen
from tests.app.feed.test_feed_log import visit
from tests.app.support.clients import client_of, published

OF = {p.name: p for p in NINE}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A conversion model, of a tiny world."""
    root = tmp_path_factory.mktemp("run")
    write_world(root / "world", seed=100, knobs={"impressions": 2_000, "days": 4})
    store_histories(root / "world")
    log = root / "world" / "log"
    model = ModelConfig(name="esmm", embedding=4, mlp=(8,))
    train_run(log, plan(log, model, TrainConfig(batch_rows=256), ("click", "order"), 1), root / "esmm")
    return root / "esmm"


def found(name, value=0.0, low=0.0, high=0.0, groups=40):
    return as_json(Finding(OF[name], Estimate(value, low, high, groups)))


@pytest.mark.parametrize(
    ("measured", "state", "because"),
    [
        (None, "not measured", "the log has not been measured yet"),
        (found("ecad", 0.12, 0.08, 0.16), "serves", "12.0% of the orders came back; it can pay from 5.0%"),
        (found("ecad", 0.01, 0.0, 0.02), "idle", "1.0% of the orders came back; it can pay from 5.0%"),
        (found("ecad", 0.01, 0.0, 0.02, 4), "not measured", "1.0% of the orders came back, but of 4 groups only"),
        (found("hdr", 0.05, 0.01, 0.09), "idle", "by a factor of exp(0.05); it can pay from exp(0.20)"),
        (found("ecad", 0.04, 0.02, 0.06), "serves", "whether it reaches 5.0%, from where on it can pay, is open"),
        (as_json(Finding(OF["ecad"], missing="no orders")), "not measured", "in the log: no orders"),
        (
            as_json(Finding(OF["clid"], missing="no privileged signals", lacks=True)),
            "idle",
            "in the log: no privileged signals",
        ),
    ],
)
def test_a_measure_decides_and_what_is_not_known_switches_nothing_off(measured, state, because):
    decided = decision(measured)
    assert decided.state == state
    assert because in decided.because


def test_promotions_are_known_from_the_calendar_and_an_operator_overrules(tmp_path):
    none, some = (ModelSelection(Settings(home=tmp_path), lambda there=there: there) for there in (False, True))
    assert none.decisions()["hdr"].because == "no promotion declared"
    assert none.idle().keys() == {"hdr", "esmm_copy", "ecad_copy"}
    assert some.idle() == {}
    lacks = as_json(Finding(OF["hdr"], missing="no promotion", lacks=True))
    (tmp_path / model_selection.FILE).write_text(json.dumps({"found": [lacks, found("hdr") | {"name": "msnet"}]}))
    assert some.decisions()["hdr"].state == "not measured"
    assert some.idle().keys() == {"msnet"}
    forced = ModelSelection(Settings(home=tmp_path, feed_always="msnet, hdr"), lambda: False)
    assert forced.idle() == {}
    assert forced.decisions()["hdr"].because == "by IPL_FEED_ALWAYS, although no promotion declared"
    with pytest.raises(SettingsError, match="did you mean 'msnet'"):
        ModelSelection(Settings(home=tmp_path, feed_always="msnett"))
    (tmp_path / model_selection.FILE).write_text("torn")
    assert some.decisions()["msnet"].state == "not measured"


def order_everything(services, refunded):
    """Every row that was seen was bought, and a share of that came back."""
    with services.store.write() as session:
        rows = session.scalars(select(FeedRow).where(FeedRow.seen_at.is_not(None))).all()
        for n, row in enumerate(rows):
            back = now() + timedelta(hours=1) if n % 10 < 10 * refunded else None
            session.add(OrderRow(id=f"o{n}", buyer=f"b{n}", key="k", listing_id=row.listing_id, row_id=row.id,
                                 currency="EUR", amount=1.0, refunded_at=back))  # fmt: skip


def refunds(services, at):
    with services.store.write() as session:
        session.execute(update(OrderRow).values(refunded_at=at))
    measure(services.store, services.settings.home)
    services.feed.refresh()


def conversion(client):
    """What /ops says of the stage."""
    return next(r for r in client.get("/ops/export/models.json").json() if r["stage"] == "conversion")


def stands(client):
    """What /ops says serves, and of ECAD, what scored conversions, and the places of the page."""
    row, page = conversion(client), seen(client, "vera")
    assert row["serves"] == page["models"]["conversion"]
    return row["why"].partition(":")[0], row["serves"], len(page["places"])


def test_ecad_serves_while_orders_come_back_and_its_plain_model_where_none_does(build, run, monkeypatch):
    services = build(feed_per_second=1e6)
    home, registry = services.settings.home, services.feed.registry
    with client_of(services) as client:
        for n in range(5):
            published(client, price=10 + n)
        for n in range(24):
            visit(client, f"v{n}")
        order_everything(services, 0.4)
        assert conversion(client)["why"] == "none installed"
        registry.install(run, "conversion")
        registry.install(run, "conversion", facts={"model": "ecad"})  # by its name a paper's, and healthy
        services.feed.refresh()
        assert stands(client) == ("ECAD not measured", "ecad 0002", 5)
        measure(services.store, home)
        services.feed.refresh()
        assert stands(client) == ("ECAD serves", "ecad 0002", 5)
        refunds(services, None)
        assert stands(client) == ("ECAD idle", "esmm 0001", 5)
        assert registry.current("conversion") == "0002"
        assert [(e["what"], e["version"]) for e in registry.events(1)] == [("idle", "0002")]
        assert "0.0% of the orders came back; it can pay from 5.0%" in client.get("/ops/").text

        again = build(feed_always="ecad")  # after a restart, overruled
        with client_of(again) as other:
            assert stands(other) == ("ECAD overruled", "ecad 0002", 5)

        refunds(services, now())
        assert stands(client) == ("ECAD serves", "ecad 0002", 5)
        registry.discard("conversion", "0001", "a test")
        refunds(services, None)
        assert stands(client) == ("ECAD idle", "none", 5)

        def never(*_):
            raise AssertionError("a request measures")

        for module, name in (
            (model_selection, "measure"),
            (model_selection, "measure_daily"),
            (model_selection, "write_log"),
            (table, "findings"),
        ):
            monkeypatch.setattr(module, name, never)
        for address in ("/v1/feed/vera", "/feed", "/ops/", "/ops/?visitor=vera"):
            assert client.get(address).status_code == 200, address


def test_a_server_measures_once_a_day_in_a_process_of_its_own(build):
    services = build(feed_per_second=1e6)
    home = services.settings.home
    with client_of(services) as client:
        measure_daily(services.store, services.settings)
        assert last_measurement(home) == {}  # nobody has seen anything
        published(client)
        visit(client, "vera")
        measure_daily(services.store, services.settings)
        first = last_measurement(home)
        assert (first["impressions"], len(first["found"])) == (1, len(NINE))
        assert not list(home.glob("ipl-phenomena-*"))
        visit(client, "otto")
        measure_daily(services.store, services.settings)
        assert last_measurement(home) == first
        old = datetime.now(UTC) - timedelta(days=9)
        (home / model_selection.FILE).write_text(json.dumps({**first, "as_of": old.isoformat()}))
        assert "9 days ago, over 1 impressions" in client.get("/ops/").text
        with services.store.read() as session:
            assert len(session.scalars(select(FeedPageRow)).all()) == 2
        measure(services.store, home, latest=1)
        assert last_measurement(home)["impressions"] == 1
