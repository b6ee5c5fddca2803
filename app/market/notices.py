"""What happened around a sale, told to a platform that has notices of its own (mail, push): a signed webhook.

A notice is written in the transaction of what it is about, and deleted after the receiver has taken it: a kill loses
none, and sends one twice at most, under the same id. It holds ids and no words.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.settings import Settings
from app.store.db import NOTIFYING, Store
from app.store.outbox import notice
from app.store.tables import OutboxRow, SellerRow, Topic, now

log = logging.getLogger(__name__)
Kind = Literal["ordered", "completed", "cancelled", "refunded", "message", "question", "answer"]
SIGNATURE = "X-IPL-Signature"
AT_ONCE = 20  # notices of one round
SEND_SECONDS = 5.0  # for one notice
ROUND_SECONDS = 10.0  # after which none is begun before the next round: a server that stops waits for a round
MAX_PAUSE = 3600.0  # between two tries of one notice, which begin at two seconds


class Notices:
    """Writes notices where ``IPL_NOTICE_WEBHOOK`` names an address, and sends them; any thread may call it."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store, self.url, self._secret = store, settings.notice_webhook, settings.notice_secret.encode()
        self._failing = False

    def add(self, session: Session, kind: Kind, to: str | None, listing_id: str, order_id: str | None = None) -> None:
        """Note in the caller's transaction that ``to`` should hear of it, if they have an account."""
        if self.url and session.get(SellerRow, to or "") is not None:  # a visitor of the single-user mode has no name
            session.add(notice(kind, to or "", listing_id, order_id))

    def send(self) -> int:
        """Send what is due, the oldest first; returns how many were taken. For a clock; raises AppError.

        One that is refused is tried again later, by itself; where nobody answers, the others wait as well.
        """
        total, sent, end = 0, AT_ONCE, time.monotonic() + ROUND_SECONDS
        with ThreadPoolExecutor(1, "notices") as loop:  # of its own, whether or not the caller's thread has one
            while self.url and sent == AT_ONCE:
                with self.store.alone(NOTIFYING) as alone:
                    sent = loop.submit(asyncio.run, self._send_due(end)).result() if alone else 0
                total += sent
        return total

    async def _send_due(self, end: float) -> int:
        """Send up to ``AT_ONCE``, none that would begin after ``end``; returns how many were taken."""
        import httpx

        with self.store.read() as session:
            query = select(OutboxRow, SellerRow.name).join(SellerRow, SellerRow.id == OutboxRow.key)
            due = query.where(OutboxRow.topic == Topic.NOTICE, OutboxRow.due_at <= now())
            due = due.order_by(OutboxRow.at, OutboxRow.id).limit(AT_ONCE)
            notices = [(row.id, _body(row, name)) for row, name in session.execute(due)]
        sent = 0
        async with httpx.AsyncClient(timeout=SEND_SECONDS, follow_redirects=False, trust_env=False) as client:
            for notice_id, body in notices:
                if time.monotonic() >= end:
                    break
                try:
                    post = client.stream("POST", self.url, content=body, headers=self._headers(body))
                    # Of all of it: httpx counts anew with each piece. The body is not read: it may have no end.
                    async with asyncio.timeout(SEND_SECONDS), post as answer:
                        status = answer.status_code
                except (TimeoutError, httpx.HTTPError, httpx.InvalidURL) as error:
                    self._later(notice_id, type(error).__name__)
                    break
                if 200 <= status < 300:
                    self._done(notice_id)
                    sent += 1
                else:
                    self._later(notice_id, f"it answers {status}")
        return sent

    def _headers(self, body: bytes) -> dict[str, str]:
        digest = hmac.new(self._secret, body, hashlib.sha256).hexdigest()
        return {"Content-Type": "application/json", SIGNATURE: f"sha256={digest}"}

    def _done(self, notice_id: int) -> None:
        with self.store.write() as session:
            row = session.get(OutboxRow, notice_id)
            if row is not None:
                session.delete(row)
        if self._failing:
            log.warning("notices are taken again")
        self._failing = False

    def _later(self, notice_id: int, why: str) -> None:
        with self.store.write() as session:
            row = session.get(OutboxRow, notice_id)
            if row is not None:
                row.tries += 1
                row.due_at = now() + timedelta(seconds=min(MAX_PAUSE, 2.0 ** min(row.tries, 20)))
        if not self._failing:  # once for a row of failures
            log.warning("a notice cannot be sent, which is tried again: %s", why)
        self._failing = True


def _body(row: OutboxRow, name: str) -> bytes:
    """``name``: under which the recipient signs in."""
    known: dict[str, Any] = row.body or {}
    path = f"/feed/orders/{known['order_id']}" if known["order_id"] else f"/l/{known['listing_id']}"
    at, to = row.at.isoformat(timespec="seconds"), {"id": row.key, "name": name}
    return json.dumps({**known, "at": at, "to": to, "path": path}).encode()
