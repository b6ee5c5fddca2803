"""A draft's photos over the API."""

from __future__ import annotations

import io
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from app.drafting import covers
from app.store.db import disk_full
from listing.intake.photos import intake
from tests.app.support.clients import client_of, code
from tests.app.support.pictures import files_there, picture
from tests.fakes import FakePipeline


def files(*seeds: int) -> list[tuple[str, tuple[str, bytes, str]]]:
    return [("photos", (f"{seed}.jpg", picture(seed), "image/jpeg")) for seed in seeds]


class TestForPrograms:
    @pytest.fixture
    def made(self, client):
        return client.post("/v1/drafts", files=files(1, 2, 3), data={"note": "Worn twice."}).json()

    def test_reorder_and_remove(self, client, services, made):
        first, second, third = (p["id"] for p in made["photos"])
        address = f"/v1/drafts/{made['id']}/photos"
        answer = client.put(address, json={"photos": [third, first]})
        assert (answer.status_code, [p["id"] for p in answer.json()["photos"]]) == (200, [third, first])
        assert files_there(services, [first, second, third]) == [True, False, True]
        assert code(client.get(f"/v1/photos/{second}")) == (404, "not_found")
        for bad in ([second], [first, first], ["0" * 32]):
            assert code(client.put(address, json={"photos": bad})) == (422, "bad_photos")
        listing = client.post("/v1/listings", json={"draft_id": made["id"]}).json()
        assert [p["id"] for p in listing["photos"]] == [third, first]
        assert code(client.put(address, json={"photos": [first]})) == (409, "published")
        assert code(client.post(address, files=files(5))) == (409, "published")
        assert [p["id"] for p in client.get(f"/v1/listings/{listing['id']}").json()["photos"]] == [third, first]

    def test_add(self, client, services, made):
        address = f"/v1/drafts/{made['id']}/photos"
        answer = client.post(address, files=files(4, 5))
        assert answer.status_code == 201
        assert len(answer.json()["photos"]) == 5
        assert answer.json()["photos"][:3] == made["photos"]
        assert code(client.post(address, files=files(5))) == (422, "photo_twice")
        assert code(client.post(address, files=files(6, 6))) == (422, "photo_twice")
        assert code(client.post(address, files=files(6, 7, 8, 9))) == (422, "too_many_photos")
        assert code(client.post(address, files=[("photos", b"no photo")])) == (422, "not_an_image")
        assert len(client.get(f"/v1/drafts/{made['id']}").json()["photos"]) == 5
        assert len(list(services.media.ids())) == 5

    def test_a_cover_is_shown_and_changes_nothing(self, client, services, made, monkeypatch):
        mask = np.zeros((320, 320), np.uint8)
        monkeypatch.setattr(covers, "Foreground", lambda file, *_: SimpleNamespace(mask=lambda photo: mask))
        address = f"/v1/drafts/{made['id']}/photos/{made['photos'][0]['id']}/cover"
        assert code(client.post(address)) == (503, "no_cover")  # without the embedded model
        services.covers.weights.parent.mkdir(parents=True)
        services.covers.weights.touch()
        assert code(client.post(address)) == (422, "no_cover")
        mask[80:240, 80:240] = 255
        answer = client.post(address)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
        photo = client.get(f"/v1/photos/{made['photos'][0]['id']}")
        shown, original = (Image.open(io.BytesIO(a.content)) for a in (answer, photo))
        assert shown.size == original.size
        assert client.get(f"/v1/drafts/{made['id']}").json() == made
        strange = f"/v1/drafts/{made['id']}/photos/{'0' * 32}/cover"
        assert code(client.post(strange)) == (404, "not_found")

    def test_no_photo_is_left(self, client, made):
        assert client.put(f"/v1/drafts/{made['id']}/photos", json={"photos": []}).json()["photos"] == []
        assert code(client.post("/v1/listings", json={"draft_id": made["id"]})) == (422, "no_photo")
        assert code(client.post(f"/v1/drafts/{made['id']}/write")) == (422, "photo_count")

    def test_write_again(self, client, made):
        address = f"/v1/drafts/{made['id']}/write"
        again = client.post(address, json={"note": "Worn three times.", "tone": "warmer"})
        assert again.status_code == 200
        body = again.json()
        assert (body["id"], body["note"], body["tone"]) == (made["id"], "Worn three times.", "warmer")
        assert body["draft"]["title"] == "Cosy navy hoodie with zip"
        assert client.post(address).json()["note"] == "Worn three times."
        with client.stream("POST", address, json={}, headers={"Accept": "text/event-stream"}) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            text = "".join(answer.iter_text())
        assert "event: category" in text
        assert text.rstrip().split("\n\n")[-1].startswith("event: draft")
        assert code(client.post(address, json={"note": "x" * 10_000})) == (422, "too_long")
        assert code(client.post(address, json={"category": "???"})) == (422, "bad_category")
        client.post("/v1/listings", json={"draft_id": made["id"]})
        assert code(client.post(address)) == (409, "published")

    def test_other_peoples_drafts_are_not_there(self, two):
        ann, bob, nobody = two
        made = ann.post("/v1/drafts", files=files(1, 2)).json()
        ids = [p["id"] for p in made["photos"]]
        address = f"/v1/drafts/{made['id']}"
        for call in (
            lambda who: who.post(f"{address}/photos", files=files(3)),
            lambda who: who.put(f"{address}/photos", json={"photos": ids[:1]}),
            lambda who: who.post(f"{address}/write"),
        ):
            assert code(call(bob)) == (404, "not_found")
            assert code(call(nobody)) == (401, "sign_in")
        foreign = bob.post("/v1/drafts", files=files(7)).json()
        stolen = bob.put(f"/v1/drafts/{foreign['id']}/photos", json={"photos": ids[:1]})
        assert code(stolen) == (422, "bad_photos")
        assert ann.get(address).json()["photos"] == made["photos"]

    def test_while_it_is_written(self, build):
        services = build(pipeline=FakePipeline(delay=0.05))
        me = services.sellers.only().id
        run = services.draft_writer.start(me, intake([picture(1), picture(2)]))
        view = next(v for v in run if v.category is not None)
        with client_of(services) as client:
            address = f"/v1/drafts/{view.draft_id}"
            keep = {"photos": [view.photos[0].id]}
            assert code(client.put(f"{address}/photos", json=keep)) == (409, "running")
            assert code(client.post(f"{address}/photos", files=files(3))) == (409, "running")
            assert code(client.post(f"{address}/write")) == (409, "running")
            assert client.get(address).json()["state"] == "working"
            assert list(run)[-1].state == "ready"
            assert client.put(f"{address}/photos", json=keep).status_code == 200


def test_a_full_disk_leaves_nothing_of_the_added_photos(services, monkeypatch):
    save, saved = services.media.save, []

    def full(photo_id, jpeg):
        if len(saved) == 3:
            raise disk_full()
        saved.append(photo_id)
        return save(photo_id, jpeg)

    monkeypatch.setattr(services.media, "save", full)
    with client_of(services) as client:
        made = client.post("/v1/drafts", files=files(1)).json()
        assert code(client.post(f"/v1/drafts/{made['id']}/photos", files=files(2, 3, 4))) == (507, "disk_full")
        assert client.get(f"/v1/drafts/{made['id']}").json()["photos"] == made["photos"]
    assert [p["id"] for p in made["photos"]] == list(services.media.ids())
