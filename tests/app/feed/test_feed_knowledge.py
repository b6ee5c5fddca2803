"""Knowledge by key in the live feed: published beside the models, swapped while the server runs, missed visibly."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from app.cli.main import main
from app.feed.log import write_log
from app.settings import Settings
from app.store.backup.archive import back_up
from app.store.backup.restore import restore
from recommend.cascade.knowledge import Knowledge
from recommend.cascade.request import FEED
from recommend.cascade.scoring import probabilities
from recommend.data.knowledge import KnowledgeStore
from recommend.training.knowledge import coordinates
from tests.app.support.clients import client_of, published
from tests.app.support.feed_models import SMALL, Index, busy_days, spread, walk
from tests.app.support.shop import seen

pytestmark = pytest.mark.slow

# A second version, as another process publishes it: other vectors of the same keys, or of other coordinates.
PUBLISH = """
import sys
import numpy as np
from pathlib import Path
from recommend.data.knowledge import KnowledgeStore
with KnowledgeStore(Path(sys.argv[1])) as store:
    with store.snapshot() as snapshot:
        known = snapshot.version
        keys = {kind: np.arange(count * known.parts[kind]).reshape(count, -1) for kind, count in known.rows.items()}
    rng = np.random.default_rng(1)
    tables = {kind: (key, rng.normal(size=(len(key), known.widths[kind]))) for kind, key in keys.items()}
    store.publish(tables, known.until_ms, source=known.source if sys.argv[2] == "same" else "another")
"""


def train(log, out, model, *more):
    command = ["recommend", "train", "--data", str(log), "--out", str(out), "--model", model, *SMALL, *more]
    return main([*command, "--set", "tower=8"])


@pytest.fixture
def served(build, tmp_path, monkeypatch, capsys):
    """A server with a KEEP that was trained, with its extractor, on the server's own log."""
    index = Index()
    services = build(index=index, feed_per_second=1e6)
    monkeypatch.setenv("IPL_HOME", str(tmp_path))
    log = tmp_path / "log"
    with client_of(services) as client:
        walk(client, busy_days(client), 40)
    spread(services)
    write_log(services.store, log)
    assert train(log, tmp_path / "keep", "keep", "--test-days", "1") != 0
    assert "'./ipl recommend knowledge' publishes" in capsys.readouterr().err
    assert train(log, tmp_path / "extractor", "keep_extractor", "--test-days", "4") == 0
    publish = ["recommend", "knowledge", "--run", str(tmp_path / "extractor"), "--data", str(log)]
    assert main(publish) == 0
    assert "knowledge version 1: 7 of user, 8 of item" in capsys.readouterr().out
    assert train(log, tmp_path / "keep", "keep", "--test-days", "1", "--set", "learning_rate=0.05") == 0
    assert main(["recommend", "evaluate", "--run", str(tmp_path / "keep"), "--data", str(log)]) == 0
    assert main(["recommend", "install", "--run", str(tmp_path / "keep"), "--role", "ranking"]) == 0
    services = build(index=index, feed_per_second=1e6)  # a process opens a folder of knowledge once
    with client_of(services) as client:
        yield services, client, tmp_path


def from_elsewhere(folder, kind):
    subprocess.run([sys.executable, "-c", PUBLISH, str(folder), kind], check=True, timeout=120)


def check_keys(services, client, home):
    """A key that nobody knows adds nothing, and one that is known does."""
    feed, models = services.feed.feed, services.feed.models
    new = published(client, price=500)
    assert new["id"]
    loaded, moment = models.get("ranking"), services.feed.moment()
    with services.store.read():
        rows = feed.catalog.live()
    stranger, known = feed.visitors.get(10**6), feed.visitors.get(feed.visitors.ids()[0])
    newest = rows[feed.catalog.get("item_id", rows).argmax()]

    def pctr(visitor):
        return probabilities(models, loaded, feed.catalog, rows, visitor, moment, FEED)[0]["click"]

    with_it = {visitor.user_id: pctr(visitor) for visitor in (stranger, known)}
    there, models.knowledge = models.knowledge, Knowledge(home / "nothing")
    without = {visitor.user_id: pctr(visitor) for visitor in (stranger, known)}
    models.knowledge = there
    at = int(np.flatnonzero(rows == newest)[0])
    assert with_it[stranger.user_id][at] == without[stranger.user_id][at]  # neither visitor nor thing is known
    assert np.abs(with_it[known.user_id] - without[known.user_id]).max() > 0


def test_versions_are_swapped_without_a_restart_and_what_is_missing_is_said(served):
    services, client, home = served
    check_keys(*served)
    store = services.feed.registry.root / "knowledge"
    first = seen(client, "v1")
    assert first["models"]["knowledge"] == "version 1"
    assert "knowledge" not in first["degraded"]
    from_elsewhere(store, "same")
    second = seen(client, "v1")  # the very next request: nobody was told, nothing was restarted
    assert second["models"]["knowledge"] == "version 2"
    assert {p["pctr"] for p in second["places"]} != {p["pctr"] for p in first["places"]}

    from_elsewhere(store, "other")
    page = seen(client, "v1")
    assert page["models"]["knowledge"] == "none: version 3 is of another extractor"
    assert "knowledge" in page["degraded"]
    store.rename(home / "away")
    services.feed.refresh()
    gone = seen(client, "v1")
    assert gone["models"]["knowledge"] == "none: no store"
    assert "knowledge" in gone["degraded"]
    assert "ranking" not in gone["degraded"]
    by_id = {p["listing"]["id"]: p["pctr"] for p in page["places"]}
    for place in gone["places"]:  # without knowledge is without knowledge, whatever the reason
        assert place["pctr"] == pytest.approx(by_id[place["listing"]["id"]], abs=1e-3)
    (home / "away").rename(store)
    services.feed.refresh()
    assert seen(client, "v1")["models"]["knowledge"].startswith("none: version 3")


def test_an_extractor_that_goes_on_keeps_its_coordinates(served, capsys):
    _, _, home = served
    log, old = home / "log", home / "extractor"
    assert train(log, home / "next", "keep_extractor", "--test-days", "2", "--start", str(old)) == 0
    assert train(log, home / "anew", "keep_extractor", "--test-days", "2", "--seed", "1") == 0
    assert coordinates(home / "next") == coordinates(old) != coordinates(home / "anew")
    assert train(log, home / "other", "din", "--test-days", "2", "--start", str(old)) != 0
    assert "differs in 'model'" in capsys.readouterr().err
    with KnowledgeStore(home / "tried") as store:
        assert not store.versions()


def test_a_backup_holds_what_is_known(build, tmp_path):
    services = build()
    keys, vectors = np.array([3, 5]), np.arange(8, dtype=np.float32).reshape(2, 4)
    with KnowledgeStore(services.feed.registry.root / "knowledge") as store:
        store.publish({"user": (keys, vectors)}, 0)
    back_up(services.settings, tmp_path / "b.tar")
    other = Settings(home=tmp_path / "other" / "home")
    restore(tmp_path / "b.tar", other.home, other)
    with KnowledgeStore(other.home / "feed" / "models" / "knowledge", readonly=True) as store, store.snapshot() as got:
        assert np.array_equal(got.lookup("user", keys), vectors)
