"""The API over HTTP, without the page: what it answers, to whom, and to bad input."""

from __future__ import annotations

import re

import pytest

from listing.intake.photos import PhotoError
from tests.app.support.clients import client_of, code, draft, published
from tests.fakes import FakeIndex, FakePipeline, jpeg


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
def test_events_come_in_the_order_of_usefulness(client):
    files = [("photos", ("a.jpg", jpeg(), "image/jpeg"))]
    with client.stream("POST", "/v1/drafts", files=files, headers={"Accept": "text/event-stream"}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        kinds = re.findall(r"^event: (\w+)$", "".join(answer.iter_text()), re.MULTILINE)
    seen = list(dict.fromkeys(kinds))
    order = [k for k in seen if k in ("category", "attribute", "text", "draft")]
    assert order == ["category", "attribute", "text", "draft"]
    assert kinds[-1] == "draft"


@pytest.mark.stores
def test_another_sellers_things_are_not_there(two):
    ann, bob, nobody = two
    listing = published(ann)
    made = draft(ann).json()["id"]
    for call in (
        lambda who: who.get(f"/v1/listings/{listing['id']}"),
        lambda who: who.patch(f"/v1/listings/{listing['id']}", json={"title": "Mine"}),
        lambda who: who.delete(f"/v1/listings/{listing['id']}"),
        lambda who: who.get(f"/v1/drafts/{made}"),
        lambda who: who.delete(f"/v1/drafts/{made}"),
        lambda who: who.post("/v1/listings", json={"draft_id": made}),
    ):
        assert code(call(bob)) == (404, "not_found")
        assert code(call(nobody)) == (401, "sign_in")
    assert bob.get("/v1/listings").json() == {"listings": []}
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


def test_guessing_passwords_becomes_slow(two):
    *_, browser = two
    answers = [browser.post("/sign-in", data={"name": "bob", "password": "no"}).status_code for _ in range(11)]
    assert answers == [401] * 10 + [429]


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


@pytest.mark.stores
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"title": "x" * 10_000}, (422, "too_long")),
        ({"title": "x" * 100_000}, (422, "invalid")),
        ({"title": ""}, (422, "no_title")),
        ({"price": -1}, (422, "invalid")),
        ({"price": 1e300}, (422, "bad_price")),
        ({"stock": -1}, (422, "invalid")),
        ({"stock": 10**30}, (422, "bad_stock")),
        ({"status": "gone"}, (422, "invalid")),
        ({"seller_id": "x"}, (422, "invalid")),
        ({"attributes": {"brand": "x" * 1000}}, (422, "too_long")),
    ],
)
def test_unusable_changes_change_nothing(client, body, expected):
    listing = published(client)
    assert code(client.patch(f"/v1/listings/{listing['id']}", json=body)) == expected
    assert client.get(f"/v1/listings/{listing['id']}").json() == listing


@pytest.mark.stores
def test_unusable_drafts(client):
    assert code(client.post("/v1/drafts", data={"note": "x"})) == (422, "invalid")
    bad = client.post("/v1/drafts", files={"photos": ("a.jpg", b"no photo")})
    assert code(bad) == (422, "not_an_image")
    assert code(draft(client, 9)) == (422, "too_many_photos")
    assert code(draft(client, note="x" * 10_000)) == (422, "too_long")
    assert code(draft(client, category="spaceship")) == (422, "bad_category")
    assert code(draft(client, tone="rude")) == (422, "invalid")


def test_a_large_request_is_refused_before_it_is_read(build):
    with client_of(build(body_mb=0.005)) as client:
        assert code(draft(client, 3)) == (413, "too_large")
        parts = iter([b"x" * 6000] * 3)  # chunked: no Content-Length to judge by
        assert code(client.post("/v1/listings", content=parts)) == (413, "too_large")


@pytest.mark.stores
def test_a_full_line_is_429_with_the_time_to_come_back(build):
    services = build(queue_length=1)
    services.queue.wait(services.queue.join("r", "a"), 0)
    services.queue.join("w", "b")
    with client_of(services) as client:
        answer = draft(client)
    assert code(answer) == (429, "busy")
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.stores
def test_a_broken_model_is_a_sentence(build):
    with client_of(build(pipeline=FakePipeline(fail_at="category"))) as client:
        answer = draft(client)
    assert code(answer) == (503, "model_failed")
    assert "Traceback" not in answer.text


def test_other_sites_and_foreign_hosts_are_refused(client):
    listing = published(client)
    address = f"/v1/listings/{listing['id']}"
    assert code(client.delete(address, headers={"Origin": "https://evil.example"})) == (403, "bad_origin")
    assert code(client.delete(address, headers={"Sec-Fetch-Site": "cross-site"})) == (403, "bad_origin")
    assert code(client.get("/v1/listings", headers={"Host": "evil.example"})) == (400, "bad_host")
    assert client.delete(address, headers={"Origin": "http://localhost"}).status_code == 204


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
    from sqlalchemy.exc import OperationalError

    services = build(index=FakeIndex())

    def broken():
        raise OperationalError("x", {}, Exception("gone"))

    with client_of(services) as client:
        monkeypatch.setattr(services.store, "read", broken)
        assert code(client.get("/readyz")) == (503, "store")
