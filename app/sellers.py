"""Who is asking: one person on loopback, names with passwords for the page, tokens for programs.

Run as a program it makes a password file or a token::

    python -m app.sellers password NAME FILE
    python -m app.sellers token NAME
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.db import Store
from app.drafts import new_id
from app.tables import SellerRow, TokenRow
from app.views import AppError

ONE_PERSON = "me"
TOKEN_PREFIX = "ipl_"
_NAME = re.compile(r"[\w.@+-]{1,64}")
# scrypt: 2^15 x 8 x 1 needs 32 MiB and about 0.1 s, the parameters that OWASP lists for interactive sign-in with p=3.
_N, _R, _P = 2**15, 8, 3
_MAX_MEMORY = 128 * _N * _R * 2
_MOST_PASSWORD = 1024


class PasswordFileError(ValueError):
    """The password file is unusable; the message names the line and what to do."""


@dataclass(frozen=True)
class Seller:
    """A signed-in seller: ``id`` goes into tables and index, ``name`` is shown to themselves only."""

    id: str
    name: str


def hash_password(password: str, salt: bytes | None = None) -> str:
    """``scrypt$N$r$p$salt$hash``, salt and hash in base64.

    Raises:
        PasswordFileError: shorter than 8 or longer than 1024 characters.
    """
    if not 8 <= len(password) <= _MOST_PASSWORD:
        raise PasswordFileError(f"The password needs 8 to {_MOST_PASSWORD} characters; choose another.")
    salt = salt or os.urandom(16)
    parts = (base64.b64encode(part).decode() for part in (salt, _scrypt(password, salt, _N, _R, _P)))
    return "$".join(("scrypt", str(_N), str(_R), str(_P), *parts))


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    data = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(data, salt=salt, n=n, r=r, p=p, maxmem=max(_MAX_MEMORY, 256 * n * r), dklen=32)


def check_password(password: str, stored: str) -> bool:
    """Whether the password is the stored one, compared in constant time."""
    _, n, r, p, salt, expected = stored.split("$")
    found = _scrypt(password[:_MOST_PASSWORD], base64.b64decode(salt), int(n), int(r), int(p))
    return hmac.compare_digest(found, base64.b64decode(expected))


def read_passwords(path: Path) -> dict[str, str]:
    """Name -> stored hash of a password file: one ``name:scrypt$...`` a line; empty lines and ``#`` are passed over.

    Raises:
        PasswordFileError: the file cannot be read, is empty, or a line is wrong.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise PasswordFileError(f"The password file {path} cannot be read; check its path and permissions.") from error
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, stored = line.strip().partition(":")
        if not _NAME.fullmatch(name) or name in found or not re.fullmatch(r"scrypt(\$\d+){3}(\$[\w+/=]+){2}", stored):
            raise PasswordFileError(
                f"Line {number} of {path} is unusable; write it again with python -m app.sellers password NAME {path}."
            )
        found[name] = stored
    if not found:
        raise PasswordFileError(f"{path} names nobody; python -m app.sellers password NAME {path} adds somebody.")
    return found


class Sellers:
    """Sellers of a store. ``passwords`` None is the single-user mode: everyone who reaches the server is one person."""

    def __init__(self, store: Store, passwords: dict[str, str] | None) -> None:
        self.store, self.passwords = store, passwords
        self._decoy = hash_password(secrets.token_hex(16)) if passwords is not None else ""

    @property
    def single(self) -> bool:
        """Whether this is the single-user mode."""
        return self.passwords is None

    def named(self, name: str) -> Seller:
        """The seller of that name, made on first sight. Raises AppError for what cannot be a name."""
        if not _NAME.fullmatch(name):
            raise AppError("bad_name", "A name has up to 64 letters, digits or . _ @ + -; choose another.", 422)
        try:
            with self.store.write() as session:
                row = session.scalar(select(SellerRow).where(SellerRow.name == name))
                if row is None:
                    row = SellerRow(id=new_id(), name=name)
                    session.add(row)
                    session.flush()
                return Seller(row.id, row.name)
        except IntegrityError:
            return self.named(name)

    def only(self) -> Seller:
        """The one person of the single-user mode."""
        if not self.single:
            raise AppError("sign_in", "Please sign in first.", 401)
        return self.named(ONE_PERSON)

    def for_page(self, username: str | None) -> Seller:
        """The seller of a page's request: the signed-in name, or the one person of the single-user mode.

        Raises:
            AppError: nobody is signed in (401).
        """
        if self.single:
            return self.only()
        if not username or username not in (self.passwords or {}):
            raise AppError("sign_in", "Please sign in first.", 401)
        return self.named(username)

    def sign_in(self, name: str, password: str) -> Seller | None:
        """The seller, or None; takes as long for an unknown name as for a wrong password."""
        stored = (self.passwords or {}).get(name)
        right = check_password(password, stored or self._decoy or hash_password("not a password"))
        return self.named(name) if right and stored is not None else None

    def new_token(self, seller: Seller, label: str = "") -> str:
        """A token for the API; only its hash is kept, so that it is shown this once."""
        token = TOKEN_PREFIX + secrets.token_urlsafe(32)
        with self.store.write() as session:
            session.add(TokenRow(digest=_digest(token), seller_id=seller.id, label=label[:64]))
        return token

    def by_token(self, token: str) -> Seller | None:
        """Whose token it is, or None."""
        with self.store.read() as session:
            query = select(SellerRow).join(TokenRow, TokenRow.seller_id == SellerRow.id)
            row = session.scalar(query.where(TokenRow.digest == _digest(token)))
            if row is None or (self.passwords is not None and row.name not in self.passwords):
                return None
            return Seller(row.id, row.name)


def _digest(token: str) -> str:
    # A token has 256 random bits: a plain hash cannot be searched, and it can be looked up by its index.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def write_password(path: Path, name: str, password: str) -> None:
    """Add or replace a line of the password file, which only its owner may read.

    Raises:
        PasswordFileError: the name or the password is unusable.
    """
    if not _NAME.fullmatch(name):
        raise PasswordFileError("A name has up to 64 letters, digits or . _ @ + -; choose another.")
    known = read_passwords(path) if path.is_file() and path.stat().st_size else {}
    known[name] = hash_password(password)
    temporary = path.with_name(f".{path.name}.part")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(f"{who}:{stored}\n" for who, stored in known.items())
    temporary.replace(path)


def main(arguments: list[str]) -> int:
    """The program of this module; returns the exit status."""
    from app.db import StoreError, open_store
    from app.settings import SettingsError, load_settings

    try:
        match arguments:
            case ["password", name, file]:
                if sys.stdin.isatty():
                    import getpass

                    password = getpass.getpass(f"Password of {name}: ")
                else:
                    password = sys.stdin.readline().rstrip("\n")
                write_password(Path(file), name, password)
            case ["token", name]:
                settings = load_settings()
                passwords = read_passwords(settings.passwords) if settings.passwords else None
                sellers = Sellers(open_store(settings.store_url), passwords)
                print(sellers.new_token(sellers.for_page(name) if passwords is not None else sellers.only()))
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except (PasswordFileError, SettingsError, StoreError, AppError) as error:
        print(f"ipl: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
