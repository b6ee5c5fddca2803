"""Clothes on a person: the garment alone, since to what learned clothes lying flat, bare arms are long sleeves.

A face is a patch of skin at the top middle of the mask. Where there is one, skin, head and ground are painted over in
the ground's colour. Skin is told by its chrominance (Chai and Ngan, IEEE Trans. CSVT 9(4), 1999). The limits were
chosen on photos of a shop's catalogue; of clothes that lie flat, two of 317 are taken for worn.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

from listing.observe.networks.foreground import THRESHOLD

_CR, _CB, _LUMA = (137, 175), (80, 124), 60
_LEAST, _MOST = 0.02, 0.65  # of the mask: skin of a face, and all skin
_FACE_TOP, _FACE_WIDTH, _FACE_HEIGHT, _OFF_CENTRE = 0.12, 0.45, 0.35, 0.2  # of the mask's height and width
_UPRIGHT = 1.3  # height over width; of the worn ones that limits were chosen on the least is 1.58
_SPECK = 0.01  # of the mask: smaller patches of skin stay
_LOWEST_HEAD = 1 / 3
_WAIST, _BAND = (0.25, 0.85), 0.25  # of the garment's height: where it may be, and how much beside it is compared
_TWO_COLOURS = 60.0  # of 255, in one of red, green, blue
_GREY = 128
Box = tuple[slice, slice]


def skin(photo: Image.Image) -> np.ndarray:
    """Where the photo has the colour of skin: bool [height, width]."""
    from scipy import ndimage

    luma, cb, cr = (np.asarray(band).astype(int) for band in photo.convert("YCbCr").split())
    red, green, blue = (np.asarray(band).astype(int) for band in photo.convert("RGB").split())
    tone = (cr >= _CR[0]) & (cr <= _CR[1]) & (cb >= _CB[0]) & (cb <= _CB[1]) & (luma > _LUMA)
    warm = (red > green) & (green >= blue - 5) & (red - blue > 15)
    square = np.ones((3, 3), bool)
    return np.asarray(ndimage.binary_dilation(ndimage.binary_opening(tone & warm, square), square))


def person(photo: Image.Image, mask: np.ndarray) -> np.ndarray | None:
    """Where skin and head of the person who wears the item are, bool [mask's size]; None where nobody does."""
    from scipy import ndimage

    item = mask >= THRESHOLD
    if not item.any() or not _stands(photo, item):
        return None
    bare = skin(photo.resize(mask.shape[::-1], Image.Resampling.BILINEAR)) & item
    patches, _ = ndimage.label(bare)
    sizes = np.bincount(patches.ravel()) / item.sum()
    boxes = ndimage.find_objects(patches)
    large = [number for number in range(1, len(sizes)) if sizes[number] >= _SPECK]
    bare = np.isin(patches, large)
    faces = [boxes[n - 1] for n in large if sizes[n] >= _LEAST and _is_face(boxes[n - 1], item)]
    if not faces or not _LEAST <= bare.sum() / item.sum() <= _MOST:
        return None
    return bare | (_head(faces[0], item) & item)


def _extent(item: np.ndarray) -> Iterator[tuple[int, int]]:
    """(first, length) of the item's rows, then of its columns."""
    for axis in (1, 0):
        lines = np.flatnonzero(item.any(axis))
        yield int(lines[0]), int(lines[-1] - lines[0] + 1)


def _stands(photo: Image.Image, item: np.ndarray) -> bool:
    """True if the item is as tall as a person, of whom half may be outside of the photo."""
    (_, height), (_, width) = _extent(item)
    return height / item.shape[0] * photo.height >= _UPRIGHT * width / item.shape[1] * photo.width


def _is_face(patch: Box, item: np.ndarray) -> bool:
    (top, height), (left, width) = _extent(item)
    rows, columns = patch
    middle = ((columns.start + columns.stop) / 2 - left) / width
    return (
        rows.start - top <= _FACE_TOP * height
        and rows.stop - rows.start <= _FACE_HEIGHT * height
        and columns.stop - columns.start <= _FACE_WIDTH * width
        and abs(middle - 0.5) <= _OFF_CENTRE
    )


def _head(face: Box, item: np.ndarray) -> np.ndarray:
    """Face and hair: all above the chin, a third of the face's width to both sides of it."""
    (top, height), _ = _extent(item)
    rows, columns = face
    lowest = min(rows.stop, round(top + _LOWEST_HEAD * height))
    chin = lowest - max(2, (lowest - rows.start) // 5)  # a neckline reaches into the neck
    side = (columns.stop - columns.start) // 3
    head = np.zeros(item.shape, bool)
    head[:chin, max(0, columns.start - side) : columns.stop + side] = True
    return head


def garment_alone(photo: Image.Image, mask: np.ndarray) -> tuple[Image.Image, np.ndarray] | None:
    """The garment on an even ground, and its mask, where a person wears it, without what else they wear; else None."""
    body = person(photo, mask)
    if body is None:
        return None
    garment = np.where(body, 0, mask).astype(np.uint8)
    garment = _larger_part(photo, garment)
    pixels = np.array(photo.convert("RGB"))
    ground = _stretched(mask, photo) < THRESHOLD
    colour = np.median(pixels[ground], axis=0) if ground.any() else np.full(3, _GREY)
    pixels[_stretched(garment, photo) < THRESHOLD] = colour.astype(np.uint8)
    return Image.fromarray(pixels), garment


def _larger_part(photo: Image.Image, mask: np.ndarray) -> np.ndarray:
    """Of a top and a bottom in two colours the larger one, whose photo it is taken to be; else the mask as it is."""
    item = mask >= THRESHOLD
    if not item.any():
        return mask
    pixels = np.asarray(photo.convert("RGB").resize(mask.shape[::-1], Image.Resampling.BILINEAR)).astype(float)
    (top, height), _ = _extent(item)
    step, contrast, waist = round(_BAND * height), _TWO_COLOURS, None
    for row in range(top + round(_WAIST[0] * height), top + round(_WAIST[1] * height), 4):
        above, below = item[row - step : row], item[row : row + step]
        if min(above.sum(), below.sum()) < _SPECK * item.sum():
            continue
        colours = [
            np.median(pixels[row + begin : row + begin + len(part)][part], axis=0)
            for begin, part in ((-step, above), (0, below))
        ]
        difference = float(np.abs(colours[0] - colours[1]).max())
        if difference > contrast:
            contrast, waist = difference, row
    if waist is None:
        return mask
    part = mask.copy()
    if item[:waist].sum() >= item[waist:].sum():
        part[waist:] = 0
    else:
        part[:waist] = 0
    return part


def _stretched(mask: np.ndarray, photo: Image.Image) -> np.ndarray:
    return np.asarray(Image.fromarray(mask).resize(photo.size, Image.Resampling.BILINEAR))
