"""How a sign-in ends: another password, a name that is gone, an end by date, a revocation; all beside a server.

Tokens in headers: withdrawn ones end at once, garbage is no load on the store and keeps nobody out.
"""

from __future__ import annotations

import io
import re
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, update

from app.accounts import authentication
from app.accounts.sellers import TOKEN_PREFIX
from app.accounts.sessions import Sessions
from app.cli.main import main
from app.store.db import store_away
from app.store.tables import TokenRow
from app.views import AppError
from tests.app.support.clients import PASSWORD, becomes, client_of, code

pytestmark = pytest.mark.slow

NEW = "a new password"


@pytest.fixture
def here(people):
    """The server of Ann and Ben."""
    return people("ann", "ben")


@pytest.fixture
def accounts(here, monkeypatch, capsys):
    """Runs ``ipl accounts`` on the server's home, ``typed`` at its prompt; returns (exit status, stdout, stderr)."""
    monkeypatch.setenv("IPL_HOME", str(here.services.settings.home))

    def run(*arguments, typed=NEW):
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{typed}\n"))
        capsys.readouterr()
        status = main(["accounts", *arguments])
        return status, *capsys.readouterr()

    return run


def sign_in(here, name, password=PASSWORD, **fields):
    """A browser, and the status of its sign-in."""
    browser = here.browser(None)
    return browser, browser.post("/sign-in", data={"name": name, "password": password, **fields}).status_code


def status_of(here, name, password=PASSWORD):
    return sign_in(here, name, password)[1]


def are_in(*clients):
    return [client.get("/v1/listings").status_code == 200 for client in clients]


def ended(expected, *clients):
    """Asked for as long as a running server has to notice a change."""
    return becomes(lambda: are_in(*clients) == expected)


def is_sentence(result, status, *words):
    """Whether a command ended with that status and one sentence with these words."""
    return (result[0], result[1], result[2].count("\n")) == (status, "", 1) and all(word in result[2] for word in words)


def test_another_password_ends_what_the_old_one_opened(here, accounts):
    ann, ben, program = here.browser("ann"), here.browser("ben"), here.signed("ann")
    assert are_in(ann, ben, program) == [True, True, True]
    assert accounts("password", "ann")[0] == 0
    assert ended([False, True, False], ann, ben, program)
    assert [status_of(here, "ann", password) for password in (PASSWORD, NEW)] == [401, 303]
    accounts("password", "ben", typed=PASSWORD)  # the same words again are another hash
    assert ended([False], ben)


def test_an_account_that_is_gone_ends_what_it_opened_and_a_new_one_opens(here, accounts):
    ann, ben, program = here.browser("ann"), here.browser("ben"), here.signed("ann")
    assert accounts("remove", "ann")[0] == 0
    assert ended([False, True, False], ann, ben, program)
    for name in ("ann", "cleo"):
        assert accounts("add", name, typed=PASSWORD)[0] == 0
    assert becomes(lambda: status_of(here, "cleo") == 303)
    assert are_in(ann, program) == [False, False]


@pytest.mark.parametrize("change", [{"expires_at": datetime.now(UTC) - timedelta(seconds=1)}, {"fingerprint": ""}])
def test_a_token_that_is_over_or_of_no_password_opens_nothing(here, change):
    program, other = here.signed("ann"), here.signed("ben")
    assert are_in(program, other) == [True, True]
    ann = here.services.sellers.named("ann").id
    with here.services.store.write() as session:
        session.execute(update(TokenRow).where(TokenRow.seller_id == ann).values(**change))
    assert ended([False, True], program, other)


def test_signing_in_can_sign_out_everywhere_else(here):
    lost, ben, program = here.browser("ann"), here.browser("ben"), here.signed("ann")
    assert sign_in(here, "ann", "wrong guess", everywhere="on")[1] == 401
    assert are_in(lost, ben, program) == [True, True, True]
    new, _ = sign_in(here, "ann", everywhere="on")
    assert are_in(new, lost, ben, program) == [True, False, True, True]
    again = client_of(here.services)
    again.cookies = lost.cookies
    assert are_in(again) == [False], "a restart brings nobody back"


def test_revoking_beside_a_running_server(here, accounts):
    browsers, programs = [here.browser(n) for n in ("ann", "ben")], [here.signed(n) for n in ("ann", "ann", "ben")]
    assert accounts("revoke", "ann")[0] == 0
    assert ended([False, True, False, False, True], *browsers, *programs)
    key = here.services.settings.home / "session.key"
    assert (stat.S_IMODE(key.stat().st_mode), key.stat().st_size) == (0o600, 32)
    assert status_of(here, "ann") == 303
    assert is_sentence(accounts("revoke", "nobody"), 1, "nobody")


def test_one_token_is_revoked_by_its_id(here, accounts):
    ann = here.browser("ann")
    made = [accounts("token", "ann", "--label", "the shop's till", "--days", "30"), accounts("token", "ben")]
    made.append(accounts("token", "ann", "--days", "0"))
    assert [(status, token[:4]) for status, token, _ in made] == [(0, "ipl_")] * 3
    programs = [here.client(headers={"Authorization": f"Bearer {token.strip()}"}) for _, token, _ in made]
    status, listed, _ = accounts("tokens", "ann")
    assert (status, are_in(*programs)) == (0, [True, True, True])
    assert made[0][1].strip() not in listed
    assert "ben" not in listed
    assert "ben" in accounts("tokens")[1]
    till = next(line for line in listed.splitlines() if "the shop's till" in line)
    assert (datetime.now(UTC) + timedelta(days=30)).date().isoformat() in till
    number = re.search(r"\b[0-9a-f]{8}\b", till)[0]
    for wrong in (("ben", number), ("ann", "0" * 8), ("ann", "")):
        assert accounts("revoke", *wrong)[0] == 1
    assert accounts("revoke", "ann", number)[0] == 0
    assert ended([False, True, True, True], *programs, ann)
    assert "till" not in accounts("tokens", "ann")[1]


def test_a_token_ends_after_the_days_of_the_settings(here, accounts, monkeypatch):
    accounts("token", "ann", "--label", "default")
    for days in ("2", "0"):
        monkeypatch.setenv("IPL_TOKEN_DAYS", days)
        accounts("token", "ann", "--label", days)
    with here.services.store.read() as session:
        days = {row.label: row.expires_at and (row.expires_at - row.created_at).days for row in session.query(TokenRow)}
    assert days == {"default": 365, "2": 2, "0": None}


def test_passwords_from_the_command_line(here, accounts):
    ann = here.browser("ann")
    assert accounts("password", "ann")[0] == 0
    assert becomes(lambda: status_of(here, "ann", NEW) == 303)
    assert ended([False], ann)
    assert is_sentence(accounts("password", "ann", typed="short"), 2, "8 to 1024 characters")
    for easy in ("annannann", "aaaaaaaa"):
        assert is_sentence(accounts("password", "ann", typed=easy), 2, "guessed first")
    assert accounts("remove", "ann")[0] == 0
    assert becomes(lambda: status_of(here, "ann", NEW) == 401)
    for name in ("ann", "ben"):  # not there any more; the last one, without whom a server is open to all
        assert is_sentence(accounts("remove", name), 2, name)
    assert here.services.sellers.accounts() == [("ben", False)]
    assert is_sentence(accounts("token", "ann"), 1, "accounts add ann")


def test_sellers_and_operators_come_and_go(here, accounts):
    def rights():
        return dict(line.split(maxsplit=1) for line in accounts("list")[1].splitlines()[1:])

    def opened(name):
        return sign_in(here, name, NEW)[0].get("/ops/export/models.json").status_code

    assert accounts("add", "cleo")[0] == 0
    assert accounts("add", "olga", "--operator")[0] == 0
    assert rights() == dict.fromkeys(("ann", "ben", "cleo"), "seller") | {"olga": "seller, operator"}
    assert becomes(lambda: [opened(name) for name in ("cleo", "olga", "dora")] == [403, 200, 401])

    assert is_sentence(accounts("add", "cleo", "--operator"), 2, "accounts password cleo")
    assert rights()["cleo"] == "seller"
    olga, _ = sign_in(here, "olga", NEW)
    assert accounts("password", "olga")[0] == 0  # another password, the same rights
    assert rights()["olga"] == "seller, operator"
    assert ended([False], olga)
    assert accounts("rights", "olga", "--no-operator")[0] == 0
    assert becomes(lambda: opened("olga") == 403)
    assert accounts("rights", "cleo", "--operator")[0] == 0
    assert rights()["cleo"] == "seller, operator"
    assert is_sentence(accounts("rights", "nobody", "--operator"), 2, "no account nobody")

    assert accounts("remove", "olga")[0] == 0
    assert "olga" not in rights()


def test_a_damaged_session_key_is_a_sentence_and_an_older_one_loses_its_names(here):
    home, sellers = here.services.settings.home, here.services.sellers
    key = home / "session.key"
    key.write_bytes(b"k" * 32 + b'{"ann": "a mark"}')
    Sessions(home, 1, sellers)
    assert key.read_bytes() == b"k" * 32
    key.write_bytes(b"short")
    with pytest.raises(AppError, match=r"session\.key is damaged"):
        Sessions(home, 1, sellers)
    assert key.read_bytes() == b"short"


def test_pages_of_who_is_signed_in_open_while_the_store_is_away(here, monkeypatch):
    ann, looked = here.browser("ann"), []
    assert are_in(ann) == [True]
    monkeypatch.setattr("app.accounts.sellers.REMEMBERED_SECONDS", 0.0)

    def away():
        looked.append(1)
        raise store_away()

    monkeypatch.setattr(here.services.store, "read", away)
    sessions = here.app.state.sessions
    cookie = ann.cookies["ipl_session"].strip('"')
    assert sessions.read(cookie) == "ann"
    assert looked
    looked.clear()
    assert [sessions.read(value) for value in ("", "garbage", f"x{cookie}", cookie[:-1])] == [None] * 4
    assert not looked, "garbage is no load on the store"


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
