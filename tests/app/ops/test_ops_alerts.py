"""Alerts begin and end once each; a webhook that fails hurts nobody, and leads nowhere inside."""

from __future__ import annotations

import json
import logging
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest

from app.ops import verdicts
from app.ops.alerts import Alerts, Webhook
from app.ops.verdicts import Reports, read_rules
from app.settings import SettingsError
from tests.app.ops.worlds import World, fill


@pytest.fixture
def listener():
    """An address on this machine and what was sent to it; ``answers`` is the status that it gives."""
    got = SimpleNamespace(bodies=[], answers=200)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            got.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(got.answers)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    got.url = f"http://localhost:{server.server_port}/alerts"
    yield got
    server.shutdown()
    server.server_close()


def test_a_fault_is_told_when_it_begins_and_when_it_ends(build, listener, caplog, monkeypatch):
    monkeypatch.setattr(verdicts, "MAX_AGE_S", 0.0)
    services = build(alert_webhook=listener.url, alert_private=True)
    alerts = Alerts(Reports(services), services.settings)
    fill(services, World(slow=0.2, visitors=40))
    with caplog.at_level(logging.INFO, "app.ops.alerts"):
        begun = alerts.check()
        assert [(a.rule, a.severity, a.over) for a in begun] == [("slow_pages", "bad", False)]
        assert alerts.check() == []
        listener.answers = 500  # the other side is broken: nothing is lost, and nobody here fails
        fill(services, World(visitors=40))
        assert [(a.rule, a.over) for a in alerts.check()] == [("slow_pages", True)]
        assert len(alerts._unsent) == 1
        listener.answers = 302  # and it may not lead elsewhere
        alerts.check()
        assert len(alerts._unsent) == 1
        listener.answers = 200
        assert alerts.check() == []
        assert alerts._unsent == []
    assert listener.bodies[0]["alerts"][0]["says"].startswith("Pages are slow: 20.0 %")
    assert listener.bodies[-1]["alerts"][0]["over"] is True
    told = [r.message for r in caplog.records if r.message.startswith("alert ")]
    assert [m.split(":")[0] for m in told] == ["alert begins", "alert over"]


def test_what_becomes_unknown_is_not_over(services, monkeypatch):
    monkeypatch.setattr(verdicts, "MAX_AGE_S", 0.0)
    alerts = Alerts(Reports(services), services.settings)
    fill(services, World(slow=0.2, visitors=40))
    alerts.check()
    services.feed.took.clear()
    assert alerts.check() == []
    assert "slow_pages" in alerts._alerts


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "10.0.0.7", "169.254.169.254", "0.0.0.0", "[fd00::1]", "[64:ff9b::7f00:1]"],
)
def test_alerts_go_to_public_addresses_alone(host, listener):
    with pytest.raises(OSError, match="not public"):
        Webhook(f"http://{host}:{listener.url.split(':')[2]}", private=False).send({})
    if host in ("169.254.169.254", "0.0.0.0"):
        with pytest.raises(OSError, match="not public"):
            Webhook(f"http://{host}/", private=True).send({})
    assert listener.bodies == []


def test_rules_and_addresses_that_cannot_be_used_are_a_sentence(tmp_path):
    for url in ("ftp://x/y", "example.com/hook", "http://user:word@example.com/"):
        with pytest.raises(SettingsError, match="IPL_ALERT_WEBHOOK"):
            Webhook(url, private=False)
    file = tmp_path / "rules.yaml"
    one = "- {measure: %s, card: feed, severity: bad, at_most: 0, fails: '%s', holds: h}\n"
    for text, reason in (
        ("- nothing: 1\n", "Field required"),
        ("a: [", "no list of rules .*flow"),
        ("", "no list of rules"),
        ("[]", "each of the cards"),
        (one % ("pages", "f"), "each of the cards"),
        (one.replace("at_most: 0, ", "") % ("pages", "f"), "needs at_least or at_most"),
        (one % ("pagse", "f"), "no measure pagse"),
        (one % ("pages", "{wrods}"), "'wrods' cannot be filled"),
        (one % ("pages", "{"), "cannot be filled"),
        ("".join(one.replace("feed", card) % ("pages", "f") for card in verdicts.CARDS), "more than one rule of pages"),
    ):
        file.write_text(text)
        read_rules.cache_clear()
        with pytest.raises(SettingsError, match=reason):
            read_rules(file)
    read_rules.cache_clear()
    with pytest.raises(SettingsError, match="no list of rules"):
        read_rules(tmp_path / "none.yaml")
