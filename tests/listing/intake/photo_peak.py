"""Run as a program of its own: what the intake of files costs in memory. Each line of its input is ``[THREADS, FILE]``.

For each it prints a line of JSON: ``mb``, the peak over what the process held before (10^6 bytes), and ``sizes``, the
photo's width and height or the code and the sentence of its refusal, one of each thread. Each is measured in a fork of
the warm program, whose peak begins with what it holds then.
"""

from __future__ import annotations

import io
import json
import os
import re
import resource
import struct
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pillow_heif
from PIL import Image

from listing.intake.photos import PhotoError, intake

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


def peak() -> float:
    """The most memory that this process has held so far, in 10^6 bytes."""
    status = Path("/proc/self/status")
    if status.is_file():  # Linux counts the parent's memory into ru_maxrss of a new program
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())[0]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def warm_up() -> None:
    """Every decoder, the colour management and the hash, on a small photo of each format."""
    for kind in ("JPEG", "PNG", "WEBP", "HEIF"):
        intake([encoded(Image.new("RGBA" if kind == "PNG" else "RGB", (2000, 200), "red"), kind)])


def one(file: str) -> Any:
    try:
        photo = intake([file])[0]
    except PhotoError as error:
        return [error.code, str(error)]
    return [photo.image.width, photo.image.height]


def measure(threads: int, file: str) -> dict[str, Any]:
    before = peak()
    with ThreadPoolExecutor(threads) as pool:
        sizes = list(pool.map(one, [file] * threads))
    return {"mb": peak() - before, "sizes": sizes}


def main() -> None:
    warm_up()
    for line in sys.stdin:
        child = os.fork()
        if not child:
            print(json.dumps(measure(*json.loads(line))), flush=True)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status:
            print(json.dumps({"status": status}), flush=True)


if __name__ == "__main__":
    main()
