"""Signed cookies: of who is signed in, and of a browser that was."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
from pathlib import Path

from itsdangerous import BadSignature, TimestampSigner

from app.accounts.sellers import Account, Sellers
from app.views import AppError

DEVICE_DAYS = 365
_KEY_BYTES = 32


class Sessions:
    """Signed cookies; the key lies in the home folder, so that a restart signs nobody out.

    A session cookie holds a proof of the account's password and mark: whenever one of them changes, it is over. A
    device cookie is bound to a name and its mark alone. It opens nothing, it only shows that somebody signed in with
    that browser before.
    """

    def __init__(self, home: Path, hours: float, sellers: Sellers) -> None:
        self.seconds = hours * 3600
        self._key, self._sellers = _key(home), sellers

    def make(self, account: Account) -> str:
        """A cookie's value for a seller who has just signed in."""
        content = json.dumps([account.seller.name, account.proof]).encode()
        return self._signer("session").sign(base64.urlsafe_b64encode(content)).decode()

    def read(self, value: str | None) -> str | None:
        """The name in a cookie that we made and that is still valid, else None."""
        content = self._unsigned(value, self.seconds, "session")  # before the store is asked for anybody
        if content is None:
            return None
        name, proof = json.loads(base64.urlsafe_b64decode(content))
        account = self._sellers.account(name)
        return name if account is not None and account.proof == proof else None

    def make_device(self, account: Account, device: str | None = None) -> str:
        """A device cookie's value; ``device`` is the browser's id, if it has one."""
        return self._signer(account.seller.name, account.mark).sign(device or secrets.token_hex(8)).decode()

    def device(self, value: str | None, name: str) -> str | None:
        """The id of a browser with which this name signed in before, else None."""
        account = self._sellers.account(name) if value else None
        return None if account is None else self._unsigned(value, DEVICE_DAYS * 86400, name, account.mark)

    def _unsigned(self, value: str | None, seconds: float, *purpose: str) -> str | None:
        signer = self._signer(*purpose)
        try:
            content, signed_at = signer.unsign(value or "", return_timestamp=True)
        except (BadSignature, UnicodeError):
            return None
        age = abs(signer.get_timestamp() - signed_at.timestamp())  # the clock may have gone back since
        return content.decode() if age <= seconds else None

    def _signer(self, *purpose: str) -> TimestampSigner:
        return TimestampSigner(self._key, json.dumps(purpose), digest_method=hashlib.sha256)


def _key(home: Path) -> bytes:
    """The key, made on first sight. Raises AppError: its file is damaged, or cannot be read."""
    path = home / "session.key"
    home.mkdir(parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
    except FileExistsError:
        pass
    try:
        if path.stat().st_size > _KEY_BYTES:  # an older version kept names behind the key
            os.truncate(path, _KEY_BYTES)
        key = path.read_bytes()
    except OSError as error:
        raise AppError("bad_key", f"{path} cannot be read ({error.strerror}); check its permissions.", 500) from error
    if len(key) < _KEY_BYTES:
        raise AppError("bad_key", f"{path} is damaged; delete it and start again, everybody then signs in anew.", 500)
    return key
