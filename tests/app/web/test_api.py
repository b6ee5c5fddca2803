"""The API over HTTP, without the page: what it answers, to whom, and to bad input."""

from __future__ import annotations

import re

import pytest
from sqlalchemy.exc import OperationalError

from app.web import request_guard
from listing.intake.photos import PhotoError
from tests.app.support.clients import client_of, code, draft, published
from tests.fakes import FakeIndex, jpeg


@pytest.mark.slow
def test_too_many_photos_at_a_time_are_asked_to_come_back(client, monkeypatch):
    def full(*_):
        raise PhotoError("busy", "Too many photos are being read; add photo 1 again in a minute.")

    monkeypatch.setattr("app.web.api.intake", full)
    assert code(draft(client)) == (503, "busy")


@pytest.mark.stores
def test_from_photos_to_a_deleted_listing(client):
    made = draft(client, 3, note="Worn twice.", tone="warmer")
    assert made.status_code == 201
    body = made.json()
    assert len(body["photos"]) == 3
    assert body["draft"]["title"] == "Cosy navy hoodie with zip"
    assert client.get(f"/v1/drafts/{body['id']}").json()["state"] == "ready"
    wish = {"draft_id": body["id"], "price": 12.5, "facts": {"size": "M"}, "title": "Hoodie"}
    sent = client.post("/v1/listings", json=wish, headers={"Idempotency-Key": "one"})
    assert sent.status_code == 201
    listing = sent.json()
    assert (listing["title"], listing["price"], listing["attributes"]["size"]) == ("Hoodie", 12.5, "M")
    assert client.post("/v1/listings", json=wish, headers={"Idempotency-Key": "one"}).json() == listing
    address = f"/v1/listings/{listing['id']}"
    assert client.get("/v1/listings").json()["listings"] == [listing]
    assert client.get("/v1/listings", params={"q": "hoodie"}).json()["listings"] == [listing]
    by_photo = client.post("/v1/listings/search", files={"photo": jpeg((20, 60, 60))})
    assert by_photo.json()["listings"] == [listing]
    photo = client.get(f"/v1/photos/{listing['photos'][0]['id']}")
    assert (photo.headers["content-type"], photo.content[:2]) == ("image/jpeg", b"\xff\xd8")
    assert client.patch(address, json={"status": "sold"}).json()["status"] == "sold"
    assert client.delete(address).status_code == 204
    assert code(client.get(address)) == (404, "not_found")
    assert code(client.get(f"/v1/photos/{listing['photos'][0]['id']}")) == (404, "not_found")


@pytest.mark.stores
def test_another_sellers_things_are_not_there(two):
    ann, bob, nobody = two
    listing, unpublished = published(ann), draft(ann).json()
    made = unpublished["id"]
    for call in (
        lambda who: who.get(f"/v1/photos/{unpublished['photos'][0]['id']}"),
        lambda who: who.get(f"/v1/listings/{listing['id']}"),
        lambda who: who.patch(f"/v1/listings/{listing['id']}", json={"title": "Mine"}),
        lambda who: who.delete(f"/v1/listings/{listing['id']}"),
        lambda who: who.get(f"/v1/drafts/{made}"),
        lambda who: who.delete(f"/v1/drafts/{made}"),
        lambda who: who.post("/v1/listings", json={"draft_id": made}),
    ):
        assert code(call(bob)) == (404, "not_found")
        assert code(call(nobody)) == (401, "sign_in")
    assert bob.get("/v1/listings").json() == bob.get("/v1/listings?q=hoodie").json() == {"listings": []}
    assert bob.post("/v1/listings/search", files={"photo": jpeg((0, 60, 60))}).json() == {"listings": []}
    assert bob.get(f"/v1/photos/{listing['photos'][0]['id']}").status_code == 200
    assert ann.get(f"/v1/listings/{listing['id']}").json() == listing
    assert code(nobody.get("/v1/listings", headers={"Authorization": "Bearer ipl_x"})) == (401, "bad_token")


def test_signing_in_with_the_form(two):
    *_, browser = two
    wrong = browser.post("/sign-in", data={"name": "<b>ann", "password": "no"})
    assert wrong.status_code == 401
    assert "<b>ann" not in wrong.text
    right = browser.post("/sign-in", data={"name": "ann", "password": "long enough"}, follow_redirects=False)
    cookie = right.headers["set-cookie"]
    assert right.status_code == 303
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert browser.get("/v1/listings").status_code == 200
    cookie = browser.cookies["ipl_session"]
    forged = cookie[:-9] + ("A" if cookie[-9] != "A" else "B") + cookie[-8:]
    browser.cookies.clear()
    browser.cookies.set("ipl_session", forged)
    assert code(browser.get("/v1/listings")) == (401, "sign_in")


BAD = "<img src=x onerror=alert(1)><script>alert(2)</script>"


@pytest.mark.stores
def test_markup_in_every_field_is_text(client):
    made = draft(client, note=BAD).json()["id"]
    body = {"draft_id": made, "title": BAD, "description": BAD, "facts": {"brand": BAD, "size": BAD}}
    answer = client.post("/v1/listings", json=body)
    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    listing = answer.json()
    assert (listing["title"], listing["description"], listing["attributes"]["brand"]) == (BAD, BAD, BAD)


UNUSABLE = [
    ({"title": "x" * 10_000}, "too_long"),
    ({"title": "x" * 100_000}, "invalid"),
    ({"title": ""}, "no_title"),
    ({"price": -1}, "invalid"),
    ({"price": 1e300}, "bad_price"),
    ({"stock": -1}, "invalid"),
    ({"stock": 10**30}, "bad_stock"),
    ({"status": "gone"}, "invalid"),
    ({"seller_id": "x"}, "invalid"),
    ({"attributes": {"brand": "x" * 1000}}, "too_long"),
]


@pytest.mark.stores
def test_unusable_changes_change_nothing(client):
    listing = published(client)
    address = f"/v1/listings/{listing['id']}"
    for body, expected in UNUSABLE:
        assert code(client.patch(address, json=body)) == (422, expected), str(body)[:80]
        assert client.get(address).json() == listing


@pytest.mark.stores
def test_unusable_drafts(client):
    assert code(client.post("/v1/drafts", data={"note": "x"})) == (422, "invalid")
    bad = client.post("/v1/drafts", files={"photos": ("a.jpg", b"no photo")})
    assert code(bad) == (422, "not_an_image")
    assert code(draft(client, 9)) == (422, "too_many_photos")
    assert code(draft(client, note="x" * 10_000)) == (422, "too_long")
    assert code(draft(client, category="???")) == (422, "bad_category")
    assert code(draft(client, tone="rude")) == (422, "invalid")


def test_a_large_request_is_refused_before_it_is_read(build, monkeypatch):
    monkeypatch.setattr(request_guard, "BODY_MB", 0.005)
    with client_of(build()) as client:
        assert code(draft(client, 3)) == (413, "too_large")
        parts = iter([b"x" * 6000] * 3)  # chunked: no Content-Length to judge by
        assert code(client.post("/v1/listings", content=parts)) == (413, "too_large")


@pytest.mark.stores
def test_health_metrics_and_the_described_api(client):
    draft(client)
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ok"}
    counted = client.get("/metrics").text
    assert 'ipl_drafts_total{outcome="ready"} 1.0' in counted
    assert "ipl_first_fact_seconds_count 1.0" in counted
    assert "ipl_queue_length 0.0" in counted
    page = client.get("/docs").text
    assert "/v1/drafts" in page
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)
    assert "<script" not in page
    assert code(client.get("/v1/nothing")) == (404, "not_found")


def test_a_store_that_does_not_answer_is_not_ready(build, monkeypatch):
    services = build(index=FakeIndex())

    def broken():
        raise OperationalError("x", {}, Exception("gone"))

    with client_of(services) as client:
        monkeypatch.setattr(services.store, "read", broken)
        assert code(client.get("/readyz")) == (503, "store")
