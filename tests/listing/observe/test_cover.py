"""Clean covers: what stands on the plain background is the item as it was photographed, or there is none."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from listing.observe.networks.cover import PAPER, CoverError, clean_cover

GREEN, RED = (30, 120, 60), (190, 30, 40)


def photo_and_mask(size: tuple[int, int] = (480, 640)) -> tuple[Image.Image, np.ndarray]:
    """A red thing on green, and a mask that is a little too large."""
    photo, mask = Image.new("RGB", size, GREEN), np.zeros((320, 320), np.uint8)
    photo.paste(RED, (size[0] // 4, size[1] // 4, 3 * size[0] // 4, 3 * size[1] // 4))
    mask[78:242, 78:242] = 255
    return photo, mask


def cover_of(photo: Image.Image, mask: np.ndarray) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(clean_cover(photo, mask))))


def test_the_item_stays_and_what_is_around_it_goes() -> None:
    photo, mask = photo_and_mask()
    cover = cover_of(photo, mask)
    assert cover.shape == (640, 480, 3)
    assert np.abs(cover[200:440, 160:320].astype(int) - RED).max() <= 6  # JPEG
    assert np.abs(cover[:60].astype(int) - PAPER).max() <= 6
    under, above = cover[492, 240].astype(int), cover[148, 240].astype(int)
    assert under.sum() < above.sum()  # a shadow falls down
    greenish = (cover[..., 1].astype(int) - cover[..., 0]) > 40
    assert greenish.mean() < 0.01


def test_specks_are_left_out() -> None:
    photo, mask = photo_and_mask()
    mask[300:306, 300:306] = 255
    assert np.abs(cover_of(photo, mask)[600:615, 450:460].astype(int) - PAPER).max() <= 6


@pytest.mark.parametrize("fault", ["nothing", "everything", "tiny", "doubtful", "pieces"])
def test_a_mask_that_would_tear_the_item_is_refused(fault: str) -> None:
    photo, mask = photo_and_mask()
    if fault == "doubtful":
        mask[78:160] = np.where(mask[78:160], 120, 0)
    elif fault == "pieces":
        mask[:] = 0
        for row in range(20, 300, 90):
            mask[row : row + 60, 20:300] = 255
    else:
        mask[:] = {"nothing": 0, "everything": 255, "tiny": 0}[fault]
        if fault == "tiny":
            mask[100:150, 100:150] = 255
    with pytest.raises(CoverError, match="take it again"):
        clean_cover(photo, mask)
