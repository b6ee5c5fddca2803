"""The clean photo is the one that a plain reading gives: decode, turn, manage colours, lay on white, scale."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps, PngImagePlugin

from listing.intake.photos import PhotoLimits, intake
from tests.listing.intake.files import FAST, chunk, encoded, png

SIDE = 300
SIZE = (1300, 950)


def texture(mode: str = "RGB", size: tuple[int, int] = SIZE, seed: int = 0) -> Image.Image:
    """Soft blobs of colour with fine grain."""
    dice = np.random.default_rng(seed)
    bands = len(Image.new(mode, (1, 1)).getbands())
    coarse = [Image.fromarray(dice.integers(0, 256, (9, 12), dtype=np.uint8)) for _ in range(bands)]
    soft = np.stack([np.asarray(band.resize(size, Image.Resampling.BICUBIC), np.int16) for band in coarse], axis=2)
    grain = dice.integers(-12, 13, (size[1], size[0], 1), dtype=np.int16)
    pixels = (soft + grain).clip(0, 255).astype(np.uint8)
    return Image.merge(mode, [Image.fromarray(pixels[:, :, i]) for i in range(bands)])


def plain(data: bytes, side: int) -> Image.Image:
    """Everything at full size, the scaling last."""
    opened = Image.open(io.BytesIO(data))
    profile = opened.info.get("icc_profile")
    image = ImageOps.exif_transpose(opened)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    if profile:
        embedded = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        image = ImageCms.profileToProfile(image, embedded, ImageCms.createProfile("sRGB"), outputMode="RGB")
    image = image.convert("RGB")
    scale = side / max(image.size)
    size = tuple(round(n * scale) for n in image.size)
    return image.resize((size[0], size[1]), Image.Resampling.LANCZOS)


def clean(data: bytes, side: int = SIDE) -> Image.Image:
    return intake([data], PhotoLimits(long_side=side))[0].image


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean over pixels and bands, in levels of 256."""
    assert one.size == other.size
    return float(np.abs(np.asarray(one, np.int16) - np.asarray(other.convert("RGB"), np.int16)).mean())


@pytest.mark.parametrize(
    ("mode", "kind", "options"),
    [
        ("RGB", "JPEG", {"quality": 95}),
        ("RGB", "JPEG", {"quality": 95, "progressive": True, "subsampling": 0}),
        ("L", "JPEG", {"quality": 95}),
        ("CMYK", "JPEG", {"quality": 95}),
        ("RGB", "PNG", {"compress_level": 1}),
        ("RGBA", "PNG", {"compress_level": 1}),
        ("LA", "PNG", {"compress_level": 1}),
        ("RGB", "WEBP", {"quality": 90, "method": 0}),
        ("RGB", "WEBP", {"lossless": True, "quality": 0, "method": 0}),
        ("RGBA", "WEBP", {"lossless": True, "quality": 0, "method": 0, "exact": True}),
        ("RGBA", "WEBP", {"quality": 90, "method": 0}),
        ("RGB", "HEIF", {"quality": 90, **FAST}),
        ("RGBA", "HEIF", {"quality": 90, **FAST}),
        ("L", "HEIF", {"quality": 90, **FAST}),
    ],
)
def test_pixels_of_every_format(mode: str, kind: str, options: dict[str, Any]) -> None:
    data = encoded(texture(mode), kind, **options)
    assert difference(clean(data), plain(data, SIDE)) < 0.8


@pytest.mark.parametrize("size", [(1499, 1101), (301, 200), (300, 201), (2200, 260), (260, 2200)])
def test_strips_leave_no_seams(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("listing.intake.photo_files.STRIP_PIXELS", 40_000)
    data = encoded(texture(size=size), "PNG", compress_level=1)
    cleaned, expected = clean(data), plain(data, SIDE)
    assert difference(cleaned, expected) < 0.5
    rows = np.abs(np.asarray(cleaned, np.int16) - np.asarray(expected, np.int16)).mean(axis=(1, 2))
    assert rows.max() < 1.5


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "HEIF"])
def test_no_dark_fringes_around_what_is_cut_out(kind: str) -> None:
    """The transparent pixels are black; between red and white there is only a mixture of both."""
    pixels = np.zeros((*SIZE[::-1], 4), np.uint8)
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    pixels[(x - 650) ** 2 + (y - 475) ** 2 < 400**2] = (210, 40, 40, 255)
    lossless = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    options = {"quality": -1, "chroma": 444, **FAST} if kind == "HEIF" else lossless
    image = np.asarray(clean(encoded(Image.fromarray(pixels), kind, **options)), np.int16)
    assert image[:, :, 0].min() >= 200
    assert tuple(image[5, 5]) == (255, 255, 255)
    red = image[image.shape[0] // 2, image.shape[1] // 2]
    assert np.abs(red - (210, 40, 40)).max() <= 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_every_orientation_by_exif(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x010F] = "A maker with a longer name"
    exif[0x0112] = orientation
    data = encoded(texture(size=(900, 500)), kind, exif=exif.tobytes())
    assert difference(clean(data), plain(data, SIDE)) < 1.0


def test_orientation_in_other_places_of_a_png() -> None:
    """In XMP, in a text as ImageMagick writes it, and in a chunk behind the pixels."""
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = encoded(texture(size=(900, 500)), "PNG")
    xmp, raw = PngImagePlugin.PngInfo(), PngImagePlugin.PngInfo()
    xmp.add_itxt("XML:com.adobe.xmp", '<x tiff:Orientation="6"/>')
    raw.add_text("Raw profile type exif", f"\nexif\n {len(exif.tobytes())}\n{exif.tobytes().hex()}")
    behind = chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
    for data in (
        encoded(texture(size=(900, 500)), "PNG", pnginfo=xmp),
        encoded(texture(size=(900, 500)), "PNG", pnginfo=raw),
        upright[:-12] + behind + upright[-12:],
    ):
        assert difference(clean(data), plain(upright, SIDE).transpose(Image.Transpose.ROTATE_270)) < 1.0


def display_p3() -> bytes:
    """An ICC profile with the primaries of Display P3 and a gamma of 2.2."""

    def fixed(*numbers: float) -> bytes:
        return b"".join(struct.pack(">i", round(n * 65536)) for n in numbers)

    tags = {
        b"wtpt": b"XYZ \0\0\0\0" + fixed(0.9642, 1.0, 0.8249),
        b"rXYZ": b"XYZ \0\0\0\0" + fixed(0.5151, 0.2412, -0.0011),
        b"gXYZ": b"XYZ \0\0\0\0" + fixed(0.2920, 0.6922, 0.0419),
        b"bXYZ": b"XYZ \0\0\0\0" + fixed(0.1571, 0.0666, 0.7841),
    }
    tags |= {name: b"curv\0\0\0\0" + struct.pack(">IHH", 1, 563, 0) for name in (b"rTRC", b"gTRC", b"bTRC")}
    at, table, body = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += name + struct.pack(">II", at + len(body), len(content))
        body += content
    head = struct.pack(">I4sI4s4s4s", at + len(body), b"\0\0\0\0", 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + fixed(0.9642, 1.0, 0.8249)
    return head.ljust(128, b"\0") + table + body


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIF"])
def test_display_p3_becomes_srgb(kind: str) -> None:
    options = FAST if kind == "HEIF" else {}
    data = encoded(texture(), kind, icc_profile=display_p3(), **options)
    cleaned = clean(data)
    assert difference(cleaned, plain(data, SIDE)) < 1.5
    assert difference(cleaned, clean(encoded(texture(), kind, **options))) > 3  # other colours without it


def test_sixteen_bits_a_band() -> None:
    ramp = np.tile(np.linspace(0, 65535, 1500).astype(np.uint16), (600, 1))
    grey = np.asarray(clean(encoded(Image.fromarray(ramp), "PNG")))
    assert np.allclose(grey[60, ::50, 0], np.linspace(0, 255, 300)[::50], atol=2)

    def deep(colour: int, bands: int, key: bytes) -> bytes:
        value = np.full((200, 300, bands), 0x4080, ">u2")
        value[:, 150:] = 0xC010
        body = b"".join(b"\0" + row.tobytes() for row in value)
        return png((300, 200, 16, colour, 0, 0, 0), zlib.compress(body), before=chunk(b"tRNS", key))

    for data in (deep(0, 1, b"\x40\x80"), deep(2, 3, b"\x40\x80" * 3)):  # one value of 16 bits is transparent
        image = clean(data)
        assert image.getpixel((20, 100)) == (255, 255, 255)
        assert image.getpixel((280, 100)) == (0xC0, 0xC0, 0xC0)
