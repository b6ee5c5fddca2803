"""Passwords: new hashes are Argon2id; scrypt ones of older versions still count.

An older version kept accounts in a file: one ``name:hash`` a line, ``name:hash:operator`` for who may open ``/ops``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from pathlib import Path

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import VerificationError

from listing.errors import IplError

NAME = re.compile(r"[\w.@+-]{1,64}")
BAD_NAME = "A name has up to 64 letters, digits or . _ @ + -; choose another."
OPERATOR = ":operator"
MIN_CHARACTERS, MAX_CHARACTERS = 8, 1024
LEAST_GUESSES = 10**7  # of somebody who knows the name and tries what people choose; zxcvbn looks at 72 characters
# Argon2id, well above the least that OWASP lists (19 MiB twice): about 0.1 s, and 46 MiB in each of two threads.
_ARGON2 = PasswordHasher(time_cost=2, memory_cost=46 * 1024, parallelism=1)


class AccountError(IplError):
    """A name, a password or an older version's password file is unusable; the message says what to do."""

    code, exit_status = "bad_account", 2


def hash_password(password: str, name: str = "") -> str:
    """The Argon2id hash of a password with a random salt.

    Raises AccountError: too short, too long, or easy to guess: common, repeated, in a row, made of the name.
    """
    from zxcvbn import zxcvbn

    if not MIN_CHARACTERS <= len(password) <= MAX_CHARACTERS:
        message = f"The password needs {MIN_CHARACTERS} to {MAX_CHARACTERS} characters; choose another."
        raise AccountError(message)
    rest = re.sub(re.escape(name), "", password, flags=re.IGNORECASE) if name else password
    if not rest or zxcvbn(rest[:72], user_inputs=[name])["guesses"] < LEAST_GUESSES:
        raise AccountError("This password is one of those that are guessed first; choose another.")
    return _ARGON2.hash(_bytes(password))


def _bytes(password: str) -> bytes:
    return password[:MAX_CHARACTERS].encode("utf-8", "surrogatepass")


def check_password(password: str, stored: str) -> bool:
    """True where the password is the stored one, compared in constant time."""
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


def read_passwords(path: Path) -> dict[str, tuple[str, bool]]:
    """Name -> stored hash, and True for an operator; empty lines and ``#`` are passed over.

    Raises AccountError: it is not usable.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise AccountError(f"The password file {path} cannot be read; check its path and permissions.") from error
    passwords: dict[str, tuple[str, bool]] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, stored = line.strip().partition(":")
        hashed = stored.removesuffix(OPERATOR)
        try:
            if not NAME.fullmatch(name) or name in passwords or ":" in hashed:
                raise ValueError
            (_parse_scrypt if hashed.startswith("scrypt$") else extract_parameters)(hashed)
        except ValueError as error:  # argon2's InvalidHash is one as well
            raise AccountError(f"Line {number} of {path} is unusable; correct it, or take it out.") from error
        passwords[name] = hashed, stored != hashed
    if not passwords:
        raise AccountError(f"{path} names nobody; unset IPL_PASSWORDS, and ./ipl accounts add NAME adds somebody.")
    return passwords


def fingerprint_of(stored: str) -> str:
    """The fingerprint of a stored hash. Its salt is random, so that nobody can guess the password by it."""
    return hashlib.sha256(stored.encode()).hexdigest()
