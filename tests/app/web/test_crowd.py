"""More calls than the server can take: refused at once with a time to come back, and taken again afterwards."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.app.support.clients import client_of, code, draft


def test_calls_beyond_the_limit_are_refused_and_drafts_are_not(build, monkeypatch):
    services = build(requests_waiting=2)
    inside, go = threading.Semaphore(0), threading.Event()
    real = services.feed.page

    def slow(visitor, size):
        inside.release()
        assert go.wait(30)
        return real(visitor, size)

    monkeypatch.setattr(services.feed, "page", slow)
    with client_of(services) as client, ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(client.get, f"/v1/feed/v{n}") for n in range(2)]
        for _ in waiting:
            assert inside.acquire(timeout=30)
        refused = client.get("/v1/feed/v2")
        assert code(refused) == (429, "busy")
        assert refused.headers["retry-after"] == "1"
        assert refused.headers["x-content-type-options"] == "nosniff"
        assert client.get("/healthz").status_code == 200
        assert draft(client).status_code == 201
        go.set()
        assert [w.result().status_code for w in waiting] == [200, 200]
        assert client.get("/v1/feed/v2").status_code == 200
        assert 'ipl_errors_total{code="busy"} 1.0' in client.get("/metrics").text


def test_a_full_line_is_said_before_the_photos_are_looked_at(build, monkeypatch):
    services = build(queue_per_seller=1)
    seller = services.sellers.only()
    ticket = services.queue.join("d1", seller.id)
    monkeypatch.setattr("app.web.api.intake", lambda files: pytest.fail("the photos were decoded"))
    with client_of(services) as client:
        refused = draft(client)
        assert code(refused) == (429, "busy")
        assert int(refused.headers["retry-after"]) >= 1
    services.queue.leave(ticket)
