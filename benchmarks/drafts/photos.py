"""Validation photos of ``clothing_cc0``, alike in all benchmarks of drafts."""

from __future__ import annotations

from pathlib import Path

from finetune.data.photosets import data_root, read_annotations
from finetune.data.splits import split_rows

CLOTHING = data_root() / "clothing_cc0"


def validation_photos(count: int, data: Path = CLOTHING) -> list[str]:
    """Photos of validation senders, spread evenly."""
    _, rows = split_rows(read_annotations(data))
    return [rows[i * len(rows) // count]["image"] for i in range(count)]
