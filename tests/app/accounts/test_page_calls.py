"""Calls to the seller's page that no page of ours sends: each is refused in a sentence, and nothing fails inside."""

from __future__ import annotations

import asyncio
import json

import pytest
from fastapi.testclient import TestClient

from app.seller.page import SellerPage
from app.web.server import create_app

CALL = "/gradio_api/run/predict"
DEEP: list[object] = []
for _ in range(300):
    DEEP = [DEEP]

NO_FILES = ("x", 5, [5], [None], {"a": 1}, ["x"], [[]], True, [10**30], [DEEP], "/etc/passwd", [{"url": "x"}])
UNUSED = {"event_id": 5, "batched": [], "simple_format": "x", "oauth_token": 5, "request": {}, "trigger_id": "x"}


class Browser:
    """The page of the one person on loopback, and the numbers of its events."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        events = client.get("/config").json()["dependencies"]
        kinds = [(d["id"], {target[1] for target in d["targets"]}) for d in events]
        self.enter, self.press, self.run = (next(n for n, k in kinds if kind in k) for kind in ("load", "act", "run"))
        self.take, _, self.look = (n for n, kind in kinds if "upload" in kind)

    def send(self, body: bytes | dict[str, object]):
        content = body if isinstance(body, bytes) else json.dumps(body)
        return self.client.post(CALL, content=content, headers={"Content-Type": "application/json"})

    def call(self, event: object, data: object, press: object = None, **further: object):
        return self.send({"data": data, "fn_index": event, "session_hash": "s", "event_data": press, **further})


@pytest.fixture
def page(services):
    with TestClient(create_app(services), base_url="http://localhost", raise_server_exceptions=False) as client:
        yield Browser(client)


@pytest.fixture
def silent(capfd, caplog):
    """What happens inside is not written anywhere."""
    capfd.readouterr()
    yield
    written = "".join(capfd.readouterr()) + caplog.text
    assert "Traceback" not in written, written[-2000:]


def refused(answer, status: int = 400) -> None:
    assert answer.status_code == status, (answer.status_code, answer.text[:300])
    error = answer.json()["error"]
    assert set(error) == {"code", "message"}
    assert error["message"].endswith(".")


def test_an_event_that_is_not_there(page, silent):
    for event in (9999, -1, 10**30, 2**63, 1.5, True, None, "x", "0", [], {}):
        refused(page.call(event, [None]))


def test_a_press_that_is_no_object_of_words(page, silent):
    for press in (5, 10**30, 1.5, True, "x", [1], DEEP, None, {"do": 5}, {"do": ["x"]}, {"do": {"a": {"b": "c"}}}):
        refused(page.call(page.press, [None], press))
        refused(page.call(page.run, [None, "a note"], press))
    refused(page.call(page.press, [None], {"do": "open", "id": "\ud800"}))


def test_values_that_no_page_sends(page, silent):
    for data in ([], [None] * 3, "x", None, {}, 5, [DEEP, None], [{"a": 1}, None], [10**30, None], [5, None]):
        for event in (page.enter, page.take, page.look, page.press, page.run):
            refused(page.call(event, data, {"do": "go"}))
    for value in NO_FILES:
        refused(page.call(page.take, [None, value]))
        refused(page.call(page.look, [None, value]))
    for value in (5, [], {}, True, DEEP, 10**30):
        refused(page.call(page.run, [None, value], {"do": "write"}))


def test_sessions_that_no_page_sends_and_keys_that_are_missing(page, silent):
    whole = {"data": [None], "fn_index": page.enter, "session_hash": "s", "event_data": None}
    for session in (5, [], {}, None, True, "\ud800", DEEP):
        refused(page.send({**whole, "session_hash": session}))
    for key in ("data", "fn_index", "session_hash"):
        refused(page.send({name: value for name, value in whole.items() if name != key}))
    assert page.send({**whole, **UNUSED}).status_code == 200  # what the page does not need is left out


def test_bodies_that_are_no_call(page, silent):
    nested = b'{"a":' * 900 + b"1" + b"}" * 900
    for body in (b"", b"[]", b"5", b"null", b'"x"', b"{", b"\xff", b"[" * 20_000, b"9" * 5000, nested):
        refused(page.send(body))
    for kind in ("text/plain", "multipart/form-data", ""):
        refused(page.client.post(CALL, content=b"{}", headers={"Content-Type": kind}))
    for number in (b"1e400", b"NaN", b"9" * 5000, nested):
        refused(page.send(b'{"data":[null],"session_hash":"s","fn_index":%b}' % number))


def test_a_press_without_what_it_needs_is_said_on_the_page(page, silent):
    for press in ({"do": "later"}, {"do": "open"}, {"do": "photo_move", "photo": "x", "to": "x"}, {"do": "sold"}):
        answer = page.call(page.press, [None], press)
        assert answer.status_code == 200
        assert "load the page again" in answer.text, press


def test_ways_that_stay_open_are_not_there(page, silent):
    refused(page.client.post("/gradio_api/queue/join", json={}), 404)
    for path in ("queue/data?session_hash=s", "heartbeat/s"):
        refused(page.client.get(f"/gradio_api/{path}"), 404)


def test_files_and_headers_that_no_browser_sends(page, silent):
    for path in ("/static/" + "a" * 5000, "/assets/" + "%F0%9F%99%82" * 100, "/svelte/%00", "/static/"):
        assert 400 <= page.client.get(path).status_code < 500, path
    for name in ("X-Forwarded-Host", "X-Gradio-Server"):
        for value in ("x:y", b"\xff", "http://[x"):
            assert page.client.get("/config", headers={name: value}).status_code == 200, (name, value)


def test_a_browser_that_hangs_up_in_the_middle_of_a_call(services, silent):
    sent = []

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    messages = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    scope = {"type": "http", "method": "POST", "path": CALL, "query_string": b""}
    head = {"headers": [(b"host", b"localhost"), (b"content-length", b"99")], "client": ("127.0.0.1", 1)}
    asyncio.run(create_app(services)({**scope, **head, "http_version": "1.1", "scheme": "http"}, receive, send))
    assert [message.get("status") for message in sent] == [400, None]


def test_the_sessions_of_everybody_are_bounded(services):
    blocks = SellerPage(services, None).blocks
    assert 64 <= blocks.state_session_capacity <= 500
