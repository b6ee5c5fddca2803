"""How a sign-in ends: another password, a name that is gone, an end by date, a revocation; all beside a server."""

from __future__ import annotations

import re
import stat
import time
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from app.accounts.passwords import write_password
from app.cli.main import main
from app.store.tables import TokenRow
from app.web.server import create_app

RIGHT = "long enough"
NOTICED_SECONDS = 1.0
MOST_SECONDS = 60.0  # on a busy machine


@pytest.fixture
def file(tmp_path):
    for name in ("ann", "ben"):
        write_password(tmp_path / "passwords", name, RIGHT)
    return tmp_path / "passwords"


@pytest.fixture
def services(build, file):
    return build(passwords=file)


@pytest.fixture
def app(services):
    return create_app(services, page=False)


@pytest.fixture
def accounts(services, monkeypatch, capsys):
    """Runs ``ipl accounts`` on the server's home; returns (exit status, stdout, stderr)."""
    monkeypatch.setenv("IPL_HOME", str(services.settings.home))
    monkeypatch.setenv("IPL_PASSWORDS", str(services.settings.passwords))

    def run(*arguments):
        capsys.readouterr()
        status = main(["accounts", *arguments])
        return status, *capsys.readouterr()

    return run


def browser_of(app, name, password=RIGHT, **fields):
    browser = TestClient(app, base_url="http://localhost", follow_redirects=False)
    browser.status = browser.post("/sign-in", data={"name": name, "password": password, **fields}).status_code
    return browser


def program_of(app, token):
    return TestClient(app, base_url="http://localhost", headers={"Authorization": f"Bearer {token}"})


def token_of(services, name):
    return services.sellers.new_token(services.sellers.named(name))


def is_in(*clients):
    return [client.get("/v1/listings").status_code == 200 for client in clients]


def soon(check, wanted):
    """What ``check`` returns, asked for as long as a running server has to notice a change."""
    until = time.monotonic() + MOST_SECONDS
    while (found := check()) != wanted and time.monotonic() < until:
        time.sleep(0.05)
    return found


def test_another_password_ends_what_the_old_one_opened(services, app, file):
    ann, ben = browser_of(app, "ann"), browser_of(app, "ben")
    program = program_of(app, token_of(services, "ann"))
    assert is_in(ann, ben, program) == [True, True, True]
    write_password(file, "ann", "another password")
    assert soon(lambda: is_in(ann, ben, program), [False, True, False]) == [False, True, False]
    assert [browser_of(app, "ann", p).status for p in (RIGHT, "another password")] == [401, 303]
    write_password(file, "ben", RIGHT)  # the same words again are another line
    assert soon(lambda: is_in(ben), [False]) == [False]


def test_a_line_that_is_gone_ends_what_it_opened_and_a_new_one_opens(services, app, file):
    ann, ben = browser_of(app, "ann"), browser_of(app, "ben")
    program = program_of(app, token_of(services, "ann"))
    kept = [line for line in file.read_text().splitlines() if not line.startswith("ann:")]
    file.write_text("\n".join(kept))
    assert soon(lambda: is_in(ann, ben, program), [False, True, False]) == [False, True, False]
    write_password(file, "ann", RIGHT)
    write_password(file, "cleo", RIGHT)
    assert soon(lambda: browser_of(app, "cleo").status, 303) == 303
    assert is_in(ann, program) == [False, False]


@pytest.mark.parametrize("broken", ["ann:plain text\n", "", None, "# nobody\n"])
def test_a_file_that_breaks_while_the_server_runs_changes_nothing(app, file, broken, caplog):
    ann = browser_of(app, "ann")
    if broken is None:
        file.unlink()
    else:
        file.write_text(broken)

    def warnings():
        return [r for r in caplog.records if r.name == "app.accounts.watched_file"]

    assert soon(lambda: (is_in(ann), len(warnings())), ([True], 1)) == ([True], 1)
    assert browser_of(app, "ben").status == 303
    assert RIGHT not in caplog.text
    time.sleep(NOTICED_SECONDS)
    assert is_in(ann) == [True]
    assert len(warnings()) == 1, "one warning, not one a second"


@pytest.mark.parametrize("change", [{"expires_at": datetime.now(UTC) - timedelta(seconds=1)}, {"fingerprint": ""}])
def test_a_token_that_is_over_or_of_no_password_opens_nothing(services, app, change):
    program, other = (program_of(app, token_of(services, name)) for name in ("ann", "ben"))
    assert is_in(program, other) == [True, True]
    ann = services.sellers.named("ann").id
    with services.store.write() as session:
        session.execute(update(TokenRow).where(TokenRow.seller_id == ann).values(**change))
    assert is_in(program, other) == [False, True]


def test_signing_in_can_sign_out_everywhere_else(services, app):
    lost, ben = browser_of(app, "ann"), browser_of(app, "ben")
    program = program_of(app, token_of(services, "ann"))
    assert browser_of(app, "ann", "wrong guess", everywhere="on").status == 401
    assert is_in(lost, ben, program) == [True, True, True]
    here = browser_of(app, "ann", everywhere="on")
    assert is_in(here, lost, ben, program) == [True, False, True, True]
    again = TestClient(create_app(services, page=False), base_url="http://localhost")
    again.cookies = lost.cookies
    assert is_in(again) == [False], "a restart brings nobody back"


def test_revoking_beside_a_running_server(services, app, accounts):
    ann, ben = browser_of(app, "ann"), browser_of(app, "ben")
    programs = [program_of(app, token_of(services, name)) for name in ("ann", "ann", "ben")]
    key = services.settings.home / "session.key"
    assert accounts("revoke", "ann")[0] == 0
    everything = [False, True, False, False, True]
    assert soon(lambda: is_in(ann, ben, *programs), everything) == everything
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert browser_of(app, "ann").status == 303
    status, _, told = accounts("revoke", "nobody")
    assert (status, told.count("\n"), "nobody" in told) == (1, 1, True)


def test_one_token_is_revoked_by_its_id(services, app, accounts):
    ann = browser_of(app, "ann")
    status, token, _ = accounts("token", "ann", "--label", "the shop's till", "--days", "30")
    assert (status, token[:4]) == (0, "ipl_")
    kept = accounts("token", "ann", "--days", "0")[1].strip()
    others = accounts("token", "ben")[1].strip()
    programs = [program_of(app, t) for t in (token.strip(), kept, others)]
    status, listed, _ = accounts("tokens", "ann")
    assert (status, is_in(*programs)) == (0, [True, True, True])
    assert token.strip() not in listed
    assert "ben" not in listed
    assert "ben" in accounts("tokens")[1]
    till = next(line for line in listed.splitlines() if "the shop's till" in line)
    ends = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    assert ends in till
    number = re.search(r"\b[0-9a-f]{8}\b", till)[0]
    for wrong in (("ben", number), ("ann", "0" * 8), ("ann", "")):
        assert accounts("revoke", *wrong)[0] == 1
    assert accounts("revoke", "ann", number)[0] == 0
    assert is_in(*programs, ann) == [False, True, True, True]
    assert "till" not in accounts("tokens", "ann")[1]


def test_a_token_ends_after_the_days_of_the_settings(services, accounts, monkeypatch):
    accounts("token", "ann", "--label", "default")
    monkeypatch.setenv("IPL_TOKEN_DAYS", "2")
    accounts("token", "ann", "--label", "two")
    monkeypatch.setenv("IPL_TOKEN_DAYS", "0")
    accounts("token", "ann", "--label", "none")
    assert dict(_ends(services)) == {"default": 365, "two": 2, "none": None}


def _ends(services):
    with services.store.read() as session:
        for row in session.query(TokenRow):
            yield row.label, row.expires_at and round((row.expires_at - row.created_at) / timedelta(days=1))


def test_passwords_from_the_command_line(services, app, file, accounts, monkeypatch, tmp_path):
    ann = browser_of(app, "ann")
    monkeypatch.setattr("sys.stdin", Typed("a new password\n"))
    assert accounts("password", "ann", str(file))[0] == 0
    assert soon(lambda: browser_of(app, "ann", "a new password").status, 303) == 303
    assert is_in(ann) == [False]
    monkeypatch.setattr("sys.stdin", Typed("short\n"))
    assert accounts("password", "ann", str(file)) == (
        2,
        "",
        "ipl: The password needs 8 to 1024 characters; choose another.\n",
    )
    for easy in ("annannann", "aaaaaaaa"):
        monkeypatch.setattr("sys.stdin", Typed(f"{easy}\n"))
        sentence = "ipl: This password is one of those that are guessed first; choose another.\n"
        assert accounts("password", "ann", str(file)) == (2, "", sentence)
    assert accounts("remove", "ann", str(file))[0] == 0
    assert soon(lambda: browser_of(app, "ann", "a new password").status, 401) == 401
    before = file.read_bytes()
    for name in ("ann", "ben"):  # not there any more; the last one, without whom no server starts
        status, _, told = accounts("remove", name, str(file))
        assert (status, told.count("\n"), name in told) == (2, 1, True)
    assert file.read_bytes() == before
    assert accounts("remove", "ann", str(tmp_path / "none"))[0] == 2
    status, token, told = accounts("token", "ann")
    assert (status, token) == (1, "")
    assert "accounts add ann" in told


def test_sellers_and_operators_come_and_go(services, app, file, accounts, monkeypatch):
    def typed(*arguments, password="a new password"):
        monkeypatch.setattr("sys.stdin", Typed(f"{password}\n"))
        return accounts(*arguments)

    def rights():
        return dict(line.split(maxsplit=1) for line in accounts("list")[1].splitlines()[1:])

    def opened(name):
        return browser_of(app, name, "a new password").get("/ops/export/models.json").status_code

    assert typed("add", "cleo")[0] == 0
    assert typed("add", "olga", "--operator")[0] == 0
    assert rights() == dict.fromkeys(("ann", "ben", "cleo"), "seller") | {"olga": "seller, operator"}
    assert soon(lambda: [opened(name) for name in ("cleo", "olga", "dora")], [403, 200, 401]) == [403, 200, 401]

    before = file.read_bytes()
    status, _, told = typed("add", "cleo", "--operator")
    assert (status, "accounts password cleo" in told, file.read_bytes() == before) == (2, True, True)
    olga = browser_of(app, "olga", "a new password")
    assert typed("password", "olga", str(file))[0] == 0  # another password, the same rights
    assert rights()["olga"] == "seller, operator"
    assert typed("password", "olga", "--no-operator")[0] == 0
    assert soon(lambda: (is_in(olga), opened("olga")), ([False], 403)) == ([False], 403)
    monkeypatch.setenv("IPL_OPERATORS", "cleo, nobody")
    assert rights()["cleo"] == "seller, operator"

    assert accounts("remove", "olga")[0] == 0
    assert "olga" not in rights()
    monkeypatch.delenv("IPL_PASSWORDS")
    status, _, told = accounts("list")
    assert (status, told.count("\n"), "IPL_PASSWORDS" in told) == (2, 1, True)


class Typed:
    """A terminal's place taken by a pipe."""

    def __init__(self, line):
        self.line = line

    def isatty(self):
        return False

    def readline(self):
        return self.line


def test_a_damaged_session_key_is_a_sentence(services, accounts):
    key = services.settings.home / "session.key"
    create_app(services, page=False)
    key.write_bytes(b"short")
    status, _, told = accounts("revoke", "ann")
    assert (status, "session.key is damaged" in told) == (1, True)
    assert key.read_bytes() == b"short"
