"""Clients of the API without the page, and what most tests do with them."""

from __future__ import annotations

from fastapi.testclient import TestClient

from app.web.server import create_app
from tests.fakes import jpeg


def client_of(services, **named):
    return TestClient(create_app(services, page=False), base_url="http://localhost", **named)


def draft(client, count=1, **fields):
    files = [("photos", (f"{n}.jpg", jpeg((n * 20, 60, 60)), "image/jpeg")) for n in range(count)]
    return client.post("/v1/drafts", files=files, data=fields)


def published(client, **body):
    made = draft(client).json()["id"]
    return client.post("/v1/listings", json={"draft_id": made, "price": 10, **body}).json()


def code(response):
    assert set(response.json()) == {"error"}
    assert set(response.json()["error"]) == {"code", "message"}
    return response.status_code, response.json()["error"]["code"]
