"""Signed cookies: of who is signed in, and of a browser that was. Their key and what was revoked lie in one file."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
from pathlib import Path

from filelock import FileLock
from itsdangerous import BadSignature, TimestampSigner

from app.accounts.passwords import LOCK_SECONDS, fingerprint_of
from app.accounts.sellers import Sellers
from app.accounts.watched_file import Watched
from app.store.files import replace_privately
from app.views import AppError

DEVICE_DAYS = 365
_KEY_BYTES = 32
_Secret = tuple[bytes, dict[str, str]]


class Sessions:
    """Signed cookies; the key lies in the home folder, so that a restart signs nobody out.

    The signature of a session cookie also covers the stored hash of the password and the name's mark: whenever one of
    them changes, the cookie is over. A device cookie is bound to a name and its mark alone. It opens nothing, it only
    shows that somebody signed in with that browser before.
    """

    def __init__(self, home: Path, hours: float, sellers: Sellers) -> None:
        self.seconds = hours * 3600
        self._path, self._sellers = key_file(home), sellers
        self._secret = Watched(self._path, _read)

    def make(self, name: str, stored: str) -> str:
        """A cookie's value for a seller who has just signed in with the password of that stored hash."""
        return self._signer(name, fingerprint_of(stored)).sign(base64.urlsafe_b64encode(name.encode())).decode()

    def read(self, value: str | None) -> str | None:
        """The name in a cookie that we made and that is still valid, else None."""
        try:
            name = base64.urlsafe_b64decode((value or "").partition(".")[0]).decode()
        except ValueError:
            return None
        fingerprint = self._sellers.fingerprint(name)
        return name if fingerprint and self._is_ours(value, name, fingerprint, self.seconds) else None

    def make_device(self, name: str, device: str | None = None) -> str:
        """A device cookie's value; ``device`` is the browser's id, if it has one."""
        return self._signer(name, "device").sign(device or secrets.token_hex(8)).decode()

    def device(self, value: str | None, name: str) -> str | None:
        """The id of a browser with which this name signed in before, else None."""
        ours = value and self._is_ours(value, name, "device", DEVICE_DAYS * 86400)
        return value.partition(".")[0] if value and ours else None

    def revoke(self, name: str) -> None:
        """End all cookies of a name, here at once and in other servers on this home within a second."""
        self._secret.put(lambda: revoke_cookies(self._path, name))

    def _is_ours(self, value: str | None, name: str, purpose: str, seconds: float) -> bool:
        signer = self._signer(name, purpose)
        try:
            _, signed_at = signer.unsign(value or "", return_timestamp=True)
        except (BadSignature, UnicodeError):
            return False
        return abs(signer.get_timestamp() - signed_at.timestamp()) <= seconds  # the clock may have gone back since

    def _signer(self, name: str, purpose: str) -> TimestampSigner:
        key, marks = self._secret.get()
        salt = json.dumps([name, marks.get(name, ""), purpose])
        return TimestampSigner(key, salt, digest_method=hashlib.sha256)


def key_file(home: Path) -> Path:
    """The file of the key, made on first sight: 32 bytes, then JSON with a mark for each name that was revoked."""
    path = home / "session.key"
    home.mkdir(parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
    except FileExistsError:
        pass
    return path


def revoke_cookies(path: Path, name: str) -> None:
    """Give a name a new mark, which ends all its cookies. Raises AppError (the file is damaged), OSError."""
    _change_mark(path, name, secrets.token_hex(16))


def forget_mark(path: Path, name: str) -> None:
    """Take a name's mark out of the key file; only for a name that has no password any more."""
    _change_mark(path, name, None)


def _change_mark(path: Path, name: str, mark: str | None) -> None:
    with FileLock(path.with_name(f".{path.name}.lock"), timeout=LOCK_SECONDS, mode=0o600):
        key, before = _read(path)
        marks = {who: old for who, old in before.items() if who != name} | ({name: mark} if mark else {})
        if marks != before:
            replace_privately(path, key + (json.dumps(marks).encode() if marks else b""))


def _read(path: Path) -> _Secret:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise AppError("bad_key", f"{path} cannot be read ({error.strerror}); check its permissions.", 500) from error
    try:
        marks = json.loads(content[_KEY_BYTES:] or b"{}")
    except ValueError:
        marks = None
    if len(content) < _KEY_BYTES or not isinstance(marks, dict):
        raise AppError("bad_key", f"{path} is damaged; delete it and start again, everybody then signs in anew.", 500)
    return content[:_KEY_BYTES], marks
