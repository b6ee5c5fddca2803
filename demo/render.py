"""Draws the demo photos: ``python -m demo.render [FOLDER]``. Every picture comes from this code; no photo is used."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from demo import hoodie, label, mug

PICTURES: dict[str, Callable[[], Image.Image]] = {
    "hoodie.jpg": hoodie.draw,
    "hoodie_label.jpg": label.draw,
    "mug.jpg": mug.draw,
}
QUALITY = 70


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent, help="where the files go")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in PICTURES.items():
        draw().save(folder / name, "JPEG", quality=QUALITY, optimize=True)
        print(folder / name)


if __name__ == "__main__":
    main()
