"""Settings from the environment, identity, password files."""

from __future__ import annotations

import base64
import hashlib
import os

import pytest
from argon2 import Type, extract_parameters

from app.accounts.passwords import PasswordFileError, check_password, hash_password, read_passwords, write_password
from app.accounts.sellers import Sellers
from app.settings import Settings, SettingsError, load_settings
from app.views import AppError


@pytest.fixture(autouse=True)
def variables(monkeypatch):
    """Sets ``IPL_*`` variables; there are no others."""
    for name in [name for name in os.environ if name.startswith("IPL_")]:
        monkeypatch.delenv(name)
    return monkeypatch.setenv


def test_values_come_from_the_environment_and_given_ones_win(tmp_path, variables):
    for name, value in {"IPL_HOME": str(tmp_path), "IPL_PORT": "8080", "IPL_RAG": "0", "IPL_MODEL": ""}.items():
        variables(name, value)
    settings = load_settings(port=9)
    assert (settings.home, settings.port, settings.rag, settings.model) == (tmp_path, 9, False, None)
    assert settings.store_url == f"sqlite:///{tmp_path / 'store.sqlite'}"


def test_the_home_is_absolute(tmp_path, variables, monkeypatch):
    monkeypatch.chdir(tmp_path)
    variables("IPL_HOME", "here")
    assert load_settings().home == tmp_path / "here"
    variables("IPL_HOME", "")
    assert load_settings().home == Settings().home


def test_a_home_that_nobody_names_lies_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert load_settings().home == tmp_path / ".cache" / "ipl"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    assert load_settings().home == tmp_path / "other" / "ipl"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("IPL_PROT", "no setting IPL_PROT; did you mean 'IPL_PORT'"),
        ("IPL_QQQQQQQQ", "unset it"),
        ("IPL_FEED_ALWAYS", "any more: feed.yaml alone says what serves"),
        ("IPL_ALERT_WEBHOOK", "any more: Prometheus alerts"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_name(variables, name, hint):
    variables(name, "1")
    with pytest.raises(SettingsError, match=hint):
        load_settings()


@pytest.mark.parametrize(("name", "value"), [("IPL_PORT", "high"), ("IPL_CURRENCY", "euro"), ("IPL_QUEUE_LENGTH", "0")])
def test_an_unusable_value_names_its_variable(variables, name, value):
    variables(name, value)
    with pytest.raises(SettingsError, match=f"{name} is unusable"):
        load_settings()


def test_the_network_is_reached_only_with_passwords(tmp_path):
    with pytest.raises(SettingsError, match="IPL_PASSWORDS"):
        Settings(home=tmp_path, host="0.0.0.0").checked()
    with pytest.raises(SettingsError, match="is not there"):
        Settings(home=tmp_path, passwords=tmp_path / "none").checked()
    assert Settings(home=tmp_path).host == "127.0.0.1"
    for host in ("127.0.0.1", "localhost", "::1"):
        assert Settings(home=tmp_path, host=host).checked()


def test_passwords():
    stored = hash_password("correct horse")
    assert check_password("correct horse", stored)
    assert not check_password("correct horses", stored)
    assert stored != hash_password("correct horse")
    assert "correct" not in stored
    with pytest.raises(PasswordFileError, match="8 to 1024"):
        hash_password("short")


def test_two_passwords_at_once_fit_into_a_small_machine():
    kind = extract_parameters(hash_password("correct horse"))
    assert kind.type is Type.ID
    assert 2 * kind.memory_cost * 1024 <= 100e6
    assert kind.time_cost * kind.memory_cost >= 2 * 19 * 1024, "the least that OWASP lists"


def test_a_line_of_an_older_version_still_signs_in(services, tmp_path):
    salt, file = b"0123456789abcdef", tmp_path / "passwords"
    hashed = hashlib.scrypt(b"long enough", salt=salt, n=2**15, r=8, p=3, maxmem=2**26, dklen=32)
    line = "$".join(("scrypt", "32768", "8", "3", *(base64.b64encode(part).decode() for part in (salt, hashed))))
    file.write_text(f"ann:{line}\n")
    write_password(file, "bob", "long enough too")
    sellers = Sellers(services.store, read_passwords(file))
    assert sellers.stored_if_right("ann", "long enough") == line
    assert sellers.stored_if_right("ann", "long enougj") is None
    assert sellers.stored_if_right("bob", "long enough too").startswith("$argon2id$")


def test_a_password_file_is_private_and_checked_line_by_line(tmp_path):
    file = tmp_path / "passwords"
    write_password(file, "ann", "long enough")
    write_password(file, "bob", "long enough")
    assert set(read_passwords(file)) == {"ann", "bob"}
    assert file.stat().st_mode & 0o077 == 0
    for mode, kept in ((0o640, 0o640), (0o644, 0o640)):  # a server of another user may go on reading it
        file.chmod(mode)
        write_password(file, "bob", "long enough")
        assert file.stat().st_mode & 0o777 == kept
    for unusable in (
        "plain text",
        "scrypt$3$8$1$AAAA$AAAA",
        "scrypt$16$8$1$AAAA$AAA",
        "scrypt$16$0$1$AAAA$AAAA",
        "$argon2id$v=19$m=8",
    ):
        file.write_text(f"ann:{unusable}\n")
        with pytest.raises(PasswordFileError, match="Line 1"):
            read_passwords(file)
    file.write_text("# nobody\n")
    with pytest.raises(PasswordFileError, match="names nobody"):
        read_passwords(file)


def test_signing_in_and_tokens(services, tmp_path):
    sellers = Sellers(services.store, {"ann": hash_password("long enough")})
    assert sellers.stored_if_right("ann", "wrong password") is None
    assert sellers.stored_if_right("nobody", "long enough") is None
    assert sellers.stored_if_right("ann", "long enough") == sellers.passwords["ann"]
    ann = sellers.for_page("ann")
    assert ann.name == "ann"
    token = sellers.new_token(ann)
    assert sellers.by_token(token) == ann
    assert sellers.by_token(token + "x") is None
    assert token.encode() not in b"".join(f.read_bytes() for f in tmp_path.glob("store.sqlite*"))
    assert Sellers(services.store, {"bob": "x"}).by_token(token) is None  # whoever left the file is out
    with pytest.raises(AppError, match="sign in"):
        sellers.for_page(None)
    with pytest.raises(AppError, match="sign in"):
        sellers.for_page("bob")
