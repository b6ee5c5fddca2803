"""Annotated photo folders (``photos or images/`` + ``annotations.jsonl`` in the format of clothing_cc0) as arrays."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from finetune.errors import DataError
from listing.taxonomy import load_taxonomy

GREY = (128, 128, 128)
ATTRIBUTES = load_taxonomy().observed()


def data_root() -> Path:
    """Where annotated photos are looked for: ``IPL_DATA``, else ``../shared/data`` beside the repository."""
    return Path(os.environ.get("IPL_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")


def read_annotations(folder: Path) -> list[dict[str, Any]]:
    """Rows of ``annotations.jsonl``, ``image`` as an absolute path; DataError where something is missing."""
    file = folder / "annotations.jsonl"
    if not file.is_file():
        raise DataError(f"{folder} holds no annotations.jsonl; name a folder with photos and annotations (--data DIR).")
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    for number, row in enumerate(rows, 1):
        if "image" not in row or "sender_id" not in row:
            raise DataError(f"{file}, line {number}: `image` and `sender_id` are required.")
        named = folder / row["image"]
        row["image"] = str(named if named.is_file() else folder / "photos" / Path(row["image"]).name)
    return rows


def open_photo(path: str | Path) -> Image.Image:
    """The photo in RGB."""
    with Image.open(path) as photo:
        return photo.convert("RGB")


def letterbox(path: str, side: int) -> np.ndarray:
    """The photo on a grey square, uint8 [side, side, 3]; nothing is cut off."""
    photo = open_photo(path)
    edge = max(photo.size)
    square = Image.new("RGB", (edge, edge), GREY)
    square.paste(photo, ((edge - photo.width) // 2, (edge - photo.height) // 2))
    return np.asarray(square.resize((side, side), Image.Resampling.BICUBIC))


def load_photos(rows: list[dict[str, Any]], side: int) -> np.ndarray:
    """All photos of ``rows``, uint8 [n, side, side, 3]."""
    return np.stack([letterbox(row["image"], side) for row in rows])
