"""What the intake of one photo may cost in memory, measured in a program of its own, format by format."""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from listing.intake.photos import PhotoError, PhotoLimits, intake
from tests.listing.intake.photo_peak import FAST, chunk, encoded, png

pytestmark = pytest.mark.slow

MOST_MB = 300
LARGE, ORDINARY = (8160, 6120), (5656, 4242)  # 50 and 24 megapixels
HUGE = (8900, 6700)
Measure = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def measured(repository: Path) -> Iterator[Measure]:
    """Measures the intake of a file."""
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.listing.intake.photo_peak"],
        cwd=repository,
        env={**os.environ, "MALLOC_ARENA_MAX": "2"},  # as ./ipl starts every program
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def run(file: Path, threads: int = 1) -> dict[str, Any]:
        assert program.stdin
        assert program.stdout
        print(json.dumps([threads, str(file)]), file=program.stdin, flush=True)
        return json.loads(program.stdout.readline())

    yield run
    program.kill()
    program.communicate()


@cache
def large_heic() -> bytes:
    return encoded(photo(LARGE), "HEIF", quality=40, **FAST)


def photo(size: tuple[int, int], mode: str = "RGB") -> Image.Image:
    """Coarse blocks of colour, in the bands of ``mode``."""
    bands = len(Image.new(mode, (1, 1)).getbands())
    blocks = np.random.default_rng(3).integers(0, 256, (30, 40, bands), dtype=np.uint8)
    image = Image.merge(mode, [Image.fromarray(blocks[:, :, i]) for i in range(bands)])
    return image.resize(size, Image.Resampling.NEAREST)


def interlaced(size: tuple[int, int]) -> bytes:
    """An interlaced RGBA PNG, black and transparent."""
    width, height = size
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    packer = zlib.compressobj(1)
    body = b"".join(
        packer.compress(bytes(1 + 4 * -(-(width - x) // dx))) for x, y, dx, dy in passes for _ in range(y, height, dy)
    )
    return png((width, height, 8, 6, 0, 0, 1), body + packer.flush())


def deep_heic(size: tuple[int, int]) -> bytes:
    """A HEIC with 10 bits a sample."""
    pixels = np.asarray(photo(size)).astype(np.uint16) << 8
    buffer = io.BytesIO()
    pillow_heif.from_bytes(mode="RGB;16", size=size, data=pixels.tobytes()).save(buffer, quality=50, **FAST)
    return buffer.getvalue()


def webp(size: tuple[int, int], mode: str = "RGB", **options: Any) -> bytes:
    return encoded(photo(size, mode), "WEBP", **{"quality": 30, "method": 0, **options})


def progressive(size: tuple[int, int], mode: str = "RGB", **options: Any) -> bytes:
    return encoded(photo(size, mode), "JPEG", progressive=True, **options)


ACCEPTED: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: encoded(photo(LARGE), "JPEG"),
    "jpeg-progressive": lambda: progressive(LARGE),
    "jpeg-square": lambda: encoded(photo((6300, 6300)), "JPEG", subsampling=0),
    "jpeg-strip": lambda: encoded(photo((50_000, 1_100)), "JPEG"),
    "jpeg-cmyk": lambda: encoded(photo(LARGE, "CMYK"), "JPEG"),
    "png": lambda: encoded(photo(ORDINARY), "PNG", compress_level=1),
    "png-alpha": lambda: encoded(photo(LARGE, "RGBA"), "PNG", compress_level=1),
    "png-interlaced": lambda: interlaced(LARGE),
    "png-16-bit": lambda: encoded(Image.fromarray(np.asarray(photo(LARGE, "L")).astype(np.uint16) * 257), "PNG"),
    "png-palette": lambda: encoded(photo(LARGE, "L").convert("P"), "PNG", transparency=bytes(40) + b"\xff" * 216),
    "webp": lambda: webp(ORDINARY),
    "webp-lossless": lambda: webp(ORDINARY, lossless=True, quality=0),
    "webp-alpha": lambda: webp(ORDINARY, "RGBA"),
    "webp-lossless-alpha": lambda: webp(ORDINARY, "RGBA", lossless=True, quality=0),
    "heic": large_heic,
    "heic-alpha": lambda: encoded(photo(ORDINARY, "RGBA"), "HEIF", quality=40, **FAST),
    "heic-10-bit": lambda: deep_heic(ORDINARY),
}
# What goes the way of another: the decoder of its format is tried by the rest.
NIGHTLY = {"jpeg-square", "jpeg-strip", "png-palette", "webp-alpha", "webp-lossless-alpha", "heic-alpha"}


def short_form(names: Iterable[str], nightly: set[str]) -> list[Any]:
    """Each of them, some only at night."""
    return [pytest.param(name, marks=[pytest.mark.nightly] * (name in nightly)) for name in names]


@pytest.mark.parametrize("name", short_form(ACCEPTED, NIGHTLY))
def test_ordinary_photos_are_taken_within_the_bound(name: str, tmp_path: Path, measured: Measure) -> None:
    file = tmp_path / "photo"
    file.write_bytes(ACCEPTED[name]())
    report = measured(file)
    assert max(size for size in report["sizes"][0] if isinstance(size, int)) == 1600, report
    assert report["mb"] < MOST_MB


LIMITED: dict[str, Callable[[], bytes]] = {
    "jpeg-progressive-444": lambda: progressive(HUGE, subsampling=0),
    "jpeg-progressive-cmyk": lambda: progressive(HUGE, "CMYK"),
    "png-alpha": lambda: encoded(photo(HUGE, "RGBA"), "PNG", compress_level=1),
    "webp": lambda: webp(HUGE),
    "webp-alpha": lambda: webp(HUGE, "RGBA"),
}


@pytest.mark.parametrize("name", short_form(LIMITED, {"webp-alpha", "jpeg-progressive-444"}))
def test_larger_photos_are_refused_by_their_header(name: str, tmp_path: Path, measured: Measure) -> None:
    file = tmp_path / "photo"
    file.write_bytes(LIMITED[name]())
    report = measured(file)
    code, sentence = report["sizes"][0]
    assert code == "too_many_pixels", report
    assert "megapixels" in sentence
    assert sentence.endswith("save it smaller and add it again.")
    assert report["mb"] < 60


def test_many_at_a_time_wait_for_each_other(tmp_path: Path, measured: Measure) -> None:
    file = tmp_path / "photo.png"
    file.write_bytes(encoded(photo((7000, 5000), "RGBA"), "PNG", compress_level=1))
    alone, together = measured(file), measured(file, threads=6)
    assert together["sizes"] == [[1600, 1143]] * 6
    assert together["mb"] < 2.5 * alone["mb"]


def test_a_photo_that_waits_too_long_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "photo.jpg"
    file.write_bytes(progressive((6000, 4500)))
    small = encoded(photo((300, 200)), "JPEG")
    refusals: set[str] = set()
    with ThreadPoolExecutor(4) as pool:
        others = [pool.submit(intake, [file] * 2) for _ in range(4)]
        while not refusals and not all(other.done() for other in others):
            try:
                intake([small], PhotoLimits(wait=0.01))
            except PhotoError as error:
                refusals.add(f"{error.code}: {error}")
    assert refusals == {"busy: Too many photos are being read; add photo 1 again in a minute."}
    assert all(len(other.result()) == 2 for other in others)  # who waits long enough gets a turn


# -- files that mean harm -----------------------------------------------------------------------------------------


def directory(entries: int, size: int) -> bytes:
    """EXIF whose every entry claims the same ``size`` bytes as its own."""
    table = b"".join(struct.pack("<HHII", 0x1000 + i, 7, size, 0) for i in range(entries))
    return b"II*\0" + struct.pack("<IH", 8, entries) + table + bytes(4) + bytes(size)


def exif_jpeg() -> bytes:
    """EXIF of many segments, which are read as one."""
    data, exif = encoded(Image.new("RGB", (200, 200)), "JPEG"), directory(3000, 500_000)
    parts = [b"Exif\0\0" + exif[at : at + 65_000] for at in range(0, len(exif), 65_000)]
    return data[:2] + b"".join(b"\xff\xe1" + struct.pack(">H", len(p) + 2) + p for p in parts) + data[20:]


def with_exif(kind: str) -> bytes:
    return encoded(Image.new("RGB", (200, 200)), kind, exif=directory(1500, 1_000_000))


def long_texts() -> bytes:
    """Text chunks that swell to megabytes, each letter of four bytes."""
    text = zlib.compress(("\U0001f600" + "a" * 1_000_000).encode(), 9)
    texts = b"".join(chunk(b"iTXt", b"k%d\0\1\0\0\0" % i + text) for i in range(60))
    data = encoded(photo((6000, 4500), "RGBA"), "PNG", compress_level=1)
    return data[:33] + texts + data[33:]


def profile_png() -> bytes:
    data = encoded(Image.new("RGB", (200, 200)), "PNG")
    return data[:33] + chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(500_000_000), 9)) + data[33:]


def lying_heic() -> bytes:
    """The header says 200 x 200 pixels, the coded picture is larger."""
    data = bytearray(large_heic())
    at = data.index(b"ispe")
    data[at + 8 : at + 16] = struct.pack(">II", 200, 200)
    return bytes(data)


def shared_metadata() -> bytes:
    """A HEIC with 40 photos, whose EXIF is the same 10 MB."""
    file = pillow_heif.HeifFile()
    for number in range(40):
        file.add_from_pillow(Image.new("RGB", (64, 64), (number, 0, 0)))
        file[number].info["exif"] = b"Exif\0\0II*\0\x08\0\0\0" + bytes(6 if number else 10_000_000)
    buffer = io.BytesIO()
    file.save(buffer, quality=30, save_all=True)
    data = bytearray(buffer.getvalue())
    first = data.index(b"iloc") + 12  # entries of 18 bytes: id, source, base, number of parts, offset, length
    assert data[first - 4 : first - 2] == b"\x44\x40"
    entries = [first + 18 * number for number in range(80)]
    large = max(entries, key=lambda at: int.from_bytes(data[at + 14 : at + 18]))
    for at in entries[1::2]:
        data[at + 2 : at + 18] = data[large + 2 : large + 18]
    return bytes(data)


def many_scans() -> bytes:
    """A progressive JPEG of one colour, whose last scan is there ten thousand times."""
    data = encoded(Image.new("L", (5000, 5000), 90), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * 10_000 + data[-2:]


HARMFUL: dict[str, Callable[[], bytes]] = {
    "exif-jpeg": exif_jpeg,
    "exif-png": lambda: with_exif("PNG"),
    "exif-webp": lambda: with_exif("WEBP"),
    "exif-heic": lambda: with_exif("HEIF"),
    "texts": long_texts,
    "profile": profile_png,
    "lying-heic": lying_heic,
    "shared-metadata": shared_metadata,
    "many-scans": many_scans,
    "cut-off-png": lambda: encoded(photo(LARGE, "RGBA"), "PNG", compress_level=1)[:-2000],
    "cut-off-webp": lambda: webp(ORDINARY)[:-2000],
}


@pytest.mark.parametrize("name", HARMFUL)
def test_files_that_mean_harm_cost_no_more(name: str, tmp_path: Path, measured: Measure) -> None:
    file = tmp_path / "photo"
    file.write_bytes(HARMFUL[name]())
    report = measured(file)
    assert report["mb"] < MOST_MB
    if name.startswith("exif"):  # the pixels are fine, and no tag but the orientation is needed
        assert report["sizes"] == [[200, 200]]
    else:
        assert report["sizes"][0][0] == "damaged"
