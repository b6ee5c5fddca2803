"""Who is asking: one person on loopback, names with passwords for the page, tokens for programs."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from filelock import FileLock
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from app.accounts.private_file import replace_privately
from app.accounts.watched_file import Watched
from app.store.db import Store
from app.store.draft_repo import new_id
from app.store.tables import SellerRow, TokenRow, now
from app.views import AppError
from listing.errors import IplError

ONE_PERSON = "me"
TOKEN_PREFIX = "ipl_"
LOCK_SECONDS = 10  # longest wait for another program that changes the same file
TOKEN_ID = 8  # characters of a token's digest by which people name it
_NAME = re.compile(r"[\w.@+-]{1,64}")
# scrypt: 2^15 x 8 x 1 needs 32 MiB and about 0.1 s, the parameters that OWASP lists for interactive sign-in with p=3.
_N, _R, _P = 2**15, 8, 3
_MAX_MEMORY = 128 * _N * _R * 2
_MOST_PASSWORD = 1024


class PasswordFileError(IplError):
    """The password file is unusable; the message names the line and what to do."""

    code, exit_status = "bad_password_file", 2


@dataclass(frozen=True)
class Seller:
    """A signed-in seller: ``id`` goes into tables and index, ``name`` is shown to themselves only."""

    id: str
    name: str


@dataclass(frozen=True)
class Token:
    """What may be shown of a token. ``ends`` None: it has no end; ``valid``: it opens something today."""

    name: str
    id: str
    label: str
    made: datetime
    ends: datetime | None
    valid: bool


def hash_password(password: str, salt: bytes | None = None) -> str:
    """``scrypt$N$r$p$salt$hash``, salt and hash in base64.

    Raises:
        PasswordFileError: shorter than 8 or longer than 1024 characters, or one of the 30,000 that are guessed first.
    """
    if not 8 <= len(password) <= _MOST_PASSWORD:
        raise PasswordFileError(f"The password needs 8 to {_MOST_PASSWORD} characters; choose another.")
    if password.lower() in _common_passwords():
        raise PasswordFileError("This password is one of those that are guessed first; choose another.")
    salt = salt or os.urandom(16)
    parts = (base64.b64encode(part).decode() for part in (salt, _scrypt(password, salt, _N, _R, _P)))
    return "$".join(("scrypt", str(_N), str(_R), str(_P), *parts))


@cache
def _common_passwords() -> frozenset[str]:
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(FREQUENCY_LISTS["passwords"])


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    data = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(data, salt=salt, n=n, r=r, p=p, maxmem=max(_MAX_MEMORY, 256 * n * r), dklen=32)


def check_password(password: str, stored: str) -> bool:
    """Whether the password is the stored one, compared in constant time."""
    n, r, p, salt, expected = _parse(stored)
    return hmac.compare_digest(_scrypt(password[:_MOST_PASSWORD], salt, n, r, p), expected)


def _parse(stored: str) -> tuple[int, int, int, bytes, bytes]:
    """N, r, p, salt and hash of a stored hash. Raises ValueError where no password could be checked against it."""
    if not re.fullmatch(r"scrypt(\$[1-9]\d{0,9}){3}(\$[\w+/=]+){2}", stored, re.ASCII):
        raise ValueError
    n, r, p = (int(number) for number in stored.split("$")[1:4])
    salt, expected = (base64.b64decode(part, validate=True) for part in stored.split("$")[4:])
    if n < 2 or n.bit_count() != 1:
        raise ValueError
    return n, r, p, salt, expected


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
        try:
            if not _NAME.fullmatch(name) or name in found:
                raise ValueError
            _parse(stored)
        except ValueError as error:
            raise PasswordFileError(
                f"Line {number} of {path} is unusable; write it again with ./ipl accounts password NAME {path}."
            ) from error
        found[name] = stored
    if not found:
        raise PasswordFileError(f"{path} names nobody; ./ipl accounts password NAME {path} adds somebody.")
    return found


class Sellers:
    """Sellers of a store. ``passwords`` None is the single-user mode: everyone who reaches the server is one person."""

    def __init__(self, store: Store, passwords: Mapping[str, str] | Watched[dict[str, str]] | None) -> None:
        self.store, self._passwords = store, passwords

    @property
    def passwords(self) -> Mapping[str, str] | None:
        """Name -> stored hash, as the password file says now; None in the single-user mode."""
        return self._passwords.get() if isinstance(self._passwords, Watched) else self._passwords

    @property
    def single(self) -> bool:
        """Whether this is the single-user mode."""
        return self._passwords is None

    def fingerprint(self, name: str) -> str | None:
        """Another one for each password of a name; empty in the single-user mode, None for an unknown name."""
        if self.passwords is None:
            return ""
        stored = self.passwords.get(name)
        return None if stored is None else fingerprint_of(stored)

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

    def stored_if_right(self, name: str, password: str) -> str | None:
        """The stored hash that the password fits, else None; an unknown name takes as long as a wrong password."""
        passwords = self.passwords
        if not passwords:
            return None
        stored = passwords.get(name)
        right = check_password(password, stored or next(iter(passwords.values())))
        return stored if right else None

    def new_token(self, seller: Seller, label: str = "", days: float = 365.0) -> str:
        """A token for the API, valid for so many days (0: without end) and as long as the password stays the same.

        Only its hash is kept, so that it is shown this once.
        """
        token, made = TOKEN_PREFIX + secrets.token_urlsafe(32), now()
        row = TokenRow(
            digest=_digest(token),
            seller_id=seller.id,
            label=label[:64],
            created_at=made,
            expires_at=made + timedelta(days=days) if days else None,
            fingerprint=self.fingerprint(seller.name) or "",
        )
        with self.store.write() as session:
            session.add(row)
        return token

    def by_token(self, token: str) -> Seller | None:
        """Whose token it is, or None."""
        with self.store.read() as session:
            query = select(TokenRow, SellerRow).join(SellerRow, TokenRow.seller_id == SellerRow.id)
            found = session.execute(query.where(TokenRow.digest == _digest(token))).one_or_none()
            if found is None or not self._valid(found[0], found[1].name):
                return None
            return Seller(found[1].id, found[1].name)

    def _valid(self, token: TokenRow, name: str) -> bool:
        ended = token.expires_at is not None and token.expires_at <= now()
        return not ended and token.fingerprint == self.fingerprint(name)

    def tokens(self, name: str | None = None) -> list[Token]:
        """The tokens of a name, or all, the oldest first."""
        query = select(TokenRow, SellerRow.name).join(SellerRow, TokenRow.seller_id == SellerRow.id)
        if name is not None:
            query = query.where(SellerRow.name == name)
        with self.store.read() as session:
            return [
                Token(who, row.digest[:TOKEN_ID], row.label, row.created_at, row.expires_at, self._valid(row, who))
                for row, who in session.execute(query.order_by(SellerRow.name, TokenRow.created_at))
            ]

    def revoke_tokens(self, name: str, token_id: str | None = None) -> int:
        """Delete one token of a name, or all; returns how many there were.

        Raises:
            AppError: the name has no such token (404), or more than one (409).
        """
        with self.store.write() as session:
            query = select(TokenRow.digest).join(SellerRow, TokenRow.seller_id == SellerRow.id)
            found = list(session.scalars(query.where(SellerRow.name == name)))
            if token_id is not None:
                found = [digest for digest in found if len(token_id) >= TOKEN_ID and digest.startswith(token_id)]
                if not found:
                    raise AppError(
                        "no_token", f"{name} has no token {token_id!r}; ./ipl accounts tokens {name} lists them.", 404
                    )
                if len(found) > 1:
                    raise AppError("which_token", f"{name} has several tokens {token_id}; give more of it.", 409)
            session.execute(delete(TokenRow).where(TokenRow.digest.in_(found)))
            return len(found)

    def known(self, name: str) -> bool:
        """Whether the name may sign in, or once did."""
        if self.fingerprint(name):
            return True
        with self.store.read() as session:
            return session.scalar(select(SellerRow.id).where(SellerRow.name == name)) is not None


def fingerprint_of(stored: str) -> str:
    """The fingerprint of a stored hash. Its salt is random, so that nobody can guess the password by it."""
    return hashlib.sha256(stored.encode()).hexdigest()


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
    line = hash_password(password)
    with _locked(path):
        known = read_passwords(path) if path.is_file() and path.stat().st_size else {}
        _write_passwords(path, {**known, name: line})


def remove_password(path: Path, name: str) -> None:
    """Take a name out of the password file, which ends its sign-ins and its tokens.

    Raises:
        PasswordFileError: the name is not in it, or is the last one.
    """
    with _locked(path):
        known = read_passwords(path)
        if name not in known:
            raise PasswordFileError(f"{path} has no {name}; it names {', '.join(sorted(known))[:200]}.")
        if len(known) == 1:
            raise PasswordFileError(f"{name} is the last name in {path} and no server runs without one; add another.")
        _write_passwords(path, {who: stored for who, stored in known.items() if who != name})


def _locked(path: Path) -> FileLock:
    if not path.parent.is_dir():
        raise PasswordFileError(f"{path.parent} is no folder; make it, or name another file.")
    return FileLock(path.with_name(f".{path.name}.lock"), timeout=LOCK_SECONDS, mode=0o600)


def _write_passwords(path: Path, passwords: Mapping[str, str]) -> None:
    replace_privately(path, "".join(f"{who}:{stored}\n" for who, stored in passwords.items()).encode())
