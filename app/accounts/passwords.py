"""The password file: one ``name:hash`` a line, ``name:hash:operator`` for who may open ``/ops`` as well.

New hashes are Argon2id; scrypt lines of older versions still count.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from pathlib import Path

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import VerificationError
from filelock import FileLock

from app.store.files import replace_privately
from listing.errors import IplError

LOCK_SECONDS = 10  # longest wait for another program that changes the same file
NAME = re.compile(r"[\w.@+-]{1,64}")
BAD_NAME = "A name has up to 64 letters, digits or . _ @ + -; choose another."
OPERATOR = ":operator"
MIN_CHARACTERS, MAX_CHARACTERS = 8, 1024
LEAST_GUESSES = 10**7  # of somebody who knows the name and tries what people choose; zxcvbn looks at 72 characters
# Argon2id, well above the least that OWASP lists (19 MiB twice): about 0.1 s, and 46 MiB in each of two threads.
_ARGON2 = PasswordHasher(time_cost=2, memory_cost=46 * 1024, parallelism=1)


class PasswordFileError(IplError):
    """The password file is unusable; the message names the line and what to do."""

    code, exit_status = "bad_password_file", 2


def hash_password(password: str, name: str = "") -> str:
    """The Argon2id hash of a password with a random salt.

    Raises PasswordFileError: too short, too long, or easy to guess: common, repeated, in a row, made of the name.
    """
    from zxcvbn import zxcvbn

    if not MIN_CHARACTERS <= len(password) <= MAX_CHARACTERS:
        message = f"The password needs {MIN_CHARACTERS} to {MAX_CHARACTERS} characters; choose another."
        raise PasswordFileError(message)
    rest = re.sub(re.escape(name), "", password, flags=re.IGNORECASE) if name else password
    if not rest or zxcvbn(rest[:72], user_inputs=[name])["guesses"] < LEAST_GUESSES:
        raise PasswordFileError("This password is one of those that are guessed first; choose another.")
    return _ARGON2.hash(_bytes(password))


def _bytes(password: str) -> bytes:
    return password[:MAX_CHARACTERS].encode("utf-8", "surrogatepass")


def check_password(password: str, stored: str) -> bool:
    """True where the password is the stored one, compared in constant time."""
    stored = stored.removesuffix(OPERATOR)
    if stored.startswith("scrypt$"):
        n, r, p, salt, expected = _parse_scrypt(stored)
        maxmem = 256 * n * r * max(1, p)
        return hmac.compare_digest(
            hashlib.scrypt(_bytes(password), salt=salt, n=n, r=r, p=p, maxmem=maxmem, dklen=32), expected
        )
    try:
        return _ARGON2.verify(stored, _bytes(password))
    except VerificationError:
        return False


def _parse_scrypt(stored: str) -> tuple[int, int, int, bytes, bytes]:
    """N, r, p, salt and hash of ``scrypt$N$r$p$salt$hash``. Raises ValueError where nothing can be checked by it."""
    if not re.fullmatch(r"scrypt(\$[1-9]\d{0,9}){3}(\$[\w+/=]+){2}", stored, re.ASCII):
        raise ValueError
    n, r, p = (int(number) for number in stored.split("$")[1:4])
    salt, expected = (base64.b64decode(part, validate=True) for part in stored.split("$")[4:])
    if n < 2 or n.bit_count() != 1:
        raise ValueError
    return n, r, p, salt, expected


def read_passwords(path: Path) -> dict[str, str]:
    """Name -> stored hash, behind it the mark of an operator; empty lines and ``#`` are passed over.

    Raises PasswordFileError: it is not usable.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise PasswordFileError(f"The password file {path} cannot be read; check its path and permissions.") from error
    passwords: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, stored = line.strip().partition(":")
        try:
            hashed = stored.removesuffix(OPERATOR)
            if not NAME.fullmatch(name) or name in passwords or ":" in hashed:
                raise ValueError
            (_parse_scrypt if hashed.startswith("scrypt$") else extract_parameters)(hashed)
        except ValueError as error:  # argon2's InvalidHash is one as well
            raise PasswordFileError(
                f"Line {number} of {path} is unusable; write it again with ./ipl accounts password NAME {path}."
            ) from error
        passwords[name] = stored
    if not passwords:
        raise PasswordFileError(f"{path} names nobody; ./ipl accounts add NAME {path} adds somebody.")
    return passwords


def is_operator(stored: str) -> bool:
    """True where a line of the password file is an operator's."""
    return stored.endswith(OPERATOR)


def fingerprint_of(stored: str) -> str:
    """The fingerprint of a stored hash. Its salt is random, so that nobody can guess the password by it."""
    return hashlib.sha256(stored.encode()).hexdigest()


def write_password(path: Path, name: str, password: str, *, operator: bool | None = None, added: bool = False) -> None:
    """Add or replace a line. ``operator`` None: as it was, a seller if new. ``added``: the name has to be a new one.

    Raises PasswordFileError: the name or the password is unusable, or the name is not new.
    """
    if not NAME.fullmatch(name):
        raise PasswordFileError(BAD_NAME)
    line = hash_password(password, name)
    with _locked(path):
        passwords = read_passwords(path) if path.is_file() and path.stat().st_size else {}
        if added and name in passwords:
            raise PasswordFileError(f"{path} has {name} already; ./ipl accounts password {name} {path} changes it.")
        operator = is_operator(passwords.get(name, "")) if operator is None else operator
        _write_passwords(path, {**passwords, name: line + OPERATOR * operator})


def remove_password(path: Path, name: str) -> None:
    """Take a name out, which ends its sign-ins and tokens. Raises PasswordFileError: it is not there, or the last."""
    with _locked(path):
        passwords = read_passwords(path)
        if name not in passwords:
            raise PasswordFileError(f"{path} has no {name}; it names {', '.join(sorted(passwords))[:200]}.")
        if len(passwords) == 1:
            raise PasswordFileError(f"{name} is the last name in {path} and no server runs without one; add another.")
        _write_passwords(path, {who: stored for who, stored in passwords.items() if who != name})


def _locked(path: Path) -> FileLock:
    if not path.parent.is_dir():
        raise PasswordFileError(f"{path.parent} is no folder; make it, or name another file.")
    return FileLock(path.with_name(f".{path.name}.lock"), timeout=LOCK_SECONDS, mode=0o600)


def _write_passwords(path: Path, passwords: Mapping[str, str]) -> None:
    replace_privately(path, "".join(f"{who}:{stored}\n" for who, stored in passwords.items()).encode())
