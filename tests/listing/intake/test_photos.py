"""Intake of photos: pixels alone come out, as a plain reading gives them; a bad file is refused with one sentence."""

from __future__ import annotations

import io
import os
import random
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps, PngImagePlugin

from listing.intake.photos import PhotoError, PhotoLimits, decode, hamming, intake, phash
from tests.listing.intake.photo_peak import FAST, chunk, encoded, png

SIDE = 300
SIZE = (1300, 950)
FUZZED = 300


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
    return decode(data, "photo", PhotoLimits(long_side=side))


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean over pixels and bands, in levels of 256."""
    assert one.size == other.size
    return float(np.abs(np.asarray(one, np.int16) - np.asarray(other.convert("RGB"), np.int16)).mean())


def test_order_names_and_ids(tmp_path: Path) -> None:
    file = tmp_path / "front\x1b[31m.jpg"
    file.write_bytes(jpeg())
    photos = intake([file, jpeg(kind="PNG"), str(file)])
    assert [photo.name for photo in photos] == ["front[31m.jpg", "photo 2", "front[31m.jpg"]
    assert len({photo.ref.id for photo in photos}) == 3
    assert all(len(photo.ref.id) == 32 and "front" not in photo.ref.id for photo in photos)
    assert [p.ref.id for p in intake([file], new_id=lambda: "mine")] == ["mine"]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIF"])
def test_pixels_leave_and_no_metadata(kind: str) -> None:
    exif = Image.Exif()
    exif[0x010F] = "SECRETMAKER"
    exif[0x8825] = {1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 36.0)}
    options: dict[str, object] = {"exif": exif.tobytes()}
    if kind == "JPEG":
        options |= {"comment": b"SECRETCOMMENT", "xmp": b"<x>SECRETXMP</x>", "dpi": (333, 333)}
    if kind == "PNG":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_text("Author", "SECRETAUTHOR")
    data = encoded(texture(size=(240, 160)), kind, **options)
    assert b"SECRET" in data
    photo = intake([data])[0]
    back = Image.open(io.BytesIO(photo.jpeg))
    assert (photo.image.mode, photo.image.size) == ("RGB", (photo.ref.width, photo.ref.height)) == ("RGB", (240, 160))
    assert difference(photo.image, back) == 0  # a draft from the store sees what a draft at once does
    assert b"SECRET" not in photo.jpeg
    assert b"Exif" not in photo.jpeg
    assert not back.getexif()
    assert not photo.image.getexif()
    assert photo.image.info == {}
    assert {"exif", "xmp", "comment", "icc_profile"}.isdisjoint(back.info)


def test_hash_is_the_library_s(repository: Path) -> None:
    first, other = texture(seed=1), texture(seed=9)
    again = Image.open(io.BytesIO(encoded(first.resize((480, 320)), "JPEG", quality=60)))
    assert hamming(phash(first), phash(again)) <= 6
    assert hamming(phash(first), phash(other)) > 10
    for photo in [*map(Image.open, sorted((repository / "demo").glob("*.jpg"))), Image.new("RGB", (40, 30), "navy")]:
        assert phash(photo) == str(imagehash.phash(photo))
    with pytest.raises(ValueError, match="cannot be compared"):
        hamming("00", "0000")


# -- pixels -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "kind", "options"),
    [
        ("RGB", "JPEG", {"quality": 95, "progressive": True, "subsampling": 0}),
        ("L", "JPEG", {"quality": 95}),
        ("CMYK", "JPEG", {"quality": 95}),
        ("RGB", "PNG", {"compress_level": 1}),
        ("RGBA", "PNG", {"compress_level": 1}),
        ("P", "PNG", {"compress_level": 1}),
        ("RGB", "WEBP", {"lossless": True, "quality": 0, "method": 0}),
        ("RGBA", "WEBP", {"lossless": True, "quality": 0, "method": 0, "exact": True}),
        ("RGBA", "WEBP", {"quality": 90, "method": 0}),
        ("RGB", "HEIF", {"quality": 90, **FAST}),
        ("RGBA", "HEIF", {"quality": 90, **FAST}),
    ],
)
def test_pixels_of_every_format(mode: str, kind: str, options: dict[str, Any]) -> None:
    image = texture().convert(mode) if mode == "P" else texture(mode)
    data = encoded(image, kind, **options)
    assert difference(clean(data), plain(data, SIDE)) < (1.5 if mode == "P" else 0.8)


@pytest.mark.parametrize("size", [(1499, 1101), (301, 200), (260, 2200)])
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
    bare = clean(encoded(texture(), kind, **options))
    assert difference(cleaned, bare) > 3
    broken = encoded(texture(), kind, icc_profile=b"no profile at all", **options)
    assert difference(clean(broken), bare) < 1


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


# -- faults -----------------------------------------------------------------------------------------------------------


def jpeg(size: tuple[int, int] = (120, 90), kind: str = "JPEG", **options: object) -> bytes:
    return encoded(Image.radial_gradient("L").resize(size).convert("RGB"), kind, **options)


def refusal(source: bytes | Path | str, **limits: int) -> PhotoError:
    with pytest.raises(PhotoError) as caught:
        intake([source], PhotoLimits(**limits))
    message = str(caught.value)
    assert re.fullmatch(r"[^\n]{10,220}\.", message), message
    return caught.value


def animated(kind: str) -> bytes:
    frames = [Image.new("RGB", (80, 80), colour) for colour in ("red", "green", "blue")]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(b"Dear buyer, this is a text.", "not_an_image", id="text"),
        pytest.param(b"%PDF-1.7\n" + b"0" * 500, "not_an_image", id="pdf"),
        pytest.param(animated("GIF"), "not_an_image", id="gif"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not_an_image", id="svg"),
        pytest.param(b"", "empty", id="zero-bytes"),
        pytest.param(jpeg()[:700], "damaged", id="truncated-jpeg"),
        pytest.param(jpeg(kind="PNG")[:-400], "damaged", id="truncated-png"),
        pytest.param(jpeg(kind="WEBP")[:-100], "damaged", id="truncated-webp"),
        pytest.param(png((30_000, 30_000, 8, 2, 0, 0, 0), b""), "too_many_pixels", id="30000-square"),
        pytest.param(png((9_000, 9_000, 8, 2, 0, 0, 0), zlib.compress(bytes(1 << 22))), "too_many_pixels", id="bomb"),
        pytest.param(animated("WEBP"), "animated", id="animated-webp"),
        pytest.param(animated("PNG"), "animated", id="animated-png"),
        pytest.param(jpeg((3, 3)), "too_small", id="tiny"),
        pytest.param(jpeg((6000, 40)), "too_small", id="thread"),
    ],
)
def test_bad_content(data: bytes, code: str, tmp_path: Path) -> None:
    file = tmp_path / "photo.jpg"
    file.write_bytes(data)
    assert refusal(file).code == code
    assert "photo.jpg" in str(refusal(file))
    assert "photo 1" in str(refusal(data))


def test_a_bomb_in_a_text_chunk() -> None:
    bomb, good = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(80_000_000), 9)), jpeg(kind="PNG")
    assert refusal(good[:33] + bomb + good[33:]).code == "damaged"


def test_files_over_the_limits_are_not_read(tmp_path: Path) -> None:
    file = tmp_path / "huge.jpg"
    with file.open("wb") as handle:
        handle.write(jpeg())
        handle.truncate(200_000_000)  # sparse: costs no disk
    error = refusal(file)
    assert error.code == "too_large"
    assert "25 MB" in str(error)
    assert refusal(jpeg(), bytes=100).code == "too_large"
    assert refusal(jpeg((200, 200)), pixels=39_999).code == "too_many_pixels"
    assert intake([jpeg((200, 200))], PhotoLimits(pixels=40_000))


def test_one_bad_photo_refuses_all() -> None:
    for photos, code in (([], "no_photo"), ([jpeg()] * 9, "too_many_photos"), ([jpeg(), b"nothing"], "not_an_image")):
        with pytest.raises(PhotoError, match="photo 2" if code == "not_an_image" else None) as caught:
            intake(photos)
        assert caught.value.code == code


def test_unreadable_paths(tmp_path: Path) -> None:
    folder = tmp_path / "x.jpg"
    folder.mkdir()
    dangling = tmp_path / "gone.jpg"
    dangling.symlink_to(tmp_path / "nowhere.jpg")
    loop = tmp_path / "loop.jpg"
    loop.symlink_to(loop)
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    for path in (folder, dangling, loop, pipe, tmp_path / "missing.jpg", "a\0b.jpg", "n" * 5000, "/dev/zero"):
        assert refusal(path).code == "unreadable"


def test_broken_exif_does_not_cost_the_photo() -> None:
    exif = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + bytes(range(200))
    assert intake([jpeg(exif=exif)])[0].image.size == (120, 90)


def fuzzed(number: int, seeds: list[bytes]) -> bytes:
    rng = random.Random(number)
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice([1, 3, 10, 60])):
        action, at = rng.randrange(4), rng.randrange(len(data))
        if action == 0:
            data[at] = rng.randrange(256)
        elif action == 1:
            del data[at : at + rng.randrange(1, 40)]
        elif action == 2:
            data[at:at] = rng.randbytes(rng.randrange(1, 40))
        else:
            data[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"])
        if len(data) < 2:
            break
    return bytes(data[: rng.randrange(1, len(data) + 1)] if rng.random() < 0.2 else data)


def test_fuzzed_files_never_crash() -> None:
    """Only a clean photo or a PhotoError comes out of 300 damaged files of all formats."""
    exif = Image.Exif()
    exif[0x0112] = 6
    seeds = [jpeg(exif=exif), jpeg(progressive=True), jpeg(kind="WEBP", lossless=True), animated("PNG")]
    seeds += [jpeg(kind=kind) for kind in ("PNG", "WEBP", "HEIF")]
    refused = 0
    for number in range(FUZZED):
        try:
            photo = intake([fuzzed(number, seeds)])[0]
        except PhotoError:
            refused += 1
        else:
            assert (photo.image.mode, photo.image.info) == ("RGB", {})
    assert 10 < refused < FUZZED - 10  # the damage was neither too little nor too much to mean anything
