"""Whatever is asked at an address that is not there, or with a method that is not for it, the answer has one form."""

from __future__ import annotations

import re
from itertools import product

import pytest
from fastapi.testclient import TestClient

from app.store.db import store_away
from app.web.server import create_app
from tests.app.support.clients import code

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
NOWHERE = (
    "/fed",
    "/feed/x",
    "/nope",
    "/nope/deep",
    "/v1",
    "/v1/",
    "/v1/nope",
    "/ops/nope",
    "/healthz/x",
    "/docs/",
    "/feed/buyer.x",
    "/feed/orders/x/nope",
    "/v1/orders/x/nope",
)

WRONG_METHODS = [
    *(("POST", "/healthz"), ("DELETE", "/docs"), ("PUT", "/v1/listings"), ("POST", "/v1/listings/x")),
    *(("PATCH", "/v1/drafts/x"), ("DELETE", "/sign-in"), ("GET", "/v1/drafts")),
]


@pytest.fixture(params=["with the page", "the API alone"])
def client(request, services):
    app = create_app(services, page=request.param == "with the page")
    with TestClient(app, base_url="http://localhost", follow_redirects=False) as client:
        yield client


def test_addresses_and_methods_that_are_not_there(client):
    for method, path in product(METHODS, NOWHERE):
        assert code(client.request(method, path)) == (404, "not_found"), (method, path)
    assert client.head("/nope").status_code == client.head("/v1/nope").status_code == 404
    for method, path in WRONG_METHODS:
        answer = client.request(method, path)
        assert code(answer) == (405, "method_not_allowed"), (method, path)
        assert answer.headers["allow"], (method, path)


def test_the_page_itself_is_no_exception(services):
    with TestClient(create_app(services), base_url="http://localhost") as client:
        assert client.get("/").status_code == client.get("/config").status_code == 200
        assert client.get("/ops/").status_code == client.get("/ops").status_code == 200
        for path in ("/", "/ops/", "/config"):
            assert code(client.delete(path)) == (405, "method_not_allowed"), path


def test_a_browser_gets_a_page_with_a_way_back(services, monkeypatch):
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    with TestClient(create_app(services), base_url="http://localhost", headers=browser) as client:
        for path in ("/feed/nope", "/ops/nope"):
            answer = client.get(path)
            assert answer.status_code == 404
            assert answer.headers["content-type"].startswith("text/html")
            assert 'href="/"' in answer.text
            assert "<script" not in answer.text
        assert client.delete("/config").status_code == 405
        assert code(client.get("/v1/nope")) == (404, "not_found")  # the API speaks JSON to everybody
        here = {"Referer": "http://localhost/l/x?from=feed"}
        large = {"text": "x" * 300_000}
        answers = [
            client.post("/l/x/ask", data=large, headers=here),
            client.post("/l/x/report", data=large, headers={"Referer": "http://elsewhere.example/l/x"}),
            client.post("/feed", files={"photo": ("a.jpg", b"\xff\xd8\xff" + b"\0" * 27_000_000)}),
            client.post("/sign-in", data=large),
            client.get("/l/x/photos/first"),
            client.post("/feed", headers={"Origin": "http://elsewhere.example"}),
        ]

        def away():
            raise store_away()

        monkeypatch.setattr(services.store, "read", away)
        answers += [client.get("/feed"), client.get("/l/x"), client.get("/feed/purchases")]
        assert [answer.status_code for answer in answers] == [413, 413, 413, 413, 422, 403, 503, 503, 503]
        for answer in answers:
            assert answer.headers["content-type"].startswith("text/html"), answer.text[:200]
            assert '"error"' not in answer.text
            assert answer.text.count('role="alert"') == 1
        assert [re.findall('<a href="([^"]+)"', answer.text) for answer in answers[:2]] == [["/l/x?from=feed"], ["/"]]
        assert code(client.get("/v1/listings")) == (503, "store")
        assert code(client.post("/feed/seen", json={}, headers={"Accept": "*/*"})) == (422, "invalid")


def test_nobody_who_is_not_signed_in_learns_more(people):
    with people("ann").client() as client:
        assert code(client.get("/fed")) == (401, "sign_in")
        assert code(client.get("/v1/listings")) == (401, "sign_in")
