"""Tokens at the door: withdrawn ones end at once, garbage is no load on the store and keeps nobody out."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete

from app.accounts import authentication
from app.accounts.passwords import write_password
from app.accounts.sellers import TOKEN_PREFIX
from app.store.db import store_away
from app.store.tables import TokenRow
from app.web.server import create_app
from tests.app.support.clients import code
from tests.app.support.moments import becomes


@pytest.fixture
def door(build, tmp_path):
    """A client without a token, Ann's token, the services."""
    write_password(tmp_path / "passwords", "ann", "long enough")
    services = build(passwords=tmp_path / "passwords")
    token = services.sellers.new_token(services.sellers.named("ann"))
    with TestClient(create_app(services, page=False), base_url="http://localhost") as client:
        yield client, token, services


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_withdrawn_token_ends_at_once(door, monkeypatch):
    client, token, services = door
    assert client.get("/v1/listings", headers=bearer(token)).status_code == 200
    with services.store.write() as session:
        session.execute(delete(TokenRow))
    assert code(client.get("/v1/listings", headers=bearer(token))) == (401, "bad_token")
    monkeypatch.setattr(authentication, "TOKEN_SECONDS", 0.0)
    assert code(client.get("/v1/listings", headers=bearer(token))) == (401, "bad_token")
    assert code(client.get("/nothing", headers=bearer(token))) == (401, "bad_token")


def test_a_wrong_token_is_looked_up_once_in_a_second(door, monkeypatch):
    client, _, services = door
    looked: list[str] = []
    real = services.sellers.by_token
    monkeypatch.setattr(services.sellers, "by_token", lambda token: looked.append(token) or real(token))
    began = time.monotonic()
    for _ in range(50):
        assert code(client.get("/v1/listings", headers=bearer("ipl_wrong"))) == (401, "bad_token")
    assert len(looked) <= 2 + (time.monotonic() - began)


def test_garbage_keeps_nobody_out_while_the_store_is_slow(door, monkeypatch):
    client, token, services = door
    assert client.get("/v1/listings", headers=bearer(token)).status_code == 200
    real, inside, most, go = services.sellers.by_token, [], [0], threading.Event()

    def slow(given: str):
        if given == token:
            return real(given)
        inside.append(given)
        most[0] = max(most[0], len(inside))
        assert go.wait(60)
        inside.remove(given)
        return None

    monkeypatch.setattr(services.sellers, "by_token", slow)
    with ThreadPoolExecutor(60) as pool:
        garbage = [bearer(f"{TOKEN_PREFIX}{n:043}") for n in range(60)]
        waiting = [pool.submit(client.get, "/v1/listings", headers=headers) for headers in garbage]
        assert becomes(lambda: inside)
        monkeypatch.setattr(authentication, "TOKEN_SECONDS", 0.0)  # Ann's token has to be looked up again
        assert client.get("/v1/listings", headers=bearer(token)).status_code == 200
        go.set()
        answers = [code(w.result()) for w in waiting]
    assert most[0] <= 2
    assert set(answers) == {(401, "bad_token"), (429, "busy")}


def test_while_the_store_is_away_the_door_says_so(door, monkeypatch):
    client, token, services = door

    def away():
        raise store_away()

    monkeypatch.setattr(services.store, "read", away)
    answer = client.get("/v1/listings", headers=bearer(token))
    assert code(answer) == (503, "store")
    assert int(answer.headers["retry-after"]) >= 1
    assert code(client.get("/v1/listings")) == (401, "sign_in")
