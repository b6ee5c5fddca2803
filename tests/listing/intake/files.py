"""Photo files, byte by byte where it has to be."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import pillow_heif
from PIL import Image

pillow_heif.register_heif_opener()
FAST = {"enc_params": {"preset": "ultrafast"}}  # how a HEIC is encoded changes nothing of how it is read


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The image as a file of that kind."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(header: tuple[int, ...], body: bytes, *, before: bytes = b"") -> bytes:
    """A PNG of that header; ``body`` is compressed, ``before`` are chunks in front of it."""
    parts = chunk(b"IHDR", struct.pack(">IIBBBBB", *header)) + before + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts
