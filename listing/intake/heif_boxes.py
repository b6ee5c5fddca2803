"""How much metadata a HEIC file makes its reader hold, by its boxes (ISO/IEC 23008-12), before anything is read.

The reader copies EXIF, XMP and colour profile for every photo of the file, and many photos may point to the same bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

_IMAGES = frozenset({b"hvc1", b"hev1", b"lhv1", b"avc1", b"vvc1", b"av01", b"jpeg", b"j2k1", b"unci",
                     b"grid", b"iden", b"iovl", b"tili"})  # fmt: skip


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
