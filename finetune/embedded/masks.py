"""Masks of a photo folder, worked out once and kept: a mask takes up to a third of a second of one core."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from finetune.data.photosets import open_photo
from listing.home import ipl_home
from listing.observe.networks.foreground import SIDE, WEIGHTS, Foreground

STORED_SIDE = 160  # pixels a side in the file


def masks_of(rows: list[dict[str, Any]], file: Path | None = None) -> list[np.ndarray]:
    """uint8 [320, 320] of every photo; ``file`` (.npz) keeps them, half as large."""
    by_name: dict[str, np.ndarray] = {}
    if file is not None and file.is_file():
        with np.load(file, allow_pickle=False) as stored:
            by_name = dict(zip(stored["names"].tolist(), stored["masks"], strict=True))
    todo = [row["image"] for row in rows if Path(row["image"]).name not in by_name]
    if todo:
        network = Foreground(ipl_home() / "models" / "ipl-mini" / WEIGHTS)
        for path in todo:
            mask = Image.fromarray(network.mask(open_photo(path)))
            by_name[Path(path).name] = np.asarray(mask.resize((STORED_SIDE, STORED_SIDE), Image.Resampling.BOX))
        if file is not None:
            np.savez(file, names=np.array(list(by_name)), masks=np.stack(list(by_name.values())))
    return [
        np.asarray(Image.fromarray(by_name[Path(row["image"]).name]).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
        for row in rows
    ]
