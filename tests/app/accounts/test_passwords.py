"""Passwords: how they are hashed, which are refused, the file that holds them; and tokens beside them."""

from __future__ import annotations

import base64
import hashlib

import pytest
from argon2 import Type, extract_parameters
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from app.accounts.passwords import PasswordFileError, check_password, hash_password, read_passwords, write_password
from app.accounts.sellers import Sellers
from app.views import AppError


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


@pytest.mark.parametrize(
    "password",
    ["Password1", "aaaaaaaa", "x" * 24, "a" * 1000, "abababab", "susansusan", "Susan-susan", "nasusnasus", "susan2024",
     "12345678", "abcdefgh", "qwertzuiop"],
)  # fmt: skip
def test_a_password_that_is_guessed_first_is_refused(tmp_path, password):
    with pytest.raises(PasswordFileError, match="guessed first"):
        write_password(tmp_path / "passwords", "susan", password)
    assert not (tmp_path / "passwords").exists()


def test_all_common_passwords_are_refused(tmp_path):
    common = FREQUENCY_LISTS["passwords"]
    assert len(common) == 30_000
    for password in [word for word in common if len(word) >= 8][::40]:
        with pytest.raises(PasswordFileError, match="guessed first"):
            write_password(tmp_path / "passwords", "ann", password)
