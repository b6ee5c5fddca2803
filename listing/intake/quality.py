"""How good a photo is, and how good a draft is: a score, its parts, and tips with the most useful first."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from listing.schema import AttributeValue, Draft, Quality

# Share of each part in the score; their sum is 1.
WEIGHTS: Mapping[str, float] = {
    "completeness": 0.25, "photos": 0.20, "evidence": 0.15, "length": 0.15, "violations": 0.15, "readability": 0.10,
}  # fmt: skip
MAX_TIPS = 5
_SIDE = 512
_TILES = 8
# Variance of the Laplacian (8-bit grey, longest side 512 px) of photos that are clearly blurred, clearly sharp.
_BLURRED, _SHARP = 12.0, 150.0
# Grey level of the brightest tenth: dark below the first, bright enough from the second on.
_DARK, _BRIGHT = 40.0, 110.0
_FEW_PIXELS, _MANY_PIXELS = 200.0, 1000.0
_BAD = 0.5
_TITLE_LENGTH = (20, 70)
_DESCRIPTION_LENGTH = (80, 800)
_LONG_SENTENCE = 25
_COUNT_SHARE = {0: 0.0, 1: 0.7, 2: 0.85}
_WORTH_A_TIP = 0.02
_MORE_PHOTOS = "Add more photos"
_WRITTEN = ("title", "description", "note")


def photo_quality(image: Image.Image) -> dict[str, float]:
    """``blur`` and ``darkness`` (0 none .. 1 unusable) and ``resolution`` (0 tiny .. 1 a longer side of 1000 px).

    Blur is judged by the sharpest tenth of the photo's tiles, so that a plain background does not count as blur;
    darkness by the brightest tenth of its pixels, so that a black coat does not count as dark.
    """
    longest = max(image.size)
    grey = image.convert("L")
    grey.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    pixels = np.asarray(grey, dtype=np.float32)
    brightest = float(np.percentile(pixels, 90))
    return {
        "blur": 1 - _ramp(float(np.log(_sharpness(pixels) + 1e-6)), float(np.log(_BLURRED)), float(np.log(_SHARP))),
        "darkness": 1 - _ramp(brightest, _DARK, _BRIGHT),
        "resolution": _ramp(longest, _FEW_PIXELS, _MANY_PIXELS),
    }


def _ramp(value: float, low: float, high: float) -> float:
    """0 at ``low`` or less, 1 at ``high`` or more, straight in between."""
    return float(np.clip((value - low) / (high - low), 0.0, 1.0))


def _sharpness(pixels: np.ndarray) -> float:
    """Variance of the Laplacian in the sharpest tenth of the tiles; pixels [height, width], grey 0..255."""
    if min(pixels.shape) < 3:
        return 0.0
    middle = pixels[1:-1, 1:-1]
    edges = pixels[:-2, 1:-1] + pixels[2:, 1:-1] + pixels[1:-1, :-2] + pixels[1:-1, 2:] - 4 * middle
    rows = np.array_split(edges, min(_TILES, edges.shape[0]), axis=0)
    tiles = [tile for row in rows for tile in np.array_split(row, min(_TILES, row.shape[1]), axis=1)]
    return float(np.percentile([tile.var() for tile in tiles], 90))


def assess(
    draft: Draft,
    photos: Sequence[Mapping[str, float]] | Quality,
    expected: Mapping[str, str],
    generated: tuple[str, str] = ("", ""),
) -> Quality:
    """The draft's quality, by its facts, its texts, its photos, and the remarks of the checks.

    photos: the ``photo_quality`` of each, or the quality of an earlier draft of the same ones.
    expected: labels of the attributes that a listing of this category should have, by name, those first that buyers
        ask for.
    generated: title and description as the program writes them; no text counts less for being like these.
    """
    photo_share, photo_tip = _of_photos(photos)
    attributes, title, description = draft.attributes, draft.title, draft.description
    # Of photos and category other parts tell; what was left out of a text is not in it.
    flags = [flag for flag in draft.flags if flag.field in _WRITTEN and flag.code != "left-out"]
    # What the seller left out is an answer, too.
    stated = {f.name for f in attributes if f.value is not None or f.locked or _from_seller(f)}
    missing = [name for name in expected if name not in stated]
    guesses = [fact.name for fact in attributes if fact.value is None and fact.suggestion is not None]
    parts = {
        "completeness": 1 - len(missing) / len(expected) if expected else 0.0,
        "photos": photo_share,
        "evidence": len(stated) / (len(stated) + len(guesses)) if stated or guesses else 0.0,
        "length": _versus(_length(title, description, generated[0]), _length(*generated, generated[0])),
        "violations": max(0.0, 1 - len(flags) / 3),
        "readability": _versus(_readable(title, description), _readable(*generated)),
    }
    parts = {name: round(share, 3) for name, share in parts.items()}  # as they are stored: the score follows from them
    tips = {
        "completeness": f"Add what is missing: {_listed(missing[:4], expected)}." if missing else "",
        "photos": photo_tip,
        "evidence": f"Please check the guesses: {_listed(guesses, expected)}." if guesses else "",
        "length": _length_tip(title, description),
        "violations": f"Look at what was flagged: {flags[0].message}" if flags else "",
        "readability": _readability_tip(description),
    }
    gain = {name: WEIGHTS[name] * (1 - share) for name, share in parts.items()}
    order = sorted((name for name in parts if gain[name] >= _WORTH_A_TIP and tips[name]), key=lambda n: -gain[n])
    return Quality(
        score=round(100 * sum(WEIGHTS[name] * share for name, share in parts.items())),
        parts=parts,
        tips=[tips[name] for name in order[:MAX_TIPS]],
    )


def _of_photos(photos: Sequence[Mapping[str, float]] | Quality) -> tuple[float, str]:
    """(share, tip) of the photos: their quality, or what a quality of the same ones says."""
    if isinstance(photos, Quality):
        tip = next((tip for tip in photos.tips if tip.startswith(("Photo ", _MORE_PHOTOS))), "")
        return photos.parts.get("photos", 0.0), tip
    return _photo_share(photos), _photo_tip(photos)


def _readability_tip(text: str) -> str:
    """A tip on what makes a text hard to read; nothing where there is no text."""
    if not text:
        return ""
    return "Write it in small letters, not in capitals." if _shouted(text) > _BAD else "Write shorter sentences."


def _shouted(text: str) -> float:
    """Share of the words in capitals; print that is quoted does not count."""
    words = re.findall(r"\w+", re.sub(r'"[^"]*"', "", text))
    return sum(w.isupper() and len(w) > 3 for w in words) / len(words) if words else 0.0


def _photo_share(photos: Sequence[Mapping[str, float]]) -> float:
    good = [(1 - p["blur"]) * (1 - p["darkness"]) * (0.5 + 0.5 * p["resolution"]) for p in photos]
    return _COUNT_SHARE.get(len(photos), 1.0) * float(np.mean(good)) if good else 0.0


def _from_seller(fact: AttributeValue) -> bool:
    return any(evidence.source == "seller" for evidence in fact.evidence)


def _versus(share: float, reference: float) -> float:
    """The share of the texts, where that of the program's own counts as full."""
    return min(1.0, share / (reference or 1.0))


def _length(title: str, description: str, generated: str) -> float:
    """``generated``: the program's title, beside which there is room for a word or two of the seller's."""
    least, most = _TITLE_LENGTH
    most = max(most, len(generated) + least) if generated else most
    return (_within(len(title), least, most) + _within(len(description), *_DESCRIPTION_LENGTH)) / 2


def _readable(title: str, description: str) -> float:
    return readability(f"{title}. {description}" if title or description else "")


def _within(length: int, least: int, most: int) -> float:
    """1 inside the range, falling to 0 at no text and at twice the upper end."""
    return min(1.0, length / least, max(0.0, 2 - length / most))


def readability(text: str) -> float:
    """1 for short sentences in ordinary case; less for long sentences, capitals and repeated words; 0 for no text."""
    words = re.findall(r"\w+", text)
    if not words:
        return 0.0
    sentences = [s for s in re.split(r"[.!?\n]+", text) if s.strip()]
    longest = max(len(re.findall(r"\w+", sentence)) for sentence in sentences)
    shouted = _shouted(text)
    repeated = sum(a.lower() == b.lower() for a, b in itertools.pairwise(words)) / len(words)
    return min(1.0, _LONG_SENTENCE / longest) * max(0.0, 1 - shouted) * max(0.0, 1 - 4 * repeated)


def _listed(names: Sequence[str], labels: Mapping[str, str]) -> str:
    return ", ".join(labels.get(name, name.replace("_", " ")) for name in names)


def _photo_tip(photos: Sequence[Mapping[str, float]]) -> str:
    faults = [
        (share, f"Photo {number} {what}.")
        for number, photo in enumerate(photos, 1)
        for share, what in (
            (photo["blur"], "is blurred; hold the camera still and take it again"),
            (photo["darkness"], "is dark; take it again in daylight"),
            (1 - photo["resolution"], "is small; add it in full size"),
        )
    ]
    worst, tip = max(faults, key=lambda fault: fault[0], default=(0.0, ""))
    if worst > _BAD:
        return tip
    return f"{_MORE_PHOTOS}: the back, the label, any flaw." if 0 < len(photos) < 3 else ""


def _length_tip(title: str, description: str) -> str:
    texts = (("description", description, _DESCRIPTION_LENGTH), ("title", title, _TITLE_LENGTH))
    for name, text, (least, most) in texts:
        if len(text) < least:
            return f"Make the {name} longer: at least {least} characters."
        if len(text) > most:
            return f"Make the {name} shorter: at most {most} characters."
    return ""
