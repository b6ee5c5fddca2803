"""Guessing passwords: what a burst gets, whom it locks out, and what everybody else notices of it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from argon2 import PasswordHasher, extract_parameters
from fastapi.testclient import TestClient

from app.accounts.login_attempts import MAX_COUNTS, PER_NAME, WINDOW_SECONDS, SignInAttempt, Tries
from app.settings import Settings
from app.views import AppError
from app.web.server import create_app
from tests.app.support.clients import PASSWORD, add_accounts, becomes
from tests.app.support.local_servers import served

pytestmark = pytest.mark.slow

RIGHT, GUESS = PASSWORD, "a wrong guess"


@pytest.fixture
def services(people):
    return people("ann").services


@pytest.fixture
def quick(build, tmp_path):
    """Services with one cheap password, so that many tries take no time."""
    salt = b"0" * 16
    hashed = hashlib.scrypt(RIGHT.encode(), salt=salt, n=16, r=1, p=1, dklen=32)
    line = "$".join(("scrypt", "16", "1", "1", *(base64.b64encode(part).decode() for part in (salt, hashed))))
    add_accounts(Settings(home=tmp_path).store_url, ["ann"], stored=line)
    return build()


def sign_in(url, name, password=RIGHT, *, address="127.0.0.1", cookies=None):
    """The answer to the form, sent from an address of this machine's loopback network."""
    transport = httpx.HTTPTransport(local_address=address)
    with httpx.Client(transport=transport, cookies=cookies, timeout=60) as browser:
        return browser.post(f"{url}sign-in", data={"name": name, "password": password})


def browser_at(app, address):
    return TestClient(app, base_url="http://localhost", client=(address, 50_000), follow_redirects=False)


def post(browser, name, password=RIGHT):
    return browser.post("/sign-in", data={"name": name, "password": password})


def test_forty_guesses_at_once_are_ten_guesses(services):
    with served(services, page=False) as url, ThreadPoolExecutor(40) as crowd:
        answers = list(crowd.map(lambda n: sign_in(url, "ann", f"wrong guess {n}"), range(40)))
    assert Counter(a.status_code for a in answers) == {401: 10, 429: 30}
    assert all(int(a.headers["retry-after"]) >= 1 for a in answers if a.status_code == 429)


def test_guesses_at_unknown_names_keep_nobody_waiting(services, monkeypatch):
    """A burst of the size that fills every worker thread; a call with a token and a known browser's sign-in go on."""
    real, go_on = PasswordHasher.verify, threading.Event()

    def held(self, stored, password):
        assert password != GUESS or go_on.wait(60)
        return real(self, stored, password)

    monkeypatch.setattr(PasswordHasher, "verify", held)
    token = services.sellers.new_token(services.sellers.named("ann"))
    with served(services, page=False) as url, ThreadPoolExecutor(120) as crowd:
        known = dict(sign_in(url, "ann").cookies)
        burst = [
            crowd.submit(sign_in, url, f"nobody{n}", GUESS, address=f"127.0.{n % 20 + 1}.{n // 20 + 1}")
            for n in range(120)
        ]
        assert becomes(lambda: any(guess.done() for guess in burst))  # more than can wait
        with httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=60) as client:
            assert client.get(f"{url}v1/listings").status_code == 200
        assert sign_in(url, "ann", cookies=known).status_code == 303
        go_on.set()
    assert {guess.result().status_code for guess in burst} == {401, 429}


def test_guesses_from_elsewhere_do_not_lock_the_owner_out(services):
    with served(services, page=False) as url:
        known = dict(sign_in(url, "ann", address="127.0.0.2").cookies)
        guesses = [sign_in(url, "ann", "wrong guess", address="127.0.0.3").status_code for _ in range(12)]
        assert guesses == [401] * 10 + [429] * 2
        assert sign_in(url, "ann", address="127.0.0.2").status_code == 303, "an address known from an earlier sign-in"
        assert sign_in(url, "ann", address="127.0.0.4", cookies=known).status_code == 303, "a known browser elsewhere"
        assert sign_in(url, "ann", address="127.0.0.5").status_code == 429, "a stranger, however right the password"
        assert sign_in(url, "ben", address="127.0.0.4", cookies=known).status_code == 401


def test_a_known_browser_guesses_ten_times_as_well(quick):
    app = create_app(quick, page=False)
    browser = browser_at(app, "192.0.2.1")
    assert post(browser, "ann").status_code == 303
    guesses = [post(browser, "ann", "wrong guess").status_code for _ in range(11)]
    assert guesses == [401] * 10 + [429]
    assert post(browser_at(app, "192.0.2.1"), "ann").status_code == 303, "its address has a count of its own"


@pytest.mark.parametrize(
    ("together", "apart"),
    [
        (["2001:db8::1", "2001:db8::2:0:0:3"], "2001:db8:0:1::1"),
        (["192.0.2.1", "::ffff:192.0.2.1"], "192.0.2.2"),
    ],
)
def test_one_address_tries_thirty_names(quick, together, apart):
    """A proxy makes all browsers one address: then new browsers wait, and known ones still get in."""
    app = create_app(quick, page=False)
    known = browser_at(app, together[0])
    assert post(known, "ann").status_code == 303
    guesses = [post(browser_at(app, together[n % 2]), f"nobody{n}").status_code for n in range(33)]
    assert guesses == [401] * 30 + [429] * 3
    assert post(browser_at(app, apart), "nobody").status_code == 401
    assert post(known, "ann").status_code == 303


def test_right_passwords_are_not_counted(quick):
    app = create_app(quick, page=False)
    assert [post(browser_at(app, f"192.0.2.{n}"), "ann").status_code for n in range(40)] == [303] * 40
    assert [post(browser_at(app, "192.0.2.1"), "ann").status_code for n in range(40)] == [303] * 40


@pytest.mark.parametrize(
    ("file", "place", "function"), [("quick", hashlib, "scrypt"), ("services", PasswordHasher, "verify")]
)
def test_an_unknown_name_costs_what_a_known_one_costs(request, monkeypatch, file, place, function):
    costs, real = [], getattr(place, function)

    def counted(*args, **named):
        costs.append(named or extract_parameters(args[1]))
        return real(*args, **named)

    browser = browser_at(create_app(request.getfixturevalue(file), page=False), "192.0.2.1")
    monkeypatch.setattr(place, function, counted)
    spent = {}
    for name in ("ann", "nobody"):
        answers = [post(browser, name, GUESS) for _ in range(12)]
        assert [a.status_code for a in answers] == [401] * 10 + [429] * 2
        spent[name] = (costs[:], [len(a.text) - len(name) for a in answers])
        costs.clear()
    assert len(spent["ann"][0]) == 10
    assert spent["ann"] == spent["nobody"]


def test_counts_are_bounded_and_end():
    """Ever new names from ever new addresses; a count that still matters is not dropped for them."""
    now = 0.0
    tries = Tries(lambda: now)

    async def guess(name, address):
        return await tries.check(SignInAttempt(name, address), lambda: None)

    async def crowd():
        nonlocal now
        for _ in range(PER_NAME):
            await guess("ann", "192.0.2.1")
        for n in range(MAX_COUNTS // 2 - 2):
            await guess(f"name{n}", f"place{n}")
        with pytest.raises(AppError, match="Too many wrong passwords"):
            await guess("ann", "192.0.2.9")
        for n in range(MAX_COUNTS // 2):
            await guess(f"other{n}", f"place{n}")
            assert len(tries.counts) <= MAX_COUNTS
        now += WINDOW_SECONDS
        await guess("ann", "192.0.2.1")  # raises nothing any more

    with ThreadPoolExecutor(1) as thread:  # the browser of other tests has a loop in this one
        thread.submit(asyncio.run, crowd()).result()
