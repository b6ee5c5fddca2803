"""Photo files, format by format: what the header says, and then the pixels, strip by strip.

A decoded photo of 50 megapixels is 200 MB. So it stands in memory once: whatever changes its mode is done to a strip of
it while it is scaled down, and everything else to the small photo. A HEIC file whose boxes (ISO/IEC 23008-12) would
make its reader copy too much metadata is refused before anything is read.
"""

from __future__ import annotations

import io
import math
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, JpegImagePlugin

MAX_METADATA_BYTES = 16_000_000  # of a HEIC, each photo's counted
MAX_SCANS = 100  # of a JPEG; a progressive one has about ten, and each goes over the whole photo
STRIP_PIXELS = 2_000_000
_DRAFT_GAP = 1.3  # a JPEG is decoded at a fraction of its size, but no smaller than this times the size wanted
_PNG_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2}  # a pixel; other modes take 4
_WEBP_BYTES, _WEBP_FRAME_BYTES = 8, 20
_WHITE = (255, 255, 255)
_ORIENTATION = 0x0112
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')
_IMAGES = frozenset({b"hvc1", b"hev1", b"lhv1", b"avc1", b"vvc1", b"av01", b"jpeg", b"j2k1", b"unci",
                     b"grid", b"iden", b"iovl", b"tili"})  # fmt: skip


@dataclass(frozen=True)
class Pixels:
    """A decoded photo, as it is stored: ``size`` (width, height) in px, ``rows(top, bottom)`` gives a part of it.

    orientation: by EXIF, 1 to 8. profile: its ICC colour profile.
    """

    size: tuple[int, int]
    rows: Callable[[int, int], Image.Image]
    orientation: int = 1
    profile: bytes | None = None


@dataclass(frozen=True)
class PhotoFile:
    """A photo file's header; ``decode`` then reads the pixels.

    kind: the format in words. size: (width, height) in px. memory: most bytes that decoding takes.
    """

    kind: str
    size: tuple[int, int]
    memory: float
    decode: Callable[[], Pixels]
    animated: bool = False


def open_photo(data: bytes, long_side: int) -> PhotoFile | None:
    """Read the header; None when it is none of the formats. Decoders raise almost anything, here and in ``decode``.

    long_side: longest side (px) of the photo that is wanted; a JPEG is decoded at a fraction of its size.
    """
    import pillow_heif

    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg(data, long_side)
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _png(data)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _webp(data)
    if pillow_heif.is_supported(data) and not data[8:12].startswith(b"avi"):
        return _heif(data)
    return None


class _Jpeg(JpegImagePlugin.JpegImageFile):
    def _read_dpi_from_exif(self) -> None:
        """Nothing: Pillow would read all EXIF, where each of thousands of tags may claim the same megabyte."""


def _jpeg(data: bytes, long_side: int) -> PhotoFile:
    if data.count(b"\xff\xda") > MAX_SCANS:
        raise ValueError("a JPEG with too many scans")
    opened = _Jpeg(io.BytesIO(data))
    width, height = opened.size
    scale = _DRAFT_GAP * long_side / max(width, height)
    held = 0.0
    if _is_buffered(opened, data):  # all coefficients of the photo are held, two bytes each
        samples = sum(across * down for _, across, down, _ in opened.layer)
        held = 2 * width * height * samples / max(a * d for _, a, d, _ in opened.layer)
    opened.draft(None, (math.ceil(width * scale), math.ceil(height * scale)))
    kind = "progressive JPEG" if held else "JPEG"
    return PhotoFile(kind, (width, height), held + 4 * opened.width * opened.height, lambda: _decoded(opened))


def _is_buffered(opened: JpegImagePlugin.JpegImageFile, data: bytes) -> bool:
    """True if the decoder needs all scans before the first row: progressive, or not all bands in the first scan."""
    assert opened.fp is not None
    length = 6 + 2 * len(opened.layer)
    start = opened.fp.tell() - length - 2
    return "progressive" in opened.info or data[start : start + 4] != b"\xff\xda" + struct.pack(">H", length)


def _png(data: bytes) -> PhotoFile:
    opened = Image.open(io.BytesIO(data), formats=["PNG"])
    each = _PNG_BYTES.get(opened.mode, 4) + 1
    animated = bool(getattr(opened, "is_animated", False))
    return PhotoFile("PNG", opened.size, opened.width * opened.height * each, lambda: _decoded(opened), animated)


def _decoded(opened: Image.Image) -> Pixels:
    opened.load()
    width = opened.width
    return Pixels(
        opened.size,
        lambda top, bottom: opened.crop((0, top, width, bottom)),
        _orientation(opened.info),
        opened.info.get("icc_profile"),
    )


def _webp(data: bytes) -> PhotoFile:
    """OpenCV decodes it: Pillow always decodes as if it were animated, which takes more than twice the memory."""
    opened = Image.open(io.BytesIO(data), formats=["WEBP"])
    size, info = opened.size, opened.info
    as_frames = data[12:16] == b"VP8X" and bool(data[20] & 2)

    def decode() -> Pixels:
        import cv2

        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if pixels is None:
            raise ValueError("OpenCV cannot decode this WebP")
        height, width, bands = pixels.shape
        mode, order = ("RGBA", "BGRA") if bands == 4 else ("RGB", "BGR")

        def rows(top: int, bottom: int) -> Image.Image:
            return Image.frombytes(mode, (width, bottom - top), pixels[top:bottom].tobytes(), "raw", order)

        return Pixels((width, height), rows, _orientation(info), info.get("icc_profile"))

    each = _WEBP_FRAME_BYTES if as_frames else _WEBP_BYTES
    animated = bool(getattr(opened, "is_animated", False))
    return PhotoFile("WebP", size, size[0] * size[1] * each, decode, animated)


def _heif(data: bytes) -> PhotoFile:
    """The primary photo. libheif turns it upright; Pillow's plugin would read all EXIF and make a second copy."""
    import pillow_heif

    if metadata_bytes(data) > MAX_METADATA_BYTES:
        raise ValueError("a HEIC with too much metadata")
    opened = pillow_heif.open_heif(data, remove_stride=False)
    photo = opened[opened.primary_index]
    info: dict[str, Any] = photo.info
    width, height = photo.size
    alpha = photo.mode.endswith(("A", "a"))
    chroma, deep = {420: 0.5, 422: 1.0, 444: 2.0}.get(info.get("chroma", 0), 0.0), info["bit_depth"] > 8
    planes = (1 + chroma + alpha) * (2 if deep else 1)
    each = planes * (2 if deep or chroma > 0.5 else 1) + (4 if alpha else 3) + 0.4

    def decode() -> Pixels:
        pixels, stride = photo.data, photo.stride
        width, height = photo.size  # decoding may change it

        def rows(top: int, bottom: int) -> Image.Image:
            part = pixels[top * stride : bottom * stride]
            return Image.frombytes(photo.mode, (width, bottom - top), part, "raw", photo.mode, stride)

        return Pixels((width, height), rows, profile=info.get("icc_profile"))

    return PhotoFile("HEIC", (width, height), width * height * each, decode)


def _orientation(info: Mapping[Any, Any]) -> int:
    """By EXIF, by EXIF in a PNG's text, or by XMP; 1 when none says it, or what says it is broken."""
    try:
        exif = info.get("exif")
        if exif is None and "Raw profile type exif" in info:
            exif = bytes.fromhex("".join(info["Raw profile type exif"].split("\n")[3:]))
        turned = _first_directory(exif or b"")
    except (ValueError, TypeError, struct.error):
        turned = None
    if turned is None:
        xmp = info.get("xmp") or info.get("XML:com.adobe.xmp") or b""
        match = _XMP_ORIENTATION.search(xmp.encode() if isinstance(xmp, str) else xmp)
        turned = int(match[1]) if match else 1
    return turned if turned in range(1, 9) else 1


def _first_directory(exif: bytes) -> int | None:
    """The orientation in EXIF's first directory; no other tag is read."""
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return None
    (start,) = struct.unpack_from(f"{order}I", tiff, 4)
    (count,) = struct.unpack_from(f"{order}H", tiff, start)
    for entry in range(count):
        tag, value = struct.unpack_from(f"{order}H6xH", tiff, start + 2 + 12 * entry)
        if tag == _ORIENTATION:
            return int(value)
    return None


def shrunk(pixels: Pixels, long_side: int) -> Image.Image:
    """RGB, L or CMYK, on white, longest side (px) at most ``long_side``; not turned yet."""
    width, height = pixels.size
    if max(width, height) <= long_side:
        return _plain(pixels.rows(0, height))
    size = tuple(max(1, round(side * long_side / max(width, height))) for side in pixels.size)
    down = height / size[1]
    margin = math.ceil(3 * down) + 1  # rows beside a strip that the filter looks at
    step = max(1, int(STRIP_PIXELS / (width * down)))
    image: Image.Image | None = None
    for top in range(0, size[1], step):
        bottom = min(top + step, size[1])
        first, last = max(0, int(top * down) - margin), min(height, math.ceil(bottom * down) + margin)
        part = _plain(pixels.rows(first, last)).resize(
            (size[0], bottom - top),
            Image.Resampling.LANCZOS,
            box=(0, top * down - first, width, min(bottom * down, height) - first),
            reducing_gap=2.0,
        )
        image = image or Image.new(part.mode, (size[0], size[1]))
        image.paste(part, (0, top))
    assert image is not None
    return image


def _plain(rows: Image.Image) -> Image.Image:
    """Eight bits a band, and white where it is transparent: RGB, L or CMYK."""
    clear = rows.info.get("transparency")
    if rows.mode.startswith("I"):  # 16-bit grey by its high byte; ``convert`` would clip
        values = np.asarray(rows)
        grey = (values.astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8)
        if isinstance(clear, int):
            grey[values == clear] = 255
        return Image.fromarray(grey)
    if not rows.has_transparency_data:
        return rows if rows.mode in ("RGB", "L", "CMYK") else rows.convert("L" if rows.mode == "1" else "RGB")
    if isinstance(clear, tuple) and max(clear) > 255:  # of a PNG with 16 bits a band, which is decoded to 8
        rows.info["transparency"] = tuple(value >> 8 for value in clear)
    colours = rows if rows.mode == "RGBA" else rows.convert("RGBA")
    paper = Image.new("RGB", rows.size, _WHITE)
    paper.paste(colours, mask=colours.getchannel("A"))
    return paper


class _Box(NamedTuple):
    kind: bytes
    start: int
    end: int


def metadata_bytes(data: bytes) -> int:
    """Photos times everything in the file that describes photos; ValueError, IndexError, struct.error: it is broken."""
    meta = _only(b"meta", data, 0, len(data))
    start = meta.start + 4
    photos, images = _items(data, _only(b"iinf", data, start, meta.end))
    lengths = _lengths(data, _only(b"iloc", data, start, meta.end))
    described = sum(length for item, length in lengths if item not in images)
    return max(1, photos) * (described + meta.end - meta.start)


def _boxes(data: bytes, start: int, end: int) -> Iterator[_Box]:
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if size == 1:
            (size,), head = struct.unpack_from(">Q", data, start + 8), 16
        size = size or end - start
        if size < head:
            raise ValueError("a box smaller than its head")
        yield _Box(kind, start + head, min(start + size, end))
        start += size


def _only(kind: bytes, data: bytes, start: int, end: int) -> _Box:
    matches = [box for box in _boxes(data, start, end) if box.kind == kind]
    if len(matches) != 1:
        raise ValueError(f"{len(matches)} boxes {kind!r}")
    return matches[0]


def _items(data: bytes, box: _Box) -> tuple[int, set[int]]:
    """(number of images that are not hidden, ids of all images). Tiles of a larger image are hidden."""
    visible, images = 0, set()
    start = box.start + (6 if data[box.start] == 0 else 8)
    for kind, at, _ in _boxes(data, start, box.end):
        if kind != b"infe":
            continue
        item, sort = struct.unpack_from(">I2x4s" if data[at] > 2 else ">H2x4s", data, at + 4)
        if sort in _IMAGES:
            images.add(item)
            visible += not data[at + 3] & 1
    return visible, images


def _lengths(data: bytes, box: _Box) -> Iterator[tuple[int, int]]:
    """(item, bytes) of every part of an item."""
    version, at = data[box.start], box.start + 4
    offset, length = data[at] >> 4, data[at] & 15
    base, index = data[at + 1] >> 4, data[at + 1] & 15 if version else 0
    wide = ">I" if version == 2 else ">H"
    (items,) = struct.unpack_from(wide, data, at + 2)
    at += 2 + struct.calcsize(wide)
    for _ in range(items):
        (item,) = struct.unpack_from(wide, data, at)
        at += struct.calcsize(wide) + (2 if version else 0) + 2 + base
        (parts,) = struct.unpack_from(">H", data, at)
        at += 2
        for _ in range(parts):
            at += index + offset
            yield item, int.from_bytes(data[at : at + length], "big") or len(data)
            at += length
