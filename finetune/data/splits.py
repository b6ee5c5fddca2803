"""Which senders are kept for validation. Similar garments recur within a sender, so a split by photo would leak."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

VALIDATION_SHARE = 0.15
# Picked before any model was trained: all 17 classes occur, and no sender holds over a quarter of the photos.
_SALT = "ipl-validation-2"


def is_validation_sender(sender_id: int | str, share: float = VALIDATION_SHARE) -> bool:
    """True for about ``share`` of all senders, decided by a hash of the id alone.

    A sender that is added later never moves another one across the split.
    """
    digest = hashlib.sha256(f"{_SALT}:{sender_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < share


def split_rows(rows: Iterable[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(training rows, validation rows) by ``sender_id``."""
    train: list[dict[str, Any]] = []
    validation: list[dict[str, Any]] = []
    for row in rows:
        (validation if is_validation_sender(row["sender_id"]) else train).append(dict(row))
    return train, validation
