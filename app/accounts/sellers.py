"""Sellers of a store: one person on loopback, names with passwords for the page, tokens for programs."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import secrets
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.accounts.bounded import Bounded
from app.accounts.passwords import (
    BAD_NAME,
    NAME,
    OPERATOR,
    AccountError,
    check_password,
    fingerprint_of,
    hash_password,
    read_passwords,
)
from app.store.db import Store
from app.store.draft_repo import new_id
from app.store.tables import SellerRow, TokenRow, now
from app.views import AppError

log = logging.getLogger(__name__)
ONE_PERSON = "me"
TOKEN_PREFIX = "ipl_"
TOKEN_ID = 8  # characters of a token's digest by which people name it
REMEMBERED_SECONDS = 0.5  # for so long an account counts that was just changed elsewhere, where only pages are shown
_MAX_REMEMBERED = 10_000
ID = re.compile("[0-9a-f]{32}")  # of a person, as ``new_id`` makes it


@dataclass(frozen=True)
class Seller:
    """A signed-in seller: ``id`` goes into tables and index, ``name`` is shown to themselves only."""

    id: str
    name: str


@dataclass(frozen=True)
class Account:
    """Whom a name and a password open. ``mark``: another one for each time that all its cookies were ended."""

    seller: Seller
    stored: str
    operator: bool
    mark: str

    @property
    def proof(self) -> str:
        """Another one for each password and each mark; nothing is told by it."""
        return fingerprint_of(f"{self.stored}:{self.mark}")[:32]


@dataclass(frozen=True)
class Token:
    """Description of a token, without its secret. ``ends`` None: it has no end; ``valid``: it opens something today."""

    name: str
    id: str
    label: str
    created: datetime
    ends: datetime | None
    valid: bool


def check_there(session: Session, who: str) -> None:
    """Raises AppError (401) for a person whose account was erased since the request was let in.

    An erasure waits for the transaction that asks. Strangers, and whoever is played where nobody signs in, pass.
    """
    row = select(SellerRow.id).where(SellerRow.id == who).with_for_update(read=True, key_share=True)
    if not ID.fullmatch(who) or session.scalar(row) is not None:
        return
    if session.scalar(select(SellerRow.id).where(SellerRow.password.is_not(None)).limit(1)) is not None:
        raise AppError("sign_in", "Please sign in first.", 401)


class Sellers:
    """Sellers of a store. Where nobody has an account at the start, everyone who reaches the server is one person."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._remembered: Bounded[str, tuple[float, Account | None]] = Bounded(_MAX_REMEMBERED)
        self.single = not self.accounts()

    def accounts(self) -> list[tuple[str, bool]]:
        """The names of all accounts, and True for an operator."""
        with self.store.read() as session:
            query = select(SellerRow.name, SellerRow.operator).where(SellerRow.password.is_not(None))
            return [(name, operator) for name, operator in session.execute(query.order_by(SellerRow.name))]

    def account(self, name: str) -> Account | None:
        """The account of a name, as it was half a second ago at most, or longer while the store is away."""
        known = self._remembered.get(name)
        if known is not None and time.monotonic() - known[0] < REMEMBERED_SECONDS:
            return known[1]
        try:
            return self._look_up(name)
        except AppError:
            if known is None:
                raise
            return known[1]

    def _look_up(self, name: str) -> Account | None:
        asked = time.monotonic()
        with self.store.read() as session:
            row = session.scalar(select(SellerRow).where(SellerRow.name == name, SellerRow.password.is_not(None)))
            found = row and (Seller(row.id, row.name), row.password or "", row.operator, row.mark)
        account = Account(*found) if found else None
        self._remembered.put(name, (asked, account))
        return account

    def set_password(self, name: str, password: str, *, operator: bool = False, added: bool = False) -> Account:
        """Give a name a password, which ends what an earlier one opened, or make its account.

        Args:
            operator: of a new account, whether it is an operator's; one that is there keeps its rights.
            added: the account has to be a new one.

        Raises AccountError: the name or the password is unusable, or the account is not new.
        """
        if not NAME.fullmatch(name):
            raise AccountError(BAD_NAME)
        stored, seller = hash_password(password, name), self.named(name)
        with self.store.write() as session:
            row = session.get_one(SellerRow, seller.id)
            if added and row.password is not None:
                raise AccountError(f"There is a {name} already; ./ipl accounts password {name} changes the password.")
            row.password, row.operator = stored, row.operator or operator
        account = self._look_up(name)
        assert account is not None
        return account

    def set_rights(self, name: str, operator: bool) -> None:
        """Make an account an operator's, or a seller's alone. Raises AccountError: there is none."""
        with self.store.write() as session:
            _account_row(session, name).operator = operator
        self._remembered.pop(name, None)

    def close_account(self, name: str) -> None:
        """Take a name's account away, which ends its sign-ins and tokens. Raises AccountError: none, or the last."""
        with self.store.write() as session:
            row = _account_row(session, name)
            refuse_last(session, row)
            row.password, row.operator = None, False
        self._remembered.pop(name, None)

    def end_cookies(self, name: str) -> Account | None:
        """End all cookies of a name, here at once and in other servers on the store within a second."""
        with self.store.write() as session:
            session.execute(update(SellerRow).where(SellerRow.name == name).values(mark=secrets.token_hex(16)))
        return self._look_up(name)

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
        account = self._look_up(username) if username else None
        if account is None:
            raise AppError("sign_in", "Please sign in first.", 401)
        return account.seller

    def signed_in(self, name: str, password: str) -> Account | None:
        """The account that the password fits, else None; an unknown name takes as long as a wrong password."""
        account, hashes = self._look_up(name), select(SellerRow.password).where(SellerRow.password.is_not(None))
        # Hashes may be of different kinds: which one an unknown name is compared with is always the same.
        with self.store.read() as session:
            other = session.scalar(hashes.where(SellerRow.id >= _digest(name)[:32]).order_by(SellerRow.id).limit(1))
            other = other or session.scalar(hashes.order_by(SellerRow.id).limit(1))
        right = check_password(password, account.stored if account else other or "")
        return account if right else None

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
        )
        with self.store.write() as session:
            stored = session.get_one(SellerRow, seller.id).password
            row.fingerprint = "" if self.single or stored is None else fingerprint_of(stored)
            session.add(row)
        return token

    def by_token(self, token: str) -> Seller | None:
        """The token's seller, or None."""
        with self.store.read() as session:
            query = select(TokenRow, SellerRow).join(SellerRow, TokenRow.seller_id == SellerRow.id)
            row = session.execute(query.where(TokenRow.digest == _digest(token))).one_or_none()
            if row is None or not self._valid(row[0], row[1].password):
                return None
            return Seller(row[1].id, row[1].name)

    def _valid(self, token: TokenRow, stored: str | None) -> bool:
        if token.expires_at is not None and token.expires_at <= now():
            return False
        if self.single or stored is None:
            return self.single and not token.fingerprint
        return token.fingerprint == fingerprint_of(stored)

    def tokens(self, name: str | None = None) -> list[Token]:
        """The tokens of a name, or all, the oldest first."""
        query = select(TokenRow, SellerRow).join(SellerRow, TokenRow.seller_id == SellerRow.id)
        if name is not None:
            query = query.where(SellerRow.name == name)
        with self.store.read() as session:
            return [
                Token(
                    who.name,
                    row.digest[:TOKEN_ID],
                    row.label,
                    row.created_at,
                    row.expires_at,
                    self._valid(row, who.password),
                )
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
        with self.store.read() as session:
            return session.scalar(select(SellerRow.id).where(SellerRow.name == name)) is not None


def open_sellers(store: Store) -> Sellers:
    """The sellers of a store. Accounts of an older version (``IPL_PASSWORDS``, ``IPL_OPERATORS``) come into it once.

    Raises AccountError: the file is unusable.
    """
    sellers, file, named = Sellers(store), os.environ.get("IPL_PASSWORDS"), os.environ.get("IPL_OPERATORS", "")
    if not sellers.single and (file or named):
        log.warning("IPL_PASSWORDS and IPL_OPERATORS are not read any more, as accounts are in the store; unset them.")
    if not sellers.single or not file:
        return sellers
    operators = {name.strip() for name in named.split(",")}
    accounts = read_passwords(Path(file))
    with store.write() as session:
        rows = {row.name: row for row in session.scalars(select(SellerRow).where(SellerRow.name.in_(accounts)))}
        for name, (stored, operator) in accounts.items():
            row = rows.get(name) or SellerRow(id=new_id(), name=name)
            row.password, row.operator = stored, operator or name in operators
            session.add(row)
            before = TokenRow.fingerprint == fingerprint_of(stored + OPERATOR)
            session.execute(update(TokenRow).where(before).values(fingerprint=fingerprint_of(stored)))
    log.warning("%d accounts of %s are in the store now; unset IPL_PASSWORDS, delete the file.", len(accounts), file)
    return Sellers(store)


def _account_row(session: Session, name: str) -> SellerRow:
    row = session.scalar(select(SellerRow).where(SellerRow.name == name, SellerRow.password.is_not(None)))
    if row is None:
        raise AccountError(f"There is no account {name}; ./ipl accounts list shows those that there are.")
    return row


def refuse_last(session: Session, row: SellerRow) -> None:
    """Raises AccountError where it is the last account: without one a server is open to whoever reaches it."""
    others = select(func.count()).where(SellerRow.password.is_not(None), SellerRow.id != row.id)
    if row.password is not None and not session.scalar(others):
        raise AccountError(f"{row.name} is the last account, and without one there is no signing in; add another.")


def _digest(token: str) -> str:
    # A token has 256 random bits: a plain hash cannot be searched, and it can be looked up by its index.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
