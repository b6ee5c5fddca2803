"""Passwords: how they are hashed, which are refused, an older version's file of them; and tokens beside them."""

from __future__ import annotations

import base64
import hashlib

import pytest
from argon2 import Type, extract_parameters
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from app.accounts.passwords import AccountError, check_password, hash_password, read_passwords
from app.accounts.sellers import Sellers, open_sellers
from app.views import AppError


def test_passwords():
    stored = hash_password("correct horse")
    assert check_password("correct horse", stored)
    assert not check_password("correct horses", stored)
    assert stored != hash_password("correct horse")
    assert "correct" not in stored
    with pytest.raises(AccountError, match="8 to 1024"):
        hash_password("short")


def test_two_passwords_at_once_fit_into_a_small_machine():
    kind = extract_parameters(hash_password("correct horse"))
    assert kind.type is Type.ID
    assert 2 * kind.memory_cost * 1024 <= 100e6
    assert kind.time_cost * kind.memory_cost >= 2 * 19 * 1024, "the least that OWASP lists"


def test_a_line_of_an_older_version_still_signs_in(services, tmp_path, monkeypatch):
    salt, file = b"0123456789abcdef", tmp_path / "passwords"
    hashed = hashlib.scrypt(b"long enough", salt=salt, n=2**15, r=8, p=3, maxmem=2**26, dklen=32)
    line = "$".join(("scrypt", "32768", "8", "3", *(base64.b64encode(part).decode() for part in (salt, hashed))))
    file.write_text(f"# of before\nann:{line}:operator\n")
    services.sellers.named("ann")
    token = services.sellers.new_token(services.sellers.named("olga"))
    monkeypatch.setenv("IPL_PASSWORDS", str(file))
    monkeypatch.setenv("IPL_OPERATORS", "olga, bob")
    sellers = open_sellers(services.store)
    sellers.set_password("bob", "long enough too")
    assert sellers.signed_in("ann", "long enough").operator
    assert sellers.signed_in("ann", "long enougj") is None
    assert sellers.signed_in("bob", "long enough too").stored.startswith("$argon2id$")
    assert sellers.by_token(token) is None, "made while nobody had an account"
    file.unlink()
    assert open_sellers(services.store).accounts() == [("ann", True), ("bob", False)], "read once"


def test_a_file_that_cannot_be_taken_over_opens_nothing(services, tmp_path, monkeypatch):
    monkeypatch.setenv("IPL_PASSWORDS", str(tmp_path / "none"))
    with pytest.raises(AccountError, match="cannot be read"):
        open_sellers(services.store)


def test_a_password_file_is_checked_line_by_line(tmp_path):
    file = tmp_path / "passwords"
    for unusable in (
        "plain text",
        "scrypt$3$8$1$AAAA$AAAA",
        "scrypt$16$8$1$AAAA$AAA",
        "scrypt$16$0$1$AAAA$AAAA",
        "$argon2id$v=19$m=8",
    ):
        file.write_text(f"ann:{unusable}\n")
        with pytest.raises(AccountError, match="Line 1"):
            read_passwords(file)
    file.write_text("# nobody\n")
    with pytest.raises(AccountError, match="names nobody"):
        read_passwords(file)


def test_signing_in_and_tokens(services, tmp_path):
    services.sellers.set_password("ann", "long enough")
    services.sellers.set_password("bob", "long enough")
    sellers = Sellers(services.store)
    assert sellers.signed_in("ann", "wrong password") is None
    assert sellers.signed_in("nobody", "long enough") is None
    ann = sellers.for_page("ann")
    assert sellers.signed_in("ann", "long enough").seller == ann
    assert ann.name == "ann"
    token = sellers.new_token(ann)
    assert sellers.by_token(token) == ann
    assert sellers.by_token(token + "x") is None
    assert token.encode() not in b"".join(f.read_bytes() for f in tmp_path.glob("store.sqlite*"))
    sellers.close_account("ann")
    assert sellers.by_token(token) is None
    for name in (None, "ann", "carl"):
        with pytest.raises(AppError, match="sign in"):
            sellers.for_page(name)


@pytest.mark.parametrize(
    "password",
    ["Password1", "aaaaaaaa", "x" * 24, "a" * 1000, "abababab", "susansusan", "Susan-susan", "nasusnasus", "susan2024",
     "12345678", "abcdefgh", "qwertzuiop"],
)  # fmt: skip
def test_a_password_that_is_guessed_first_is_refused(services, password):
    with pytest.raises(AccountError, match="guessed first"):
        services.sellers.set_password("susan", password)
    assert not services.sellers.accounts()


def test_all_common_passwords_are_refused():
    common = FREQUENCY_LISTS["passwords"]
    assert len(common) == 30_000
    for password in [word for word in common if len(word) >= 8][::40]:
        with pytest.raises(AccountError, match="guessed first"):
            hash_password(password, "ann")
