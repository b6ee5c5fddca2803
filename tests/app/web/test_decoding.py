"""Photos of one seller are decoded a few at a time, however many calls ask for it, and nobody else waits for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import PIL.Image
import pytest
from fastapi.testclient import TestClient

from app.web import api
from tests.app.support.pictures import picture
from tests.fakes import FakePipeline

SECONDS = 1.0  # that decoding takes here
CALLS = 60


class Slow:
    """A function that takes its time, and how often it ran at once."""

    def __init__(self, function: Callable[..., object]) -> None:
        self.function, self.lock = function, threading.Lock()
        self.running = self.most = self.runs = 0

    def __call__(self, *args: object, **named: object) -> object:
        with self.lock:
            self.running, self.runs = self.running + 1, self.runs + 1
            self.most = max(self.most, self.running)
        try:
            time.sleep(SECONDS)
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


def crowd(client: TestClient, call: Callable[[], httpx.Response], other: dict[str, str]) -> list[httpx.Response]:
    """The answers to many calls at once, in the midst of which another seller asks for something small."""
    with ThreadPoolExecutor(CALLS) as pool:
        under_way = [pool.submit(call) for _ in range(CALLS)]
        time.sleep(SECONDS / 4)
        began = time.monotonic()
        assert client.get("/v1/listings", headers=other).status_code == 200
        waited = time.monotonic() - began
        answers = [each.result() for each in under_way]
    assert waited < SECONDS / 2, f"another seller waited {waited:.1f} s"
    return answers


def test_many_calls_that_write_again_decode_two_drafts_at_most(two, monkeypatch):
    client, ann, bob, _ = two
    draft = new_draft(client, ann)
    opened = Slow(PIL.Image.open)
    monkeypatch.setattr(PIL.Image, "open", opened)
    answers = crowd(client, lambda: client.post(f"/v1/drafts/{draft}/write", headers=ann), bob)
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
    answers = crowd(client, lambda: client.post(f"/v1/drafts/{draft}/photos", files=files, headers=ann), bob)
    assert taken.most <= 2
    statuses = [a.status_code for a in answers]
    assert statuses.count(201) == 1  # the others came too many at once, or after the same photo
    assert set(statuses) <= {201, 422, 429}
    assert client.post(f"/v1/drafts/{draft}/photos", files=photo_parts(1, start=9), headers=ann).status_code == 201


def test_many_first_drafts_decode_two_at_most(two, monkeypatch):
    client, ann, bob, _ = two
    taken = Slow(api.intake)
    monkeypatch.setattr(api, "intake", taken)
    answers = crowd(client, lambda: client.post("/v1/drafts", files=photo_parts(1), headers=ann), bob)
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
        pipeline.delay = 0.3
        other = pool.submit(new_draft, client, ann)
        while pipeline.running == 0:
            time.sleep(0.01)
        monkeypatch.setattr(PIL.Image, "open", opened)
        answer = client.post(f"/v1/drafts/{first}/write", headers=ann)
        pipeline.delay = 0.0
        other.result()
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "busy")
    assert opened.runs == 0
