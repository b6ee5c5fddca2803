"""Tokens in headers: withdrawn ones end at once, garbage is no load on the store and keeps nobody out."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import delete

from app.accounts import authentication
from app.accounts.sellers import TOKEN_PREFIX
from app.store.db import store_away
from app.store.tables import TokenRow
from tests.app.support.clients import code
from tests.app.support.moments import becomes


@pytest.fixture
def door(people):
    """A client without a token, Ann's header, the services."""
    here = people("ann")
    with here.client() as client:
        yield client, here.bearer("ann"), here.services


def test_a_withdrawn_token_ends_at_once(door, monkeypatch):
    client, ann, services = door
    assert client.get("/v1/listings", headers=ann).status_code == 200
    with services.store.write() as session:
        session.execute(delete(TokenRow))
    assert code(client.get("/v1/listings", headers=ann)) == (401, "bad_token")
    monkeypatch.setattr(authentication, "TOKEN_SECONDS", 0.0)
    for path in ("/v1/listings", "/nothing"):
        assert code(client.get(path, headers=ann)) == (401, "bad_token")


def test_a_wrong_token_is_looked_up_once_in_a_second(door, monkeypatch):
    client, _, services = door
    looked: list[str] = []
    real = services.sellers.by_token
    monkeypatch.setattr(services.sellers, "by_token", lambda token: looked.append(token) or real(token))
    began = time.monotonic()
    for _ in range(50):
        assert code(client.get("/v1/listings", headers={"Authorization": "Bearer ipl_wrong"})) == (401, "bad_token")
    assert len(looked) <= 2 + (time.monotonic() - began)


def test_garbage_keeps_nobody_out_while_the_store_is_slow(door, monkeypatch):
    client, ann, services = door
    assert client.get("/v1/listings", headers=ann).status_code == 200
    real, inside, most, go = services.sellers.by_token, [], [0], threading.Event()

    def slow(given: str):
        if ann["Authorization"].endswith(given):
            return real(given)
        inside.append(given)
        most[0] = max(most[0], len(inside))
        assert go.wait(60)
        inside.remove(given)
        return None

    monkeypatch.setattr(services.sellers, "by_token", slow)
    with ThreadPoolExecutor(60) as pool:
        garbage = [{"Authorization": f"Bearer {TOKEN_PREFIX}{n:043}"} for n in range(60)]
        waiting = [pool.submit(client.get, "/v1/listings", headers=headers) for headers in garbage]
        assert becomes(lambda: inside)
        monkeypatch.setattr(authentication, "TOKEN_SECONDS", 0.0)  # Ann's token has to be looked up again
        assert client.get("/v1/listings", headers=ann).status_code == 200
        go.set()
        answers = [code(w.result()) for w in waiting]
    assert most[0] <= 2
    assert set(answers) == {(401, "bad_token"), (429, "busy")}


def test_while_the_store_is_away_the_door_says_so(door, monkeypatch):
    client, ann, services = door

    def away():
        raise store_away()

    monkeypatch.setattr(services.store, "read", away)
    answer = client.get("/v1/listings", headers=ann)
    assert code(answer) == (503, "store")
    assert int(answer.headers["retry-after"]) >= 1
    assert code(client.get("/v1/listings")) == (401, "sign_in")
