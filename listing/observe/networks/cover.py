"""A clean cover: the item of a photo on a plain light background, with a soft edge and a little shadow.

The network's mask is coarse; a guided filter (He et al. 2013) fits its edge to the photo's. Where item and background
cannot be told apart, there is no cover: a torn one would sell nothing.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from scipy import ndimage

from listing.errors import IplError
from listing.observe.networks.foreground import usable

PAPER = (246, 246, 244)
SHADOW, SHADOW_DOWN, SHADOW_BLUR = 0.16, 0.012, 0.02  # darkness; shares of the photo's longer side
QUALITY = 90
# Chosen by looking at covers of training photos. Of the mask's area that is likely the item's: how much is unsure; its
# edge against that of a circle of its size; how much lies outside of its two largest pieces (shoes are two).
MOST_UNSURE, MOST_RAGGED, MOST_STRAY = 0.15, 2.5, 0.05
LEAST_SURE = 0.05  # of the photo
SPECK = 0.02  # of the item: smaller pieces are left out
_UNSURE = (40, 215)  # of 255
_EDGE = (0.4, 0.9)  # filtered probabilities between which the edge fades
_RADIUS, _SMOOTH = 0.012, 1e-4  # of the guided filter: share of the longer side; variance that counts as an edge


class CoverError(IplError, ValueError):
    """There is no clean cover of this photo; the message says what to do."""

    code = "no_cover"
    http_status = 422


def clean_cover(photo: Image.Image, mask: np.ndarray) -> bytes:
    """The item on a plain light background, JPEG of the photo's size.

    Args:
        photo: RGB. mask: ``Foreground.mask`` of it.

    Raises:
        CoverError: the mask does not tell item and background apart.
    """
    mask = whole_pieces(mask)
    pixels = np.asarray(photo.convert("RGB"), np.float32) / 255
    alpha = _edge(pixels, np.asarray(Image.fromarray(mask).resize(photo.size, Image.Resampling.BICUBIC)))
    side = max(photo.size)
    shadow = ndimage.gaussian_filter(np.roll(alpha, round(SHADOW_DOWN * side), axis=0), SHADOW_BLUR * side)
    paper = np.array(PAPER, np.float32) / 255 * (1 - SHADOW * shadow[..., None])
    blended = alpha[..., None] * pixels + (1 - alpha[..., None]) * paper
    out = io.BytesIO()
    Image.fromarray((blended * 255 + 0.5).astype(np.uint8)).save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def whole_pieces(mask: np.ndarray) -> np.ndarray:
    """The mask without specks, where it does not tear the item.

    Raises:
        CoverError: it finds nothing, everything, a doubtful or a ragged edge, or pieces all over the photo.
    """
    likely = mask >= np.mean(_UNSURE)
    area = int(likely.sum())
    if not usable(mask) or area < LEAST_SURE * mask.size:
        raise _refusal("The item does not stand out from what is behind it")
    unsure = ((mask > _UNSURE[0]) & (mask < _UNSURE[1])).sum() / area
    outline = (likely & ~ndimage.binary_erosion(likely, border_value=1)).sum() / (2 * np.sqrt(np.pi * area))
    pieces, _ = ndimage.label(mask > _UNSURE[0])
    sizes = np.bincount(pieces.ravel(), weights=likely.ravel())
    sizes[0] = 0  # the background
    specks = sizes < SPECK * area
    stray = area - np.sort(sizes)[-2:].sum()
    if unsure > MOST_UNSURE or outline > MOST_RAGGED or stray > MOST_STRAY * area:
        raise _refusal("Item and background cannot be told apart well enough on this photo")
    return np.where(specks[pieces], 0, mask).astype(np.uint8)


def _refusal(reason: str) -> CoverError:
    return CoverError(f"{reason}: take it again in front of something plain, all of it in the picture.")


def _edge(pixels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """How much each pixel is the item's, 0..1: the mask, its edge moved to the photo's own."""
    grey, share = pixels.mean(-1), mask.astype(np.float32) / 255
    size = 2 * max(2, round(_RADIUS * max(grey.shape))) + 1

    def mean(values: np.ndarray) -> np.ndarray:
        return np.asarray(ndimage.uniform_filter(values, size))

    of_grey, of_share = mean(grey), mean(share)
    slope = (mean(grey * share) - of_grey * of_share) / (mean(grey * grey) - of_grey**2 + _SMOOTH)
    fitted = mean(slope) * grey + mean(of_share - slope * of_grey)
    low, high = _EDGE
    step = np.clip((fitted - low) / (high - low), 0, 1)
    return np.asarray(step * step * (3 - 2 * step))
