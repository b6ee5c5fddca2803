"""Request ids, JSON lines without secrets, and a stop that cuts nobody off."""

from __future__ import annotations

import io
import json
import logging
import re
import signal
import threading

import httpx
import pytest

from app.logs import access, hide, log_json
from tests.app.support.clients import PASSWORD, client_of, code
from tests.app.support.restores import server
from tests.fakes import FakePipeline, jpeg

pytestmark = pytest.mark.slow


@pytest.fixture
def logged():
    """Everything this process logs, as JSON lines in a stream; the loggers are put back afterwards."""
    root, stream = logging.getLogger(), io.StringIO()
    before = root.handlers[:], root.level, access.level
    log_json(stream)
    yield stream
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    access.setLevel(before[2])


def lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_the_answer_and_the_log_carry_the_same_id(services, logged):
    with client_of(services) as client:
        one = client.get("/v1/listings", headers={"X-Request-Id": "from-the-proxy.1"})
        two = client.get("/v1/listings/nothing?secret=1")
        bad = client.get("/healthz", headers={"X-Request-Id": 'x" injected'})
        long = client.get("/healthz", headers={"X-Request-Id": 65 * "x"})
        refused = client.get("/healthz", headers={"Host": "evil.example"})
    ids = [answer.headers["x-request-id"] for answer in (one, two, bad, long, refused)]
    assert ids[0] == "from-the-proxy.1"
    assert all(re.fullmatch("[0-9a-f]{16}", i) for i in ids[1:])
    rows = [row for row in lines(logged) if row["logger"] == "app.access"]
    assert [row["request_id"] for row in rows] == ids
    assert [row["status"] for row in rows] == [200, 404, 200, 200, 400]
    assert rows[1]["route"] == "/v1/listings/{listing_id}"
    assert rows[0]["method"] == "GET"
    assert rows[0]["ms"] > 0
    assert "secret" not in logged.getvalue()


def test_what_goes_wrong_in_a_worker_thread_has_the_id_of_its_request(build, logged):
    with client_of(build(pipeline=FakePipeline(fail_at="category"))) as client:
        answer = client.post("/v1/drafts", files=[("photos", jpeg())])
    assert code(answer) == (503, "model_failed")
    traces = [row for row in lines(logged) if "trace" in row]
    assert traces
    assert {row["request_id"] for row in traces} == {answer.headers["x-request-id"]}
    assert "the model broke" in traces[0]["trace"]


def test_no_token_password_or_cookie_is_ever_logged(people, logged, monkeypatch):
    here = people("ann")
    token = here.bearer("ann")["Authorization"].removeprefix("Bearer ")
    browser = here.client(raise_server_exceptions=False)
    assert browser.post("/sign-in", data={"name": "ann", "password": "wrong one here"}).status_code == 401
    signed = browser.post("/sign-in", data={"name": "ann", "password": PASSWORD}, follow_redirects=False)
    cookie = signed.cookies["ipl_session"]
    browser.get("/v1/listings", params={"token": token, "password": PASSWORD})
    browser.get(f"/v1/listings/{token}")
    browser.get("/v1/listings", headers={"Authorization": f"Bearer {token}", "X-Request-Id": token[:60]})

    def careless(*_, **__):
        raise RuntimeError(
            f"failed for Authorization: Bearer {token} Cookie: ipl_session={cookie} password={PASSWORD!r}"
        )

    monkeypatch.setattr("app.market.listings.Listings.own", careless)
    assert browser.get("/v1/listings").status_code == 500
    logging.getLogger("careless").warning("postgresql://ann:%s@db/x %s", "hunter22", cookie)
    text = logged.getvalue()
    assert "failed for Authorization" in text
    for secret in (token, token[:60], cookie, PASSWORD, "wrong one here", "hunter22"):
        assert secret not in text
    assert len(lines(logged)) >= 7


def test_hiding_leaves_words_alone():
    said = "password reset for ann; the token was refused; route /v1/listings/{listing_id}; ipl_drafts_total 3"
    assert hide(said) == said


def test_a_server_that_is_told_to_stop_finishes_what_is_under_way(tmp_path):
    with server(tmp_path, 0.1) as (address, process):
        kinds: list[str] = []
        begun = threading.Event()

        def draft():
            wish = {"files": [("photos", jpeg())], "headers": {"Accept": "text/event-stream"}, "timeout": 60}
            with httpx.stream("POST", f"{address}/v1/drafts", **wish) as answer:
                for line in answer.iter_lines():
                    if line.startswith("event: "):
                        kinds.append(line.removeprefix("event: "))
                        begun.set()

        thread = threading.Thread(target=draft)
        thread.start()
        assert begun.wait(60), "the draft did not begin within a minute"
        process.send_signal(signal.SIGTERM)
        status, told = process.wait(60), process.said()
        thread.join()
    assert status == 0
    assert kinds[-1] == "draft"
    rows = [json.loads(line) for line in told.splitlines()]
    assert [row["message"] for row in rows if row["logger"] == "app.web.server"][-1] == "closed"
    assert [row["status"] for row in rows if row["logger"] == "app.access"] == [201]
    assert not list(tmp_path.glob("store.sqlite-wal")), "the store was not closed"


def test_a_server_that_is_told_to_stop_the_moment_it_has_said_its_address_stops(tmp_path):
    with server(tmp_path) as (_, process):
        process.send_signal(signal.SIGTERM)
        status, told = process.wait(60), process.said()
    assert status == 0
    assert '"message": "closed"' in told


def test_ctrl_c_closes_everything_as_well(tmp_path):
    with server(tmp_path) as (address, process):
        assert httpx.get(f"{address}/healthz", timeout=60).status_code == 200
        process.send_signal(signal.SIGINT)
        process.wait(60)
        told = process.said()
    assert '"message": "closed"' in told
    assert told.rstrip().endswith("KeyboardInterrupt")  # which is status 130: tests/test_commands.py
    assert not list(tmp_path.glob("store.sqlite-wal")), "the store was not closed"
