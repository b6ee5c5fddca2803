"""A character that PostgreSQL cannot keep is refused with a sentence, on any store, and is no error of the server."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from app.web.server import create_app

PATHS = (
    ("GET", "/l/%00"),
    ("GET", "/v1/orders/%00"),
    ("POST", "/v1/orders/%00/complete"),
    ("POST", "/v1/orders/%00/refund"),
    ("GET", "/v1/drafts/%00"),
    ("DELETE", "/v1/drafts/%00"),
    ("GET", "/v1/listings/%00"),
    ("GET", "/v1/photos/%00"),
    ("DELETE", "/v1/posts/%00"),
    ("GET", "/v1/feed/%00"),
)
BODIES = (
    ("/v1/orders", {"listing_id": "\0"}),
    ("/v1/orders", {"listing_id": "a", "page_id": "\0"}),
    ("/v1/orders", {"listing_id": "a", "buyer": "\0"}),
    ("/v1/events", {"events": [{"kind": "click", "page_id": "\0", "listing_id": "a"}]}),
    ("/v1/events", {"events": [{"kind": "click", "page_id": "a", "listing_id": "\0"}]}),
    ("/v1/events", {"events": [{"kind": "click", "page_id": "a", "post_id": "\0"}]}),
    ("/v1/events", {"visitor": "\0", "events": [{"kind": "click", "page_id": "a", "post_id": "b"}]}),
)


@pytest.mark.stores
def test_a_nul_is_no_error_of_the_server(services):
    with TestClient(create_app(services, page=False), base_url="http://localhost") as client:
        answers = [client.request(method, path) for method, path in PATHS]
        answers += [client.post(path, json=body) for path, body in BODIES]
        for answer in answers:
            assert answer.status_code < 500, (answer.url, answer.text)
            if answer.is_error and answer.url.path.startswith("/v1/"):  # the other one is a page for people
                assert set(answer.json()["error"]) == {"code", "message"}
        assert client.get("/v1/listings").status_code == 200
