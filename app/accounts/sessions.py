"""Signed cookies: of who is signed in, and of a browser that was. Their key and what was revoked lie in one file."""

from __future__ import annotations

import base64
import hmac
import json
import os
import secrets
import time
from pathlib import Path

from filelock import FileLock

from app.accounts.private_file import replace_privately
from app.accounts.sellers import LOCK_SECONDS, Sellers, fingerprint_of
from app.accounts.watched_file import Watched
from app.views import AppError

DEVICE_DAYS = 365
_KEY_BYTES = 32
_Secret = tuple[bytes, dict[str, str]]


class Sessions:
    """Cookies ``name.expiry.signature``; the key lies in the home folder, so that a restart signs nobody out.

    The signature also covers the stored hash of the password and the name's mark: whenever one of them changes, the
    cookie is over. A device cookie ``id.expiry.signature`` is bound to a name and its mark alone. It opens nothing, it
    only says that somebody signed in with that browser before.
    """

    def __init__(self, home: Path, hours: float, sellers: Sellers) -> None:
        self.seconds = hours * 3600
        self._path, self._sellers = key_file(home), sellers
        self._secret = Watched(self._path, _read)

    def make(self, name: str, stored: str) -> str:
        """A cookie's value for a seller who has just signed in with the password of that stored hash."""
        body = f"{base64.urlsafe_b64encode(name.encode()).decode()}.{int(time.time() + self.seconds)}"
        return self._sign(body, name, fingerprint_of(stored))

    def read(self, value: str | None) -> str | None:
        """The name in a cookie that we made and that is still valid, else None."""
        body, _, _ = (value or "").rpartition(".")
        try:
            name = base64.urlsafe_b64decode(body.partition(".")[0]).decode()
        except ValueError:
            return None
        fingerprint = self._sellers.fingerprint(name)
        ours = _same(value, self._sign(body, name, fingerprint or ""))
        return name if ours and fingerprint and _lasts(body) else None

    def make_device(self, name: str, device: str | None = None) -> str:
        """A device cookie's value; ``device`` is the browser's id, if it has one."""
        body = f"{device or secrets.token_hex(8)}.{int(time.time() + DEVICE_DAYS * 86400)}"
        return self._sign(body, name, "device")

    def device(self, value: str | None, name: str) -> str | None:
        """The id of a browser with which this name signed in before, else None."""
        body, _, _ = (value or "").rpartition(".")
        if not body or not _same(value, self._sign(body, name, "device")):
            return None
        return body.partition(".")[0] if _lasts(body) else None

    def revoke(self, name: str) -> None:
        """End all cookies of a name, here at once and in other servers on this home within a second."""
        self._secret.put(lambda: revoke_cookies(self._path, name))

    def _sign(self, body: str, name: str, purpose: str) -> str:
        key, marks = self._secret.get()
        text = json.dumps([body, name, marks.get(name, ""), purpose])
        return f"{body}.{hmac.digest(key, text.encode(), 'sha256').hex()}"


def _same(value: str | None, expected: str) -> bool:
    return hmac.compare_digest((value or "").encode("utf-8", "surrogatepass"), expected.encode())


def _lasts(body: str) -> bool:
    """Whether a cookie's expiry is still to come; ``body`` has been verified."""
    return float(body.rpartition(".")[2]) > time.time()


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
    """Give a name a new mark, which ends all its cookies; the key file is replaced whole or not at all.

    Raises:
        AppError: the file is damaged. OSError: it cannot be written.
    """
    with FileLock(path.with_name(f".{path.name}.lock"), timeout=LOCK_SECONDS, mode=0o600):
        key, marks = _read(path)
        replace_privately(path, key + json.dumps({**marks, name: secrets.token_hex(16)}).encode())


def forget_mark(path: Path, name: str) -> None:
    """Take a name's mark out of the key file; only for a name that has no password any more."""
    with FileLock(path.with_name(f".{path.name}.lock"), timeout=LOCK_SECONDS, mode=0o600):
        key, marks = _read(path)
        if name in marks:
            rest = {who: mark for who, mark in marks.items() if who != name}
            replace_privately(path, key + (json.dumps(rest).encode() if rest else b""))


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
