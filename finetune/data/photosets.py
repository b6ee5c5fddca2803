"""Annotated photo folders (``photos or images/`` + ``annotations.jsonl`` in the format of clothing_cc0) as arrays."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from finetune.data.files import read_lines
from finetune.errors import DataError
from listing.home import ipl_home
from listing.taxonomy import load_taxonomy
from rag_index.imports.fetch import Fetcher, find_photos, photo_path

GREY = (128, 128, 128)
ATTRIBUTES = load_taxonomy().observed()


def data_root() -> Path:
    """The folder of annotated photos: ``IPL_DATA``, else ``../shared/data`` beside the repository."""
    return Path(os.environ.get("IPL_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")


def read_annotations(folder: Path) -> list[dict[str, Any]]:
    """Rows of ``annotations.jsonl``, ``image`` as an absolute path; DataError where something is missing."""
    file = folder / "annotations.jsonl"
    if not file.is_file():
        raise DataError(f"{folder} holds no annotations.jsonl; name a folder with photos and annotations (--data DIR).")
    rows = read_lines(file)
    for number, row in enumerate(rows, 1):
        if "image" not in row or "sender_id" not in row:
            raise DataError(f"{file}, line {number}: `image` and `sender_id` are required.")
    find = partial(photo_path, folders=(folder, folder / "photos"))
    files = find_photos((row["image"] for row in rows), find, Fetcher(ipl_home() / "imports" / "photos"))
    for row in rows:
        found = files[row["image"]]
        known = isinstance(found, Path) and found.is_file()
        row["image"] = str(found if known else folder / "photos" / Path(row["image"]).name)
    return rows


def check_photos(folder: Path | None = None) -> None:
    """DataError: a photo that the folder's annotations name (default: of ``IPL_DATA``) is not there."""
    folder = folder or data_root() / "clothing_cc0"
    missing = next((row["image"] for row in read_annotations(folder) if not Path(row["image"]).is_file()), None)
    if missing:
        raise DataError(f"{folder} has annotations of a photo that is not there: {missing}.")


def open_photo(path: str | Path) -> Image.Image:
    """The photo in RGB."""
    with Image.open(path) as photo:
        return photo.convert("RGB")


def square(image: Image.Image, side: int, fill: Any = GREY) -> np.ndarray:
    """The picture on a square of ``fill``, uint8 [side, side(, 3)]; nothing is cut off."""
    edge = max(image.size)
    paper = Image.new(image.mode, (edge, edge), fill)
    paper.paste(image, ((edge - image.width) // 2, (edge - image.height) // 2))
    return np.asarray(paper.resize((side, side), Image.Resampling.BICUBIC))


def load_photos(rows: list[dict[str, Any]], side: int) -> np.ndarray:
    """All photos of ``rows``, on grey squares, uint8 [n, side, side, 3]."""
    return np.stack([square(open_photo(row["image"]), side) for row in rows])


def per_photo(
    rows: Sequence[Mapping[str, Any]], file: Path | None, key: str, compute: Callable[[int], np.ndarray]
) -> list[np.ndarray]:
    """``compute(number)`` of each row's photo; ``file`` (.npz) stores them by name, and is written every 500 photos."""
    by_name: dict[str, np.ndarray] = {}
    if file is not None and file.is_file():
        with np.load(file, allow_pickle=False) as stored:
            by_name = dict(zip(stored["names"].tolist(), stored[key], strict=True))
    names = [Path(row["image"]).name for row in rows]
    missing = [number for number, name in enumerate(names) if name not in by_name]
    for count, number in enumerate(missing, 1):
        by_name[names[number]] = compute(number)
        if file is not None and (count % 500 == 0 or count == len(missing)):
            arrays: dict[str, Any] = {key: np.stack(list(by_name.values()))}
            np.savez(file, names=np.array(list(by_name)), **arrays)
    return [by_name[name] for name in names]
