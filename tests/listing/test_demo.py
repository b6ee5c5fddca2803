"""The demo photos: drawn by code, small, clean, and readable."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from demo import canvas
from demo.render import PICTURES, main
from listing.intake.photos import intake
from listing.observe.printed.brands import find_brand
from listing.observe.printed.folding import fold
from listing.observe.printed.ocr import Reader

FOLDER = Path(__file__).resolve().parents[2] / "demo"
TEXTS = {"hoodie.jpg": "harbour", "hoodie_label.jpg": "wrangler", "mug.jpg": "morning"}


@pytest.mark.parametrize("name", PICTURES)
def test_committed_photos(name: str) -> None:
    file = FOLDER / name
    assert file.stat().st_size < 120_000
    with Image.open(file) as opened:
        assert not opened.getexif()
    photo = intake([file])[0]
    spans = Reader().read(photo.image)
    assert TEXTS[name] in {fold(span.text) for span in spans}
    match = find_brand(spans)
    assert (match.name if match else None) == ("Wrangler" if name == "hoodie_label.jpg" else None)


def test_render_writes_what_is_committed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mug alone, the quickest: the code draws the committed photo again, up to rounding of the JPEG encoder."""
    monkeypatch.setattr("demo.render.PICTURES", {"mug.jpg": PICTURES["mug.jpg"]})
    monkeypatch.setattr(sys, "argv", ["render", str(tmp_path)])
    main()
    again, committed = (np.asarray(Image.open(f / "mug.jpg"), dtype=float) for f in (tmp_path, FOLDER))
    assert np.abs(again - committed).mean() < 1.0


def test_the_same_seed_draws_the_same() -> None:
    first, second = (canvas.planks(np.random.default_rng(3), (60, 200)) for _ in range(2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, canvas.planks(np.random.default_rng(4), (60, 200)))
