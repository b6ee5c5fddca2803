"""Photos of one seller are decoded a few at a time, however many calls ask for it, and nobody else waits for them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import PIL.Image
import pytest
from fastapi.testclient import TestClient

from app.web import api
from tests.app.support.moments import becomes
from tests.app.support.pictures import picture
from tests.fakes import FakePipeline

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
    here = people("ann", "bob", pipeline=FakePipeline(), queue_per_seller=1)
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


def test_many_calls_that_write_again_decode_two_drafts_at_most(two, monkeypatch):
    client, ann, bob, _ = two
    draft = new_draft(client, ann)
    opened = Slow(PIL.Image.open)
    monkeypatch.setattr(PIL.Image, "open", opened)
    answers = crowd(client, lambda: client.post(f"/v1/drafts/{draft}/write", headers=ann), bob, opened)
    assert opened.most <= 2
    statuses = [a.status_code for a in answers]
    assert 200 in statuses
    assert set(statuses) <= {200, 409, 429}
    assert client.post(f"/v1/drafts/{draft}/write", headers=ann).status_code == 200  # each gave its place back


def test_many_calls_that_add_photos_decode_two_at_most(two, monkeypatch):
    client, ann, bob, _ = two
    draft = new_draft(client, ann)
    taken = Slow(api.intake)
    monkeypatch.setattr(api, "intake", taken)
    files = photo_parts(1, start=5)
    answers = crowd(client, lambda: client.post(f"/v1/drafts/{draft}/photos", files=files, headers=ann), bob, taken)
    assert taken.most <= 2
    statuses = [a.status_code for a in answers]
    assert statuses.count(201) == 1  # the others came too many at once, or after the same photo
    assert set(statuses) <= {201, 422, 429}
    assert client.post(f"/v1/drafts/{draft}/photos", files=photo_parts(1, start=9), headers=ann).status_code == 201


def test_many_first_drafts_decode_two_at_most(two, monkeypatch):
    client, ann, bob, _ = two
    taken = Slow(api.intake)
    monkeypatch.setattr(api, "intake", taken)
    answers = crowd(client, lambda: client.post("/v1/drafts", files=photo_parts(1), headers=ann), bob, taken)
    assert taken.most <= 2
    assert {a.status_code for a in answers} <= {201, 429}


def test_no_photo_is_decoded_for_a_draft_without_room(two, monkeypatch):
    client, ann, _, _ = two
    draft = new_draft(client, ann, photos=8)
    taken = Slow(api.intake)
    monkeypatch.setattr(api, "intake", taken)
    answer = client.post(f"/v1/drafts/{draft}/photos", files=photo_parts(1, start=9), headers=ann)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "too_many_photos")
    published = client.post("/v1/listings", json={"draft_id": draft, "price": 9}, headers=ann)
    assert published.status_code == 201, published.text
    answer = client.post(f"/v1/drafts/{draft}/photos", files=photo_parts(1, start=9), headers=ann)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "published")
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
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "busy")
    assert opened.runs == 0
