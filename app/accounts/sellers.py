"""Sellers of a store: one person on loopback, names with passwords for the page, tokens for programs."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from app.accounts.passwords import BAD_NAME, NAME, check_password, fingerprint_of, is_operator
from app.accounts.watched_file import Watched
from app.store.db import Store
from app.store.draft_repo import new_id
from app.store.tables import SellerRow, TokenRow, now
from app.views import AppError

ONE_PERSON = "me"
TOKEN_PREFIX = "ipl_"
TOKEN_ID = 8  # characters of a token's digest by which people name it


@dataclass(frozen=True)
class Seller:
    """A signed-in seller: ``id`` goes into tables and index, ``name`` is shown to themselves only."""

    id: str
    name: str


@dataclass(frozen=True)
class Token:
    """Description of a token, without its secret. ``ends`` None: it has no end; ``valid``: it opens something today."""

    name: str
    id: str
    label: str
    created: datetime
    ends: datetime | None
    valid: bool


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
        """True in the single-user mode."""
        return self._passwords is None

    def fingerprint(self, name: str) -> str | None:
        """Another one for each password of a name; empty in the single-user mode, None for an unknown name."""
        if self.passwords is None:
            return ""
        stored = self.passwords.get(name)
        return None if stored is None else fingerprint_of(stored)

    def operates(self, name: str) -> bool:
        """True where the password file makes this name an operator."""
        return is_operator((self.passwords or {}).get(name, ""))

    def named(self, name: str) -> Seller:
        """The seller of that name, made on first sight. Raises AppError for what cannot be a name."""
        if not NAME.fullmatch(name):
            raise AppError("bad_name", BAD_NAME, 422)
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
        """The signed-in seller, or the one person of the single-user mode. Raises AppError (401): nobody is."""
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
        # Lines may be of different kinds: which one an unknown name is compared with is always the same.
        other = list(passwords.values())[int(_digest(name)[:8], 16) % len(passwords)]
        right = check_password(password, stored or other)
        return stored if right else None

    def new_token(self, seller: Seller, label: str = "", days: float = 365.0) -> str:
        """A token for the API, valid for so many days (0: without end) and as long as the password stays the same.

        Only its hash is kept, so that it is shown this once.
        """
        token, created = TOKEN_PREFIX + secrets.token_urlsafe(32), now()
        row = TokenRow(
            digest=_digest(token),
            seller_id=seller.id,
            label=label[:64],
            created_at=created,
            expires_at=created + timedelta(days=days) if days else None,
            fingerprint=self.fingerprint(seller.name) or "",
        )
        with self.store.write() as session:
            session.add(row)
        return token

    def by_token(self, token: str) -> Seller | None:
        """The token's seller, or None."""
        with self.store.read() as session:
            query = select(TokenRow, SellerRow).join(SellerRow, TokenRow.seller_id == SellerRow.id)
            row = session.execute(query.where(TokenRow.digest == _digest(token))).one_or_none()
            if row is None or not self._valid(row[0], row[1].name):
                return None
            return Seller(row[1].id, row[1].name)

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
        """Delete one token of a name, or all; returns how many. Raises AppError: it has none (404), several (409)."""
        with self.store.write() as session:
            query = select(TokenRow.digest).join(SellerRow, TokenRow.seller_id == SellerRow.id)
            digests = list(session.scalars(query.where(SellerRow.name == name)))
            if token_id is not None:
                digests = [digest for digest in digests if len(token_id) >= TOKEN_ID and digest.startswith(token_id)]
                if not digests:
                    raise AppError(
                        "no_token", f"{name} has no token {token_id!r}; ./ipl accounts tokens {name} lists them.", 404
                    )
                if len(digests) > 1:
                    raise AppError("which_token", f"{name} has several tokens {token_id}; give more of it.", 409)
            session.execute(delete(TokenRow).where(TokenRow.digest.in_(digests)))
            return len(digests)

    def exists(self, name: str) -> bool:
        """True where the name may sign in, or once did."""
        if self.fingerprint(name):
            return True
        with self.store.read() as session:
            return session.scalar(select(SellerRow.id).where(SellerRow.name == name)) is not None


def _digest(token: str) -> str:
    # A token has 256 random bits: a plain hash cannot be searched, and it can be looked up by its index.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
