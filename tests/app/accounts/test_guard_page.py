"""What Gradio would do for anybody who asks: fetch addresses, open files, store whatever is sent, share a session."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from app.accounts.passwords import write_password
from app.web import page_guard
from app.web.server import create_app
from tests.fakes import jpeg

URL = "http://100.64.0.1/latest/meta-data/a.jpg"


def file_of(path: object) -> dict[str, object]:
    return {"path": path, "orig_name": "a.jpg", "meta": {"_type": "gradio.FileData"}}


class Browser:
    """An open page: what its script would send, by the number of the event."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        events = client.get("/config").json()["dependencies"]
        kinds = [(d["id"], {target[1] for target in d["targets"]}) for d in events]
        self.enter = next(n for n, kind in kinds if "load" in kind)
        self.tick = next(n for n, kind in kinds if "tick" in kind)
        self.take, self.more, self.look = (n for n, kind in kinds if "upload" in kind)

    def call(self, event: int, data: list[object], session: str = "session1", **further: object):
        body = {"data": data, "fn_index": event, "session_hash": session, "event_data": None, **further}
        return self.client.post("/gradio_api/run/predict", json=body)

    def press(self, name: str, event: int, data: list[object], session: str = "tab"):
        """A call with a name, by which it is known when it comes again."""
        body = {"data": data, "fn_index": event, "session_hash": session}
        return self.client.post("/gradio_api/run/predict", json=body, headers={"X-IPL-Press": name})

    def upload(self, *files: bytes, name: str = "a.jpg"):
        return self.client.post("/gradio_api/upload", files=[("files", (name, data)) for data in files])


@pytest.fixture
def people(build, tmp_path):
    """Browsers of Ann and Bob, and of nobody, on one server; and its services."""
    for name in ("ann", "bob"):
        write_password(tmp_path / "passwords", name, "long enough")
    services = build(passwords=tmp_path / "passwords")
    app = create_app(services)
    with TestClient(app, base_url="http://localhost") as nobody:

        def signed(name: str) -> Browser:
            client = TestClient(app, base_url="http://localhost", follow_redirects=False)
            assert client.post("/sign-in", data={"name": name, "password": "long enough"}).status_code == 303
            return Browser(client)

        yield signed("ann"), signed("bob"), nobody, services


@pytest.fixture
def alone(services):
    """The page of the one person on loopback."""
    with TestClient(create_app(services), base_url="http://localhost", raise_server_exceptions=False) as client:
        yield Browser(client)


@pytest.fixture
def asked(monkeypatch):
    """Whatever this process tries to reach."""
    found: list[object] = []

    async def refuse(*where, **_):
        found.append(where)
        raise OSError("no network")

    def refuse_now(*where, **_):
        found.append(where)
        raise OSError("no network")

    monkeypatch.setattr(httpx.AsyncClient, "send", refuse)
    monkeypatch.setattr(asyncio.BaseEventLoop, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse_now)
    return found


def lying(services) -> list[Path]:
    return [p for p in (services.settings.home / "uploads").rglob("*") if p.is_file()]


def refused(answer, *statuses: int) -> str:
    assert answer.status_code in statuses, (answer.status_code, answer.text[:300])
    assert set(answer.json()) == {"error"}, answer.text[:300]
    assert set(answer.json()["error"]) == {"code", "message"}
    return answer.json()["error"]["message"]


@pytest.mark.parametrize("route", ["run/predict", "api/predict", "queue/join", "call/take", "call/v2/take"])
def test_an_address_in_place_of_a_file_is_never_fetched(alone, asked, route):
    answers = []
    for event, data in (
        (alone.take, [None, [file_of(URL)]]),
        (alone.more, [None, [file_of(URL)]]),
        (alone.look, [None, file_of(URL)]),
        (alone.take, [None, [{"deep": [{**file_of("x"), "more": file_of(URL)}]}]]),
        (alone.enter, [{"value": file_of(URL)}]),
    ):
        body = {"data": data, "fn_index": event, "session_hash": "s", "event_data": file_of(URL)}
        answers.append(alone.client.post(f"/gradio_api/{route}", json=body))
    time.sleep(0.2)  # what a queue took would be fetched a moment later
    assert asked == []
    for answer in answers:
        refused(answer, 400, 404)


def test_only_own_uploads_are_files_of_the_page(people):
    ann, bob, _, services = people
    (path,) = ann.upload(jpeg()).json()
    before = lying(services)
    assert before
    secret = services.settings.home / "session.key"
    for other in (
        secret,
        "/etc/passwd",
        f"{path}/../../../../session.key",
        "session.key",
        Path(path).parent,
        "",
        5,
        None,
    ):
        given = other if other is None or isinstance(other, int) else str(other)
        refused(ann.call(ann.take, [None, [file_of(given)]]), 400)
    assert "this device" in refused(bob.call(bob.take, [None, [file_of(path)]]), 400)
    refused(bob.call(bob.look, [None, file_of(path)]), 400)
    assert Path(path).is_file()
    assert secret.is_file()
    assert ann.call(ann.take, [None, [file_of(path)]]).status_code == 200
    assert not Path(path).exists()  # what was taken in does not stay


OFF = [
    ("GET", "/gradio_api/file=http://100.64.0.1/a.jpg"),
    ("GET", "/gradio_api/file=/etc/hostname"),
    ("GET", "/gradio_api/file/a"),
    ("GET", "/gradio_api/proxy=http://100.64.0.1/a"),
    ("GET", "/gradio_api/deep_link?session_hash=s"),
    ("GET", "/gradio_api/info"),
    ("GET", "/gradio_api/openapi.json"),
    ("GET", "/gradio_api/queue/status"),
    ("GET", "/gradio_api/upload_progress?upload_id=x"),
    ("GET", "/gradio_api/vibe-code"),
    ("GET", "/gradio_api/runs"),
    ("GET", "/gradio_api/token"),
    ("GET", "/monitoring"),
    ("GET", "/logout"),
    ("POST", "/login"),
    ("POST", "/gradio_api/component_server"),
    ("POST", "/gradio_api/process_recording"),
    ("POST", "/gradio_api/vibe-edit"),
    ("POST", "/gradio_api/stream/x"),
    ("POST", "/gradio_api/stream/x/close"),
    ("POST", "/gradio_api/cancel"),
]


def test_what_the_page_does_not_need_is_not_there(alone, asked):
    for method, path in OFF:
        answer = alone.client.request(method, path, json={} if method == "POST" else None, follow_redirects=False)
        refused(answer, 404)
    assert asked == []


def test_nobody_reaches_anything_of_gradios(people):
    *_, nobody, services = people
    for method, path in (*OFF, ("GET", "/gradio_api/heartbeat/s"), ("GET", "/gradio_api/queue/data?session_hash=s")):
        refused(nobody.request(method, path, json={} if method == "POST" else None, follow_redirects=False), 401)
    refused(nobody.post("/gradio_api/upload", files={"files": ("a.jpg", jpeg())}), 401)
    refused(nobody.post("/gradio_api/run/predict", json={"data": [], "fn_index": 0, "session_hash": "s"}), 401)
    assert lying(services) == []


def test_uploads_are_photos_of_a_size_and_a_number(alone, services):
    # Of what is no photo its beginning is kept, so that the page can say which file it was.
    page = b"<html><script>alert(1)</script></html>"
    for content in (page, b"%PDF-1.7 and more of it", b"", b"\0\0\0\x20ftypisom" + b"\0" * 40):
        path = Path(alone.upload(content).json()[0])
        assert path.read_bytes() == content[:16]
        path.unlink()
    for answer in (
        alone.client.post("/gradio_api/upload", files={}),
        alone.client.post("/gradio_api/upload", content=b"x", headers={"Content-Type": "multipart/form-data"}),
        alone.client.post("/gradio_api/upload", json={"files": [URL]}),
    ):
        refused(answer, 400, 415, 422)
    refused(alone.upload(*[jpeg()] * 10), 422)
    refused(alone.upload(jpeg() + b"\0" * 25_000_001), 413)
    assert lying(services) == []
    named = alone.upload(jpeg(), name="../../../evil.jpg").json()
    assert [Path(p).name for p in named] == ["evil.jpg"]
    assert [str(p) for p in lying(services)] == named


def test_what_lies_unclaimed_is_bounded_for_a_person_and_in_total(people):
    ann, bob, _, services = people
    large = jpeg() + b"\0" * 24_000_000
    answers = [ann.upload(large) for _ in range(12)]
    stored = [a for a in answers if a.status_code == 200]
    assert 9 <= len(stored) < 12
    message = refused(answers[-1], 429)
    assert message.endswith(".")
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert len(lying(services)) == len(stored)
    assert bob.upload(large).status_code == 200
    assert ann.call(ann.take, [None, [file_of(stored[0].json()[0])]]).status_code == 200
    assert ann.upload(large).status_code == 200  # what was claimed makes room


def test_what_lies_unclaimed_of_everybody_is_bounded(build, tmp_path):
    for name in ("ann", "bob"):
        write_password(tmp_path / "passwords", name, "long enough")
    app = create_app(build(passwords=tmp_path / "passwords", uploads_mb=1, uploads_total_mb=1.5))
    browsers = []
    for name in ("ann", "bob"):
        browsers.append(TestClient(app, base_url="http://localhost", follow_redirects=False))
        browsers[-1].post("/sign-in", data={"name": name, "password": "long enough"})
    ann, bob = map(Browser, browsers)
    large = jpeg() + b"\0" * 800_000
    assert ann.upload(large).status_code == 200
    refused(bob.upload(large), 429)
    assert bob.upload(jpeg()).status_code == 200


def shots(answer) -> int:
    assert answer.status_code == 200, answer.text
    return shots_of(answer)


def test_a_session_of_one_person_is_empty_for_another(people):
    ann, bob, *_ = people
    (path,) = ann.upload(jpeg()).json()
    assert shots(ann.call(ann.take, [None, [file_of(path)]], "shared")) == 1
    assert shots(bob.call(bob.enter, [None], "shared")) == 0
    (path,) = bob.upload(jpeg((9, 9, 9))).json()
    assert shots(bob.call(bob.take, [None, [file_of(path)]], "shared")) == 1
    again = bob.call(bob.enter, [None], "shared")
    assert shots(again) == 1
    assert shots(ann.call(ann.enter, [None], "shared")) == 1
    press = {"do": "again"}
    html = bob.client.get("/config").json()["dependencies"]
    number = next(d["id"] for d in html if any(t[1] == "act" for t in d["targets"]))
    bob.call(number, [None], "shared", event_data=press)
    assert shots(bob.call(bob.enter, [None], "shared")) == 0
    assert shots(ann.call(ann.enter, [None], "shared")) == 1


def test_a_press_that_is_sent_again_is_done_once_and_answered_anew(people):
    ann, bob, *_ = people
    (path,) = ann.upload(jpeg()).json()

    def take(browser: Browser, name: str):
        return browser.press(name, browser.take, [None, [file_of(path)]])

    assert shots(take(ann, "first")) == 1
    again = take(ann, "first")  # its file is gone by now
    assert shots(again) == 1
    assert "was not added" not in again.text
    refused(take(ann, "second"), 400)
    refused(take(bob, "first"), 400)  # another person's press of that name


def test_ticks_push_out_no_press_and_the_last_one_is_answered_anew(alone, monkeypatch):
    monkeypatch.setattr(page_guard, "MAX_PRESSES", 8)
    photos = [None, [file_of(alone.upload(jpeg()).json()[0])]]
    assert shots(alone.press("taken", alone.take, photos)) == 1
    for number in range(20):
        assert shots(alone.press(f"tick{number}", alone.tick, [None])) == 0  # nothing new
        alone.press(f"other{number}", alone.tick, [None], "another tab")
    assert shots(alone.press("tick19", alone.tick, [None])) == 1  # its answer was lost: everything is sent again
    assert shots(alone.press("taken", alone.take, photos)) == 1  # its file is gone: done again it would be refused
    for number in range(8):
        alone.press(f"press{number}", alone.enter, [None])
    refused(alone.press("taken", alone.take, photos), 400)


def test_a_page_that_is_loaded_again_or_outlives_its_server_goes_on_with_its_draft(people):
    ann, bob, _, services = people
    (path,) = ann.upload(jpeg()).json()
    assert shots(ann.call(ann.take, [None, [file_of(path)]])) == 1
    (draft,) = services.drafts.unfinished(services.sellers.named("ann").id)

    def enter(browser: Browser):
        body = {"data": [None], "fn_index": browser.enter, "session_hash": "anew"}
        return browser.client.post(f"/gradio_api/run/predict?draft={draft.draft_id}", json=body)

    assert shots(enter(ann)) == 1
    assert shots(enter(bob)) == 0  # it is not his


def test_an_open_page_holds_no_connection(alone):
    assert alone.client.get("/config").json()["connect_heartbeat"] is False
    assert not any(call["queue"] for call in alone.client.get("/config").json()["dependencies"])
    assert alone.client.get("/gradio_api/app_id").json()["app_id"]


def test_what_nobody_takes_in_is_deleted_in_ten_minutes(alone, services):
    (path,) = alone.upload(jpeg()).json()
    old = time.time() - 610
    os.utime(path, (old, old))
    (other,) = alone.upload(jpeg((9, 9, 9))).json()
    services.deletions.catch_up()
    assert [str(p) for p in lying(services)] == [other]
    for place in (Path(path).parent, Path(other).parent):
        os.utime(place, (old, old))
    services.deletions.catch_up()
    assert not Path(path).parent.exists()
    assert [str(p) for p in lying(services)] == [other]


def test_a_path_that_is_no_file_any_more_is_refused(alone, monkeypatch):
    refused(alone.call(alone.take, [None, [file_of(f"/tmp/{'a' * 5000}.jpg")]]), 400)
    folder = Path(alone.upload(jpeg()).json()[0]).parent
    refused(alone.call(alone.take, [None, [file_of(str(folder / ("a" * 300)))]]), 400)
    (path,) = alone.upload(jpeg()).json()
    look = Path.stat

    def swept(self, **named):
        found = look(self, **named)
        if str(self) == path:
            self.unlink(missing_ok=True)
        return found

    monkeypatch.setattr(Path, "stat", swept)
    answer = alone.call(alone.take, [None, [file_of(path)]])
    assert answer.status_code in (200, 400), answer.text  # taken as unreadable, or refused
    assert shots_of(answer) == 0


def shots_of(answer) -> int:
    return answer.text.count(r"<li class=\"shot\"")  # on the table; a draft that is offered has a picture, too


def test_the_sessions_of_one_person_are_bounded(people):
    ann, bob, *_ = people
    (path,) = bob.upload(jpeg()).json()
    assert shots(bob.call(bob.take, [None, [file_of(path)]], "of-bob")) == 1
    for name in ("first", "second"):
        (path,) = ann.upload(jpeg()).json()
        assert shots(ann.call(ann.take, [None, [file_of(path)]], name)) == 1
    for number in range(31):
        ann.call(ann.enter, [None], f"s{number}")
        assert shots(ann.call(ann.enter, [None], "second")) == 1  # it is in use
    assert shots(ann.call(ann.enter, [None], "first")) == 0
    assert shots(bob.call(bob.enter, [None], "of-bob")) == 1
