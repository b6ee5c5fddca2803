"""Safe intake: untrusted files in, clean RGB photos out.

Nothing but pixels passes: the photo is decoded under limits, turned upright, converted to sRGB, scaled, and encoded
again from bare pixels under a random id, so that GPS, camera data, comments and the file name stay behind. Memory is
bounded: by what a header says that decoding takes, and by two readers, for whom photos wait.
"""

from __future__ import annotations

import functools
import io
import os
import secrets
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

from listing.errors import IplError
from listing.intake.photo_files import PhotoFile, Pixels, open_photo, shrunk
from listing.request import Photo
from listing.schema import PhotoRef

__all__ = ["Photo", "PhotoError", "PhotoLimits", "hamming", "intake", "phash", "random_id"]

_ALLOWED = "JPEG, PNG, WebP or HEIC"
_MAX_PROFILE_BYTES = 1 << 20
_MAX_TEXT_BYTES = 8 << 20  # of all text chunks of a PNG, unpacked
_TURNS = "FLIP_LEFT_RIGHT ROTATE_180 FLIP_TOP_BOTTOM TRANSPOSE ROTATE_270 TRANSVERSE ROTATE_90"
_TRANSPOSED = {n: Image.Transpose[name] for n, name in enumerate(_TURNS.split(), 2)}  # by EXIF's orientation
_READERS = 2
SMALL, SMALL_QUALITY = 1000, 95  # at 90 drafts of small photos are right less often (docs/evaluation.md)
BITS = 64
_SIDE, _LOW = 32, 8  # pixels of the grey photo, frequencies that are kept
_WAVES = np.cos(np.pi / (2 * _SIDE) * np.outer(np.arange(_LOW), 2 * np.arange(_SIDE) + 1))


class PhotoError(IplError, ValueError):
    """A photo was refused. ``code`` names the reason; the message is one sentence that says what to do."""

    exit_status = 2
    http_status = 422

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message, code=code)


@dataclass(frozen=True)
class PhotoLimits:
    """Limits of what intake accepts, and how large the photos are that it hands on."""

    count: int = 8  # most photos of one item
    bytes: int = 25_000_000  # most of one file
    pixels: int = 60_000_000  # most of one file, checked before any pixel is decoded
    memory: int = 256_000_000  # most bytes that decoding one file may take, by its header, and checked as early
    long_side: int = 1600  # longest side (px) of the photo that is handed on; larger ones are scaled down
    short_side: int = 32  # least shorter side (px), after that scaling
    jpeg_quality: int = 90  # 1..95, of the re-encoded photo, unless it is small
    wait: float = 30.0  # most seconds until one of the readers begins with a file


def random_id() -> str:
    """32 hex digits that say nothing about the photo."""
    return secrets.token_hex(16)


def intake(
    sources: Sequence[Path | str | bytes],
    limits: PhotoLimits = PhotoLimits(),
    *,
    new_id: Callable[[], str] = random_id,
) -> tuple[Photo, ...]:
    """Clean photos of one item, in the given order; ``sources`` are 1 to ``limits.count`` paths or files' contents.

    Raises:
        PhotoError: the number of photos is wrong, one of them was refused, or so many are being read that the wait was
            too long (code ``busy``); nothing is returned then.
    """
    if not sources:
        raise PhotoError("no_photo", "There is no photo; add at least one.")
    if len(sources) > limits.count:
        raise PhotoError("too_many_photos", f"{len(sources)} photos are too many; choose at most {limits.count}.")
    return tuple(_one(source, f"photo {number}", limits, new_id) for number, source in enumerate(sources, 1))


def _one(source: Path | str | bytes, fallback: str, limits: PhotoLimits, new_id: Callable[[], str]) -> Photo:
    name = fallback if isinstance(source, bytes) else _display_name(source, fallback)
    image = _in_turn(lambda: decode(_read(source, name, limits), name, limits), name, limits.wait)
    buffer = io.BytesIO()
    if max(image.size) < SMALL:
        image.save(buffer, "JPEG", quality=SMALL_QUALITY, subsampling="4:4:4")
    else:
        image.save(buffer, "JPEG", quality=limits.jpeg_quality)
    ref = PhotoRef(id=new_id(), width=image.width, height=image.height, phash=phash(image))
    return decoded(ref, buffer.getvalue(), name)


def decoded(ref: PhotoRef, jpeg: bytes, name: str) -> Photo:
    """A photo from its clean JPEG: what is drafted at once and what is drafted from the store see the same pixels."""
    with Image.open(io.BytesIO(jpeg)) as opened:
        image = opened.convert("RGB")
    image.info.clear()
    return Photo(ref=ref, image=image, jpeg=jpeg, name=name)


@functools.cache
def _readers(process: int) -> ThreadPoolExecutor:
    """The process's own; always the same threads, because each keeps some of the memory that it has used."""
    return ThreadPoolExecutor(_READERS, thread_name_prefix="photo")


def _in_turn(read: Callable[[], Image.Image], name: str, wait: float) -> Image.Image:
    waiting = _readers(os.getpid()).submit(read)
    try:
        return waiting.result(timeout=wait)
    except TimeoutError:
        if waiting.cancel():
            raise PhotoError("busy", f"Too many photos are being read; add {name} again in a minute.") from None
        return waiting.result()  # a reader is at it


def _display_name(source: Path | str, fallback: str) -> str:
    """The file name, printable and short, so that no file name can garble a terminal or a page."""
    printable = "".join(c for c in Path(source).name if c.isprintable())
    return (printable[:57] + "..." if len(printable) > 60 else printable) or fallback


def _read(source: Path | str | bytes, name: str, limits: PhotoLimits) -> bytes:
    """The content, never more than the limit in memory. Pipes, devices and folders are not opened."""
    if isinstance(source, bytes):
        data = source
    else:
        try:
            path = Path(source)
            if path.is_dir():
                raise PhotoError("unreadable", f"{name} is a folder; name the photo files in it.")
            if not path.is_file():
                raise PhotoError("unreadable", f"{name} is not there or is not a file; check the path.")
            with path.open("rb") as file:
                data = file.read(limits.bytes + 1)
        except PhotoError:
            raise
        except (OSError, ValueError) as error:
            raise PhotoError("unreadable", f"{name} cannot be read; check the path and its permissions.") from error
    if len(data) > limits.bytes:
        most = f"{limits.bytes / 1e6:.0f} MB"
        raise PhotoError("too_large", f"{name} is larger than {most}; save it smaller and add it again.")
    if not data:
        raise PhotoError("empty", f"{name} is empty (0 bytes); add the photo again.")
    return data


@functools.cache
def _prepare_pillow() -> None:
    """A decompression-bomb warning becomes an error; complaints about metadata stay quiet."""
    PngImagePlugin.MAX_TEXT_MEMORY = _MAX_TEXT_BYTES
    warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def decode(data: bytes, name: str, limits: PhotoLimits = PhotoLimits()) -> Image.Image:
    """A file's pixels under the limits: upright, sRGB, scaled, before they are encoded again. PhotoError: refused."""
    _prepare_pillow()
    try:
        file = open_photo(data, limits.long_side)
        if file is None:
            raise PhotoError("not_an_image", f"{name} is not a {_ALLOWED} photo; save it as one of these.")
        _check_header(file, name, limits)
        return _clean(file.decode(), limits.long_side)
    except PhotoError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels(name, limits.pixels) from error
    except Exception as error:
        # Decoders of damaged files raise almost anything (OSError, SyntaxError, struct.error, IndexError, ...).
        raise PhotoError(
            "damaged", f"{name} is damaged or cut off; copy it again from the camera or take a new photo."
        ) from error


def _too_many_pixels(name: str, most: float, kind: str = "") -> PhotoError:
    reason = f", the most for a {kind}" if kind else ""
    return PhotoError(
        "too_many_pixels",
        f"{name} has more than {most / 1e6:.0f} megapixels{reason}; save it smaller and add it again.",
    )


def _check_header(file: PhotoFile, name: str, limits: PhotoLimits) -> None:
    """Refuse by what the header says; no pixel is decoded yet."""
    width, height = file.size
    if width * height > limits.pixels:
        raise _too_many_pixels(name, limits.pixels)
    if file.memory > limits.memory:
        raise _too_many_pixels(name, width * height * limits.memory / file.memory, file.kind)
    if min(width, height) * min(1.0, limits.long_side / max(width, height)) < limits.short_side:
        raise PhotoError("too_small", f"{name} is only {width} x {height} pixels; add a larger photo.")
    if file.animated:
        raise PhotoError("animated", f"{name} is animated; add a still photo.")


def _clean(pixels: Pixels, long_side: int) -> Image.Image:
    """Upright sRGB pixels, longest side at most ``long_side``, in an image that carries nothing else."""
    image = shrunk(pixels, long_side)
    if pixels.orientation in _TRANSPOSED:
        image = image.transpose(_TRANSPOSED[pixels.orientation])
    # Pillow would write ``info`` entries (a comment, for one) into the JPEG again: keep the pixels alone.
    return Image.fromarray(np.array(_to_srgb(image, pixels.profile)))


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """RGB by the embedded colour profile (Display P3, CMYK inks); without a usable one by Pillow's conversion."""
    if isinstance(profile, bytes) and 0 < len(profile) <= _MAX_PROFILE_BYTES:
        try:
            embedded = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, embedded, ImageCms.createProfile("sRGB"), outputMode="RGB")
            return image.convert("RGB") if converted is None else converted
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass
    return image.convert("RGB")


def phash(image: Image.Image) -> str:
    """DCT hash of the grey photo at 32 x 32 (that of ImageHash's ``phash``), 64 bits as 16 hex digits."""
    grey = image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    low = np.round(_WAVES @ np.asarray(grey, float) @ _WAVES.T, 6)  # a flat photo has no waves, whatever is rounded
    bits = "".join("01"[bit] for bit in (low > np.median(low)).ravel().tolist())
    return f"{int(bits, 2):0{BITS // 4}x}"


def hamming(a: str, b: str) -> int:
    """Number of differing bits (0..64) of two hashes in hex; ValueError where they have different lengths."""
    if len(a) != len(b):
        raise ValueError(
            f"Hashes of {len(a)} and {len(b)} digits cannot be compared; compute both by the same function."
        )
    return (int(a, 16) ^ int(b, 16)).bit_count()
