"""The guard in front of the seller's page: which calls, files, sessions and presses get to Gradio, and whose."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import time
from functools import reduce
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from app.store import deletions
from app.web import page_guard, server
from app.web.server import create_app
from tests.fakes import jpeg

CALL, URL = "/gradio_api/run/predict", "http://100.64.0.1/latest/meta-data/a.jpg"
DEEP: list[object] = reduce(lambda inner, _: [inner], range(300), [])
NESTED = b'{"a":' * 900 + b"1" + b"}" * 900
NO_FILES = ("x", 5, [5], [None], {"a": 1}, ["x"], [[]], True, [10**30], [DEEP], "/etc/passwd", [{"url": "x"}])
NO_WORDS = (5, 10**30, 1.5, True, "x", [1], DEEP, None, {"do": 5}, {"do": ["x"]}, {"do": {"a": {"b": "c"}}})
UNUSED = {"event_id": 5, "batched": [], "simple_format": "x", "oauth_token": 5, "request": {}, "trigger_id": "x"}


def file_of(path: object) -> dict[str, object]:
    return {"path": path, "orig_name": "a.jpg", "meta": {"_type": "gradio.FileData"}}


class Page:
    """An open page: what its script would send, by the number of the event."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        self.config = client.get("/config").json()
        kinds = [(d["id"], {target[1] for target in d["targets"]}) for d in self.config["dependencies"]]
        first = {kind: next(n for n, of in kinds if kind in of) for kind in ("load", "tick", "blur", "act")}
        self.enter, self.tick, self.note, self.act = first.values()
        self.take, self.more, self.look = (n for n, of in kinds if "upload" in of)

    def send(self, body: object, name: str = ""):
        """``name``: that of the press, by which it is recognised when it comes again."""
        content = body if isinstance(body, bytes) else json.dumps(body)
        return self.client.post(
            CALL, content=content, headers={"Content-Type": "application/json", "X-IPL-Press": name}
        )

    def call(self, event: object, data: object, press: object = None, *, session: object = "tab", name: str = ""):
        return self.send({"data": data, "fn_index": event, "session_hash": session, "event_data": press}, name)

    def upload(self, *files: bytes, name: str = "a.jpg"):
        return self.client.post("/gradio_api/upload", files=[("files", (name, data)) for data in files])

    def photo(self, colour=(31, 42, 68)) -> list[object]:
        """The values of a call that takes in a photo, which is uploaded."""
        return [None, [file_of(self.upload(jpeg(colour)).json()[0])]]


@pytest.fixture
def three(people):
    """The pages of Ann and Bob, a client of nobody, and the services of their server."""
    here = people("ann", "bob", page=True)
    with here.client() as nobody:
        yield Page(here.browser("ann")), Page(here.browser("bob")), nobody, here.services


@pytest.fixture
def alone(services):
    """The page of the one person on loopback."""
    with TestClient(create_app(services), base_url="http://localhost", raise_server_exceptions=False) as client:
        yield Page(client)


@pytest.fixture
def silent(capfd, caplog):
    """Nothing that happens inside is written as an error."""
    capfd.readouterr()
    yield
    written = "".join(capfd.readouterr()) + caplog.text
    assert "Traceback" not in written, written[-2000:]


@pytest.fixture
def reached(monkeypatch):
    """Whatever this process tries to reach."""
    places: list[object] = []

    def refuse(*where, **_):
        places.append(where)
        raise OSError("no network")

    async def refuse_later(*where, **_):
        refuse(*where)

    monkeypatch.setattr(httpx.AsyncClient, "send", refuse_later)
    monkeypatch.setattr(asyncio.BaseEventLoop, "create_connection", refuse_later)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return places


def unclaimed(services) -> list[Path]:
    return [p for p in (services.settings.home / "uploads").rglob("*") if p.is_file()]


def refused(answer, *statuses: int) -> str:
    assert answer.status_code in (statuses or (400,)), (answer.status_code, answer.text[:300])
    assert set(answer.json()) == {"error"}, answer.text[:300]
    assert set(answer.json()["error"]) == {"code", "message"}
    assert answer.json()["error"]["message"].endswith(".")
    return answer.json()["error"]["message"]


def shots(answer) -> int:
    """How many photos lie on the page's table; a draft that is offered has a picture, too."""
    assert answer.status_code == 200, answer.text
    return answer.text.count(r"<li class=\"shot\"")


def test_a_link_to_the_page_has_our_name_and_picture(alone):
    answer = alone.client.get("/")
    assert "<title>IPL</title>" in answer.text
    tags = re.findall(r'<meta (?:property="og|name="twitter):(\w+)" content="([^"]*)"', answer.text)
    assert {"title": "IPL: used things, one of each", "card": "summary"}.items() <= dict(tags).items()
    assert len(tags) == len(dict(tags)), "none of Gradio's beside ours"
    picture = alone.client.get(dict(tags)["image"])
    assert picture.headers["content-type"] == "image/png"
    assert answer.text.index('id="ipl-first"') < answer.text.index("<gradio-app"), "before any script has run"


def test_calls_that_no_page_sends_are_refused(alone, silent):
    for event in (9999, -1, 10**30, 2**63, 1.5, True, None, "x", "0", [], {}):
        refused(alone.call(event, [None]))
    for press in (*NO_WORDS, {"do": "open", "id": "\ud800"}):
        refused(alone.call(alone.act, [None], press))
    for data in ([], [None] * 3, "x", None, {}, 5, [DEEP, None], [{"a": 1}, None], [10**30, None], [5, None]):
        for event in (alone.enter, alone.take, alone.look, alone.act, alone.note):
            refused(alone.call(event, data, {"do": "go"}))
    for value in NO_FILES:
        refused(alone.call(alone.take, [None, value]))
        refused(alone.call(alone.look, [None, value]))
    for value in (5, [], {}, True, DEEP, 10**30):
        refused(alone.call(alone.note, [None, value]))
    for session in (5, [], {}, None, True, "\ud800", DEEP):
        refused(alone.call(alone.enter, [None], session=session))
    whole = {"data": [None], "fn_index": alone.enter, "session_hash": "s", "event_data": None}
    for key in ("data", "fn_index", "session_hash"):
        refused(alone.send({name: value for name, value in whole.items() if name != key}))
    assert alone.send({**whole, **UNUSED}).status_code == 200  # what the page does not need is left out


def test_bodies_that_are_no_call_are_refused(alone, silent):
    for body in (b"", b"[]", b"5", b"null", b'"x"', b"{", b"\xff", b"[" * 20_000, b"9" * 5000, NESTED):
        refused(alone.send(body))
    for kind in ("text/plain", "multipart/form-data", ""):
        refused(alone.client.post(CALL, content=b"{}", headers={"Content-Type": kind}))
    for number in (b"1e400", b"NaN", b"9" * 5000, NESTED):
        refused(alone.send(b'{"data":[null],"session_hash":"s","fn_index":%b}' % number))


def test_a_press_without_what_it_needs_is_said_on_the_page(alone, silent):
    for press in ({"do": "later"}, {"do": "open"}, {"do": "photo_move", "photo": "x", "to": "x"}, {"do": "sold"}):
        answer = alone.call(alone.act, [None], press)
        assert (answer.status_code, "load the page again" in answer.text) == (200, True), press


def test_files_and_headers_that_no_browser_sends(alone, silent):
    for path in ("/static/" + "a" * 5000, "/assets/" + "%F0%9F%99%82" * 100, "/svelte/%00", "/static/"):
        assert 400 <= alone.client.get(path).status_code < 500, path
    for name in ("X-Forwarded-Host", "X-Gradio-Server"):
        for value in ("x:y", b"\xff", "http://[x"):
            assert alone.client.get("/config", headers={name: value}).status_code == 200, (name, value)


def test_a_browser_that_hangs_up_in_the_middle_of_a_call(services, silent, run_async):
    sent = []

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    messages = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    scope = {"type": "http", "method": "POST", "path": CALL, "query_string": b""}
    head = {"headers": [(b"host", b"localhost"), (b"content-length", b"99")], "client": ("127.0.0.1", 1)}
    run_async(create_app(services)({**scope, **head, "http_version": "1.1", "scheme": "http"}, receive, send))
    assert [message.get("status") for message in sent] == [400, None]


def test_an_address_in_place_of_a_file_is_never_fetched(alone, reached):
    for route in ("run/predict", "api/predict", "queue/join", "call/take", "call/v2/take"):
        for event, data in (
            (alone.take, [None, [file_of(URL)]]),
            (alone.more, [None, [file_of(URL)]]),
            (alone.look, [None, file_of(URL)]),
            (alone.take, [None, [{"deep": [{**file_of("x"), "more": file_of(URL)}]}]]),
            (alone.enter, [{"value": file_of(URL)}]),
        ):
            body = {"data": data, "fn_index": event, "session_hash": "s", "event_data": file_of(URL)}
            refused(alone.client.post(f"/gradio_api/{route}", json=body), 400, 404)
    time.sleep(0.2)  # what a queue took would be fetched a moment later
    assert reached == []


def test_only_own_uploads_are_files_of_the_page(three):
    ann, bob, _, services = three
    (path,) = ann.upload(jpeg()).json()
    assert unclaimed(services)
    secret = services.settings.home / "session.key"
    elsewhere = (str(secret), "/etc/passwd", f"{path}/../../../../session.key", "session.key", str(Path(path).parent))
    too_long = (f"/tmp/{'a' * 5000}.jpg", str(Path(path).with_name("a" * 300)))
    for other in (*elsewhere, *too_long, "", 5, None):
        refused(ann.call(ann.take, [None, [file_of(other)]]))
    assert "this device" in refused(bob.call(bob.take, [None, [file_of(path)]]))
    refused(bob.call(bob.look, [None, file_of(path)]))
    assert Path(path).is_file()
    assert secret.is_file()
    assert ann.call(ann.take, [None, [file_of(path)]]).status_code == 200
    assert not Path(path).exists()  # what was taken in does not stay


def test_an_upload_that_is_swept_meanwhile_is_no_error(alone, monkeypatch):
    photo = alone.photo()
    path, look = photo[1][0]["path"], Path.stat

    def swept(self, **named):
        state = look(self, **named)
        if str(self) == path:
            self.unlink(missing_ok=True)
        return state

    monkeypatch.setattr(Path, "stat", swept)
    answer = alone.call(alone.take, photo)
    assert answer.status_code == 400 or shots(answer) == 0, answer.text  # refused, or taken as unreadable


OFF = [
    *(
        ("GET", f"/gradio_api/{path}")
        for path in (
            *("file=http://100.64.0.1/a.jpg", "file=/etc/hostname", "file/a", "proxy=http://100.64.0.1/a"),
            *("deep_link?session_hash=s", "info", "openapi.json", "queue/status", "upload_progress?upload_id=x"),
            *("vibe-code", "runs", "token", "queue/data?session_hash=s", "heartbeat/s"),
        )
    ),
    *(
        ("POST", f"/gradio_api/{path}")
        for path in ("component_server", "process_recording", "vibe-edit", "stream/x", "stream/x/close", "cancel")
    ),
    *(("GET", "/monitoring"), ("GET", "/logout"), ("POST", "/login"), ("POST", "/gradio_api/queue/join")),
]


@pytest.mark.slow
def test_what_the_page_does_not_need_is_not_there(alone, reached):
    for method, path in OFF:
        refused(alone.client.request(method, path, json={} if method == "POST" else None, follow_redirects=False), 404)
    assert reached == []
    assert alone.config["connect_heartbeat"] is False  # an open page holds no connection
    assert not any(call["queue"] for call in alone.config["dependencies"])


@pytest.mark.slow
def test_who_is_not_signed_in_gets_nothing_of_the_page(three, reached):
    *_, nobody, services = three
    for method, path in OFF:
        refused(nobody.request(method, path, json={} if method == "POST" else None, follow_redirects=False), 401)
    refused(nobody.post("/gradio_api/upload", files={"files": ("a.jpg", jpeg())}), 401)
    refused(nobody.post(CALL, json={"data": [], "fn_index": 0, "session_hash": "s"}), 401)
    assert unclaimed(services) == []
    assert reached == []


def test_uploads_are_photos_of_a_size_and_a_number(alone, services):
    # Of what is no photo its beginning is kept, so that the page can say which file it was.
    page = b"<html><script>alert(1)</script></html>"
    for content in (page, b"%PDF-1.7 and more of it", b"", b"\0\0\0\x20ftypisom" + b"\0" * 40):
        path = Path(alone.upload(content).json()[0])
        assert path.read_bytes() == content[:16]
        path.unlink()
    upload = "/gradio_api/upload"
    refused(alone.client.post(upload, files={}), 400, 415, 422)
    refused(alone.client.post(upload, content=b"x", headers={"Content-Type": "multipart/form-data"}), 400, 415, 422)
    refused(alone.client.post(upload, json={"files": [URL]}), 400, 415, 422)
    refused(alone.upload(*[jpeg()] * 10), 422)
    refused(alone.upload(jpeg() + b"\0" * 25_000_001), 413)
    assert unclaimed(services) == []
    named = alone.upload(jpeg(), name="../../../evil.jpg").json()
    assert [Path(p).name for p in named] == ["evil.jpg"]
    assert [str(p) for p in unclaimed(services)] == named


def test_what_lies_unclaimed_is_bounded_for_a_person_and_in_total(people, monkeypatch):
    monkeypatch.setattr(server, "UPLOADS_OF_ALL", 1.5)
    here = people("ann", "bob", page=True, uploads_mb=1)
    ann, bob = (Page(here.browser(name)) for name in ("ann", "bob"))
    large = jpeg() + b"\0" * 800_000
    (path,) = ann.upload(large).json()
    full = ann.upload(large)
    refused(full, 429)
    assert int(full.headers["retry-after"]) >= 1
    refused(bob.upload(large), 429)  # no more of everybody
    assert bob.upload(jpeg()).status_code == 200
    assert len(unclaimed(here.services)) == 2
    assert ann.call(ann.take, [None, [file_of(path)]]).status_code == 200
    assert ann.upload(large).status_code == 200  # what was claimed makes room


def test_what_nobody_takes_in_is_deleted_in_ten_minutes(alone, services, monkeypatch):
    """Ten minutes of running: a clock that jumps takes no upload away."""
    (path,) = alone.upload(jpeg()).json()
    os.utime(path, (0, 0))
    began = time.monotonic()

    def after(minutes):
        monkeypatch.setattr(deletions, "monotonic", lambda: began + 60 * minutes)
        services.deletions.catch_up()
        return [str(p) for p in unclaimed(services)]

    assert after(0) == [path]
    (other,) = alone.upload(jpeg((9, 9, 9))).json()
    assert sorted(after(6)) == sorted([path, other])
    assert after(11) == [other]
    assert after(17) == []
    after(30)
    assert not Path(path).parent.exists()


def test_a_session_of_one_person_is_empty_for_another(three):
    ann, bob, *_ = three
    assert shots(ann.call(ann.take, ann.photo(), session="shared")) == 1
    assert shots(bob.call(bob.enter, [None], session="shared")) == 0
    assert shots(bob.call(bob.take, bob.photo((9, 9, 9)), session="shared")) == 1
    for page in (ann, bob):
        assert shots(page.call(page.enter, [None], session="shared")) == 1
    bob.call(bob.act, [None], {"do": "again"}, session="shared")
    assert [shots(page.call(page.enter, [None], session="shared")) for page in (ann, bob)] == [1, 0]


@pytest.mark.slow
def test_the_sessions_of_one_person_are_bounded(three):
    ann, bob, *_ = three
    assert shots(bob.call(bob.take, bob.photo(), session="of-bob")) == 1
    for name in ("first", "second"):
        assert shots(ann.call(ann.take, ann.photo(), session=name)) == 1
    for number in range(page_guard.MAX_SESSIONS - 1):
        ann.call(ann.enter, [None], session=f"s{number}")
        assert shots(ann.call(ann.enter, [None], session="second")) == 1  # it is in use
    assert shots(ann.call(ann.enter, [None], session="first")) == 0
    assert shots(bob.call(bob.enter, [None], session="of-bob")) == 1


def test_a_page_that_is_loaded_again_goes_on_with_its_draft(three):
    ann, bob, _, services = three
    assert shots(ann.call(ann.take, ann.photo())) == 1
    (draft,) = services.drafts.unfinished(services.sellers.named("ann").id)
    for page, there in ((ann, 1), (bob, 0)):  # it is not his
        body = {"data": [None], "fn_index": page.enter, "session_hash": "anew"}
        assert shots(page.client.post(f"{CALL}?draft={draft.draft_id}", json=body)) == there


def test_a_press_that_is_sent_again_is_done_once_and_answered_anew(three):
    ann, bob, *_ = three
    photo = ann.photo()
    assert shots(ann.call(ann.take, photo, name="first")) == 1
    again = ann.call(ann.take, photo, name="first")  # its file is gone by now
    assert (shots(again), "was not added" in again.text) == (1, False)
    refused(ann.call(ann.take, photo, name="second"))
    refused(bob.call(bob.take, photo, name="first"))  # another person's press of that name


def test_ticks_push_out_no_press_and_the_last_one_is_answered_anew(alone, monkeypatch):
    monkeypatch.setattr(page_guard, "MAX_PRESSES", 8)
    photo = alone.photo()
    assert shots(alone.call(alone.take, photo, name="taken")) == 1
    for number in range(20):
        assert shots(alone.call(alone.tick, [None], name=f"tick{number}")) == 0  # nothing new
        alone.call(alone.tick, [None], session="another tab", name=f"other{number}")
    assert shots(alone.call(alone.tick, [None], name="tick19")) == 1  # its answer was lost: everything is sent again
    assert shots(alone.call(alone.take, photo, name="taken")) == 1  # its file is gone: done again it would be refused
    for number in range(8):
        alone.call(alone.enter, [None], name=f"press{number}")
    refused(alone.call(alone.take, photo, name="taken"))
