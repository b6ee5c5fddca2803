"""More than the server can take: photos of a seller are decoded two at a time, further calls refused with a time.

Whose connection makes room, where the moment matters: a real server meets these moments only by chance.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx
import PIL.Image
import pytest
from fastapi.testclient import TestClient

from app.web import api
from app.web.connections import Ledger
from tests.app.support.clients import becomes, client_of, code, draft
from tests.fakes import FakePipeline, picture

CALLS = 60


class Slow:
    """A function that takes its time, until ``go_on`` is set; and how often it ran at once."""

    def __init__(self, function: Callable[..., object]) -> None:
        self.function, self.lock = function, threading.Lock()
        self.running = self.most = self.runs = 0
        self.go_on = threading.Event()

    def __call__(self, *args: object, **named: object) -> object:
        with self.lock:
            self.running, self.runs = self.running + 1, self.runs + 1
            self.most = max(self.most, self.running)
        try:
            assert self.go_on.wait(60)
            return self.function(*args, **named)
        finally:
            with self.lock:
                self.running -= 1


@pytest.fixture
def two(people) -> Iterator[tuple[TestClient, dict[str, str], dict[str, str], FakePipeline]]:
    """A client, the headers of Ann and of Bob, and the pipeline."""
    here = people("ann", "bob", pipeline=FakePipeline(), queue_length=7)
    with here.client() as client:
        yield client, here.bearer("ann"), here.bearer("bob"), here.services.pipeline


def photo_parts(count: int, start: int = 0) -> list[tuple[str, tuple[str, bytes]]]:
    """Fields of a form: photos that no two of look alike."""
    return [("photos", (f"{n}.jpg", picture(n))) for n in range(start, start + count)]


def new_draft(client: TestClient, headers: dict[str, str], photos: int = 1) -> str:
    made = client.post("/v1/drafts", files=photo_parts(photos), headers=headers)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


def crowd(
    client: TestClient, call: Callable[[], httpx.Response], other: dict[str, str], slow: Slow
) -> list[httpx.Response]:
    """The answers to many calls at once, in the midst of which another seller asks for something small."""
    with ThreadPoolExecutor(CALLS) as pool:
        under_way = [pool.submit(call) for _ in range(CALLS)]
        assert becomes(lambda: slow.running > 0 and sum(each.done() for each in under_way) >= CALLS - 2)
        assert client.get("/v1/listings", headers=other).status_code == 200  # while the photos are still decoded
        slow.go_on.set()
        return [each.result() for each in under_way]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "photo", "place", "name", "most_done"),
    [
        ("/v1/drafts/{draft}/write", None, PIL.Image, "open", CALLS),
        ("/v1/drafts/{draft}/photos", 5, api, "intake", 1),  # the others came too many at once, or after the same photo
        ("/v1/drafts", 5, api, "intake", CALLS),
    ],
)
def test_many_calls_decode_two_at_a_time(two, monkeypatch, path, photo, place, name, most_done):
    client, ann, bob, _ = two
    address, slow = path.format(draft=new_draft(client, ann)), Slow(getattr(place, name))
    monkeypatch.setattr(place, name, slow)

    def call(photo: int | None) -> httpx.Response:
        files = None if photo is None else photo_parts(1, start=photo)
        return client.post(address, files=files, headers=ann)

    statuses = [a.status_code for a in crowd(client, lambda: call(photo), bob, slow)]
    assert slow.most <= 2
    assert 1 <= sum(status in (200, 201) for status in statuses) <= most_done
    assert set(statuses) <= {200, 201, 409, 422, 429}
    assert call(photo and 9).status_code in (200, 201)  # each gave its place back


def test_no_photo_is_decoded_for_a_draft_without_room(two, monkeypatch):
    client, ann, _, _ = two
    full = new_draft(client, ann, photos=8)
    taken = Slow(api.intake)
    monkeypatch.setattr(api, "intake", taken)
    answer = client.post(f"/v1/drafts/{full}/photos", files=photo_parts(1, start=9), headers=ann)
    assert code(answer) == (422, "too_many_photos")
    published = client.post("/v1/listings", json={"draft_id": full, "price": 9}, headers=ann)
    assert published.status_code == 201, published.text
    answer = client.post(f"/v1/drafts/{full}/photos", files=photo_parts(1, start=9), headers=ann)
    assert code(answer) == (409, "published")
    assert taken.runs == 0


def test_no_stored_photo_is_decoded_while_the_line_is_full(two, monkeypatch):
    client, ann, _, pipeline = two
    first = new_draft(client, ann)
    opened = Slow(PIL.Image.open)
    with ThreadPoolExecutor(1) as pool:
        pipeline.hold_at = "draft"
        other = pool.submit(new_draft, client, ann)
        assert becomes(lambda: pipeline.running > 0)
        monkeypatch.setattr(PIL.Image, "open", opened)
        answer = client.post(f"/v1/drafts/{first}/write", headers=ann)
        pipeline.go_on.set()
        other.result()
    assert code(answer) == (429, "busy")
    assert opened.runs == 0


def test_calls_beyond_the_limit_are_refused_and_drafts_are_not(build, monkeypatch):
    services = build(requests_waiting=2)
    slow = Slow(services.feed.page)
    monkeypatch.setattr(services.feed, "page", slow)
    with client_of(services) as client, ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(client.get, f"/v1/feed/v{n}") for n in range(2)]
        assert becomes(lambda: slow.running == 2)
        refused = client.get("/v1/feed/v2")
        assert code(refused) == (429, "busy")
        assert refused.headers["retry-after"] == "1"
        assert refused.headers["x-content-type-options"] == "nosniff"
        assert client.get("/healthz").status_code == 200
        assert draft(client).status_code == 201
        slow.go_on.set()
        assert [w.result().status_code for w in waiting] == [200, 200]
        assert client.get("/v1/feed/v2").status_code == 200
        assert 'ipl_errors_total{code="busy"} 1.0' in client.get("/metrics").text


def test_a_full_line_is_said_before_the_photos_are_looked_at(build, monkeypatch):
    services = build(queue_length=7)
    seller = services.sellers.only()
    ticket = services.queue.join("d1", seller.id)
    monkeypatch.setattr("app.web.api.intake", lambda files: pytest.fail("the photos were decoded"))
    with client_of(services) as client:
        refused = draft(client)
        assert code(refused) == (429, "busy")
        assert int(refused.headers["retry-after"]) >= 1
    services.queue.leave(ticket)


@dataclass(eq=False)
class Connection:
    address: str = "192.0.2.1"
    signed_in: bool = False
    counted: bool = True
    dropped: bool = False

    def drop(self) -> None:
        self.dropped = True


def test_first_requests_of_strangers_make_room_before_they_are_looked_at():
    ledger = Ledger(total=100, each=4)
    early, *strangers = (Connection() for _ in range(5))
    assert ledger.enter(early)
    ledger.known(early, True)
    ledger.idle(early, True)
    for each in strangers:
        assert ledger.enter(each)
        ledger.idle(each, False)  # the headers are there, nobody has asked yet who it is
    assert [each.dropped for each in (early, *strangers)] == [False, True, False, False, False]


def test_where_all_are_signed_in_the_idle_one_of_longest_makes_room():
    ledger = Ledger(total=100, each=4)
    early = [Connection(signed_in=True) for _ in range(4)]
    for each in early:
        assert ledger.enter(each)
        ledger.idle(each, True)
    assert ledger.enter(Connection())
    assert [each.dropped for each in early] == [True, False, False, False]


def test_who_was_signed_in_is_no_stranger_while_the_next_request_comes():
    ledger = Ledger(total=100, each=2)
    early, idle, newcomer = (Connection() for _ in range(3))
    for each in (early, idle):
        ledger.enter(each)
        ledger.known(each, True)
        ledger.idle(each, True)
    ledger.idle(early, False)
    assert ledger.enter(newcomer)
    assert (early.dropped, idle.dropped) == (False, True)
