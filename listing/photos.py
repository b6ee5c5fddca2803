"""Safe intake: untrusted files in, clean RGB photos out.

Nothing but pixels passes: the photo is decoded under limits, turned upright, converted to sRGB, scaled, and encoded
again from bare pixels under a random id, so that GPS, camera data, comments and the file name stay behind.
"""

from __future__ import annotations

import functools
import io
import secrets
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

from listing.phash import hamming, phash
from listing.schema import PhotoRef

__all__ = ["Photo", "PhotoError", "PhotoLimits", "hamming", "intake", "phash"]

FORMATS = ("JPEG", "PNG", "WEBP", "HEIF")
_ALLOWED = "JPEG, PNG, WebP or HEIC"
# Formats whose further frames are depth maps, gain maps or burst shots; the first one is the photo.
_STILL_FORMATS = frozenset({"JPEG", "MPO", "HEIF"})
_MAX_PROFILE_BYTES = 1 << 20
_PAPER = (255, 255, 255)


class PhotoError(ValueError):
    """A photo was refused. ``code`` names the reason; the message is one sentence that says what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class PhotoLimits:
    """What intake accepts, and how large the photos are that it hands on.

    count: most photos of one item.
    bytes: most bytes of one file.
    pixels: most pixels of one file, checked before any pixel is decoded.
    long_side: longest side (px) of the photo that is handed on; larger ones are scaled down.
    short_side: least shorter side (px), after that scaling.
    jpeg_quality: 1..95, of the re-encoded photo.
    """

    count: int = 8
    bytes: int = 25_000_000
    pixels: int = 60_000_000
    long_side: int = 1600
    short_side: int = 32
    jpeg_quality: int = 90


@dataclass(frozen=True)
class Photo:
    """A clean photo.

    image: RGB, upright, longest side at most ``PhotoLimits.long_side``, no metadata.
    jpeg: the same pixels encoded again, no metadata.
    name: the original file name or "photo N"; for messages only, never stored or shown to others.
    """

    ref: PhotoRef
    image: Image.Image
    jpeg: bytes
    name: str


_DEFAULTS = PhotoLimits()


def random_id() -> str:
    """32 hex digits that say nothing about the photo."""
    return secrets.token_hex(16)


def intake(
    sources: Sequence[Path | str | bytes],
    limits: PhotoLimits = _DEFAULTS,
    *,
    new_id: Callable[[], str] = random_id,
) -> tuple[Photo, ...]:
    """Clean photos of one item, in the given order.

    Args:
        sources: 1 to ``limits.count`` paths or files' contents.
        limits: what is accepted.
        new_id: gives each photo its id.

    Raises:
        PhotoError: the number of photos is wrong, or one of them was refused; nothing is returned then.
    """
    if not sources:
        raise PhotoError("no_photo", "There is no photo; add at least one.")
    if len(sources) > limits.count:
        raise PhotoError("too_many_photos", f"{len(sources)} photos are too many; choose at most {limits.count}.")
    return tuple(_one(source, f"photo {number}", limits, new_id) for number, source in enumerate(sources, 1))


def _one(source: Path | str | bytes, fallback: str, limits: PhotoLimits, new_id: Callable[[], str]) -> Photo:
    name = fallback if isinstance(source, bytes) else _display_name(source, fallback)
    data = _read(source, name, limits)
    image = _decode(data, name, limits)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=limits.jpeg_quality)
    ref = PhotoRef(id=new_id(), width=image.width, height=image.height, phash=phash(image))
    return Photo(ref=ref, image=image, jpeg=buffer.getvalue(), name=name)


def _display_name(source: Path | str, fallback: str) -> str:
    """The file name, printable and short, so that no file name can garble a terminal or a page."""
    printable = "".join(c for c in Path(source).name if c.isprintable())
    return (printable[:57] + "..." if len(printable) > 60 else printable) or fallback


def _read(source: Path | str | bytes, name: str, limits: PhotoLimits) -> bytes:
    """The content, never more than the limit in memory. Pipes, devices and folders are not opened."""
    too_large = PhotoError(
        "too_large", f"{name} is larger than {limits.bytes / 1e6:.0f} MB; save it smaller and add it again."
    )
    if isinstance(source, bytes):
        data = source
    else:
        try:
            path = Path(source)
            if path.is_dir():
                raise PhotoError("unreadable", f"{name} is a folder; name the photo files in it.")
            if not path.is_file():
                raise PhotoError("unreadable", f"{name} is not there or is not a file; check the path.")
            if path.stat().st_size > limits.bytes:
                raise too_large
            with path.open("rb") as file:
                data = file.read(limits.bytes + 1)
        except PhotoError:
            raise
        except (OSError, ValueError) as error:
            raise PhotoError("unreadable", f"{name} cannot be read; check the path and its permissions.") from error
    if len(data) > limits.bytes:
        raise too_large
    if not data:
        raise PhotoError("empty", f"{name} is empty (0 bytes); add the photo again.")
    return data


@functools.cache
def _prepare_pillow() -> None:
    """HEIC support; a decompression-bomb warning becomes an error; complaints about metadata stay quiet."""
    import pillow_heif

    pillow_heif.register_heif_opener(thumbnails=False)
    warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def _decode(data: bytes, name: str, limits: PhotoLimits) -> Image.Image:
    _prepare_pillow()
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            _check_header(opened, name, limits)
            return _clean(opened, limits.long_side)
    except PhotoError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels(name, limits) from error
    except Image.UnidentifiedImageError as error:
        raise PhotoError("not_an_image", f"{name} is not a {_ALLOWED} photo; save it as one of these.") from error
    except Exception as error:
        # Decoders of damaged files raise almost anything (OSError, SyntaxError, struct.error, IndexError, ...).
        raise PhotoError(
            "damaged", f"{name} is damaged or cut off; copy it again from the camera or take a new photo."
        ) from error


def _too_many_pixels(name: str, limits: PhotoLimits) -> PhotoError:
    return PhotoError(
        "too_many_pixels",
        f"{name} has more than {limits.pixels / 1e6:.0f} megapixels; save it smaller and add it again.",
    )


def _check_header(opened: Image.Image, name: str, limits: PhotoLimits) -> None:
    """Refuse by what the header says; no pixel is decoded yet."""
    width, height = opened.size
    if width * height > min(limits.pixels, Image.MAX_IMAGE_PIXELS or limits.pixels):
        raise _too_many_pixels(name, limits)
    if min(width, height) * min(1.0, limits.long_side / max(width, height)) < limits.short_side:
        raise PhotoError("too_small", f"{name} is only {width} x {height} pixels; add a larger photo.")
    if opened.format not in _STILL_FORMATS and getattr(opened, "is_animated", False):
        raise PhotoError("animated", f"{name} is animated; add a still photo.")


def _clean(opened: Image.Image, long_side: int) -> Image.Image:
    """Upright sRGB pixels, longest side at most ``long_side``, in an image that carries nothing else."""
    opened.draft(None, (long_side, long_side))  # JPEG only: decodes at 1/2, 1/4 or 1/8, but never below this size
    profile = opened.info.get("icc_profile")
    image: Image.Image = opened
    if image.mode.startswith("I"):
        image = _eight_bit(image)
    elif image.mode in ("P", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
    image = _upright(image)
    image.thumbnail((long_side, long_side), Image.Resampling.LANCZOS)
    if image.mode == "RGBA":
        paper = Image.new("RGBA", image.size, (*_PAPER, 255))
        image = Image.alpha_composite(paper, image)
    # Pillow would write ``info`` entries (a comment, for one) into the JPEG again: keep the pixels alone.
    return Image.fromarray(np.array(_to_srgb(image, profile)))


def _upright(image: Image.Image) -> Image.Image:
    """Apply the EXIF orientation; a photo whose EXIF is broken stays as it lies."""
    try:
        turned = ImageOps.exif_transpose(image)
        return image.copy() if turned is None else turned
    except Exception:  # the EXIF parser raises whatever the damaged bytes lead to; the pixels may still be fine
        image.load()
        return image.copy()


def _eight_bit(image: Image.Image) -> Image.Image:
    """16-bit grey to 8-bit grey by its high byte; ``convert`` would clip instead."""
    grey = Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8))
    grey.info = image.info
    return grey


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """RGB by the embedded colour profile (Display P3, CMYK inks); without a usable one by Pillow's conversion."""
    if isinstance(profile, bytes) and 0 < len(profile) <= _MAX_PROFILE_BYTES:
        try:
            embedded = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            source = image.convert("RGB") if image.mode == "RGBA" else image
            converted = ImageCms.profileToProfile(source, embedded, ImageCms.createProfile("sRGB"), outputMode="RGB")
            return image.convert("RGB") if converted is None else converted
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass
    return image.convert("RGB")
