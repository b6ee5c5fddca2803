"""Splits for validation: by whole senders, since similar garments recur within one; of one sender, by whole items."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

VALIDATION_SHARE = 0.15
# Picked before any model was trained: all 17 classes occur, and no sender holds over a quarter of the photos.
_SALT = "ipl-validation-2"


def is_validation_sender(sender_id: int | str, share: float = VALIDATION_SHARE) -> bool:
    """True for about ``share`` of all senders, decided by a hash of the id alone.

    A sender that is added later never moves another one across the split.
    """
    return _place(sender_id) < share


def _place(name: int | str) -> float:
    """A number in [0, 1) that the name alone decides."""
    digest = hashlib.sha256(f"{_SALT}:{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def split_rows(rows: Iterable[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(training rows, validation rows) by ``sender_id``."""
    train: list[dict[str, Any]] = []
    validation: list[dict[str, Any]] = []
    for row in rows:
        (validation if is_validation_sender(row["sender_id"]) else train).append(dict(row))
    return train, validation


def split_items(
    rows: Sequence[Mapping[str, Any]], groups: Sequence[str], share: float = VALIDATION_SHARE
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(training rows, validation rows) by the group of each row; each side has one group at least."""
    names = sorted(set(groups), key=_place)
    held_out: set[str] = set()
    for name in names[:-1]:
        if sum(group in held_out for group in groups) >= share * len(rows):
            break
        held_out.add(name)
    train = [dict(row) for row, group in zip(rows, groups, strict=True) if group not in held_out]
    return train, [dict(row) for row, group in zip(rows, groups, strict=True) if group in held_out]


def sender_folds(rows: Sequence[Mapping[str, Any]], count: int) -> list[int]:
    """The fold of each row: senders whole, in turn by their numbers of rows."""
    rows_of = Counter(row["sender_id"] for row in rows)
    order = sorted(rows_of, key=lambda sender: (-rows_of[sender], str(sender)))
    fold = {sender: number % count for number, sender in enumerate(order)}
    return [fold[row["sender_id"]] for row in rows]


def sampling_weights(rows: Sequence[Mapping[str, Any]], class_power: float, sender_power: float) -> np.ndarray:
    """Rare classes and small senders are drawn more often: [n], sums to 1."""

    def inverse(key: str, power: float) -> np.ndarray:
        counts: dict[Any, int] = {}
        for row in rows:
            counts[row[key]] = counts.get(row[key], 0) + 1
        return np.array([counts[row[key]] ** -power for row in rows])

    weight = inverse("label", class_power) * inverse("sender_id", sender_power)
    shares: np.ndarray = weight / weight.sum()
    return shares
