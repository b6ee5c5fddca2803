"""Intake: what comes out of good photos of every kind."""

from __future__ import annotations

import io
import random
from pathlib import Path

import imagehash
import pytest
from PIL import Image, ImageCms, ImageDraw, PngImagePlugin

from listing.intake.photos import PhotoLimits, hamming, intake, phash
from tests.listing.intake.files import encoded

GPS = {1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 36.0)}


def scene(width: int = 240, height: int = 160, seed: int = 0) -> Image.Image:
    """Red in the top left corner, blue elsewhere, with some shapes."""
    image = Image.new("RGB", (width, height), (30, 60, 200))
    draw = ImageDraw.Draw(image)
    draw.rectangle([0, 0, width // 2, height // 2], fill=(220, 30, 30))
    rng = random.Random(seed)
    for _ in range(6):
        x, y = rng.randrange(width), rng.randrange(height // 2, height)
        draw.ellipse([x, y, x + 40, y + 30], fill=(rng.randrange(256), 200, 40))
    return image


def one(data: bytes, **limits: int) -> Image.Image:
    return intake([data], PhotoLimits(**limits))[0].image


def near(pixel: tuple[int, ...], colour: tuple[int, int, int], tolerance: int = 14) -> bool:
    return max(abs(a - b) for a, b in zip(pixel, colour, strict=True)) <= tolerance


def test_order_names_and_ids(tmp_path) -> None:
    file = tmp_path / "front\x1b[31m.jpg"
    file.write_bytes(encoded(scene(), "JPEG"))
    photos = intake([file, encoded(scene(seed=1), "PNG"), str(file)])
    assert [photo.name for photo in photos] == ["front[31m.jpg", "photo 2", "front[31m.jpg"]
    assert len({photo.ref.id for photo in photos}) == 3
    assert all(len(photo.ref.id) == 32 and "front" not in photo.ref.id for photo in photos)
    assert [p.ref.id for p in intake([file], new_id=lambda: "mine")] == ["mine"]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIF"])
def test_pixels_leave_and_no_metadata(kind: str) -> None:
    exif = Image.Exif()
    exif[0x010F] = "SECRETMAKER"
    exif[0x8825] = GPS
    options: dict[str, object] = {"exif": exif.tobytes()}
    if kind == "JPEG":
        options |= {"comment": b"SECRETCOMMENT", "xmp": b"<x>SECRETXMP</x>", "dpi": (333, 333)}
    if kind == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_text("Author", "SECRETAUTHOR")
        options["pnginfo"] = info
    data = encoded(scene(), kind, **options)
    assert b"SECRET" in data
    photo = intake([data])[0]
    back = Image.open(io.BytesIO(photo.jpeg))
    assert (photo.image.mode, photo.image.size) == ("RGB", (photo.ref.width, photo.ref.height)) == ("RGB", (240, 160))
    assert all(near(image.getpixel((20, 20)), (220, 30, 30)) for image in (photo.image, back))
    assert b"SECRET" not in photo.jpeg
    assert b"Exif" not in photo.jpeg
    assert not back.getexif()
    assert not photo.image.getexif()
    assert photo.image.info == {}
    assert {"exif", "xmp", "comment", "icc_profile"}.isdisjoint(back.info)


@pytest.mark.parametrize("mode", ["P", "1", "L", "LA", "RGBA"])
def test_other_modes(mode: str) -> None:
    image = one(encoded(scene().convert(mode), "PNG"))
    assert image.mode == "RGB"
    assert image.size == (240, 160)


def test_transparency_becomes_white() -> None:
    clear = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    clear.paste((200, 0, 0, 255), (0, 0, 50, 100))
    for image in (one(encoded(clear, "PNG")), one(encoded(clear.quantize(8), "PNG"))):
        assert near(image.getpixel((80, 50)), (255, 255, 255), 4)
        assert near(image.getpixel((20, 50)), (200, 0, 0), 8)


def test_a_colour_profile_is_applied_and_a_broken_one_ignored() -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (lab, b"no profile at all"):
        assert near(one(encoded(scene(), "PNG", icc_profile=profile)).getpixel((20, 20)), (220, 30, 30), 4)


def test_perceptual_hash_knows_the_same_photo_again() -> None:
    first, other = scene(seed=1), scene(320, 320, seed=9).rotate(90)
    again = Image.open(io.BytesIO(encoded(first.resize((480, 320)), "JPEG", quality=60)))
    assert len(phash(first)) == 16
    assert hamming(phash(first), phash(first)) == 0
    assert hamming(phash(first), phash(again)) <= 6
    assert hamming(phash(first), phash(other)) > 10


def test_the_hash_is_that_of_the_library() -> None:
    demo = Path(__file__).resolve().parents[3] / "demo"
    for photo in [*map(Image.open, sorted(demo.glob("*.jpg"))), Image.new("RGB", (40, 30), (9, 90, 200))]:
        assert phash(photo) == str(imagehash.phash(photo))
    assert hamming("0" * 16, "f" * 16) == 64
    with pytest.raises(ValueError, match="cannot be compared"):
        hamming("00", "0000")
