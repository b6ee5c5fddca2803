"""The store's log is measured when an operator asks, and the result is kept."""

from __future__ import annotations

from app.cli.main import main
from app.feed.phenomena import FILE, last_measurement
from recommend.phenomena.table import NINE
from tests.app.support.clients import client_of, published
from tests.app.support.shop import visit


def test_a_measurement_of_the_log_is_kept(build, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("IPL_HOME", str(tmp_path))
    services = build(feed_per_second=1e6)
    with client_of(services) as client:
        assert main(["recommend", "phenomena"]) != 0
        assert "nobody has seen a listing yet" in capsys.readouterr().err
        assert last_measurement(services.settings.home) == {}
        published(client)
        visit(client, "vera")
        assert main(["recommend", "phenomena"]) == 0
        measured = last_measurement(services.settings.home)
        assert (measured["impressions"], len(measured["found"])) == (1, len(NINE))
        assert not list(services.settings.home.glob("ipl-phenomena-*"))
    (services.settings.home / FILE).write_text("torn")
    assert last_measurement(services.settings.home) == {}
