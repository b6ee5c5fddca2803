"""Text in a photo, by RapidOCR (PP-OCRv6): its weights lie in its own package, so nothing is ever downloaded."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from listing.errors import IplError
from listing.observe.printed.brand_list import Spotted, SpottingDecoder
from listing.schema import Box

_WEIGHTS = {
    "Det": "PP-OCRv6_det_small.onnx",
    "Cls": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
    "Rec": "PP-OCRv6_rec_small.onnx",
}
_SAME_PLACE = 0.5  # overlap of two readings of the same print
# Photos with a longer side below the first (px) are scaled up to it: in photos of 320 px print was found most often at
# 480 px, less often at 640 and 960. One below the second, in which a line is read, but not surely, is read again there.
_SMALL_SIDE, _SECOND_SIDE, _SURE = 480, 640, 0.95
_DETECT_SIDE = 960  # px at which text is located; the lines are then read at the photo's own resolution
_MAX_LINES = 60  # places looked at in one photo, so that a page of a book cannot hold up a draft
_MIN_BOX_SCORE, _MIN_SCORE = 0.4, 0.5  # of places and lines; what has less is left out


class OcrError(IplError, RuntimeError):
    """Text cannot be read; the message is one sentence that says what to do."""


@dataclass(frozen=True)
class OcrSpan:
    """One line of text. ``box`` is x0, y0, x1, y1 as shares (0..1) of the photo; ``score`` is 0..1.

    ``slope``: how much the line falls from left to right, in the same shares. ``spotted``: a brand that it may be,
    however its letters were read.
    """

    text: str
    box: Box
    score: float
    slope: float = 0.0
    spotted: Spotted | None = None


class Reader:
    """Reads the text of photos. The models are loaded at the first ``read``; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._engine: Any = None

    def read(self, image: Image.Image) -> list[OcrSpan]:
        """Lines of text from top to bottom; [] when there is none.

        Args:
            image: RGB, upright.

        Raises:
            OcrError: RapidOCR or its weights are missing.
        """
        image = image.convert("RGB")
        spans = self._read_at(image, _SMALL_SIDE)
        doubtful = any(span.score < _SURE for span in spans)
        if doubtful and max(image.size) < _SECOND_SIDE:
            spans = _surer(spans, self._read_at(image, _SECOND_SIDE))
        return spans

    def _read_at(self, image: Image.Image, side: int) -> list[OcrSpan]:
        pixels = np.asarray(_enlarged(image, side))
        with self._lock:
            if self._engine is None:
                self._engine = _load()
            with denormals_as_zero():
                result = self._engine(np.ascontiguousarray(pixels[:, :, ::-1]))
        if result.txts is None or result.boxes is None:
            return []
        height, width = pixels.shape[:2]
        spans = [
            OcrSpan(
                text.strip(),
                _share(points, width, height),
                float(score),
                _slope(points, width, height),
                getattr(text, "spotted", None),
            )
            for text, points, score in zip(result.txts, result.boxes, result.scores, strict=True)
        ]
        return [span for span in spans if any(c.isalnum() for c in span.text)]


@contextmanager
def denormals_as_zero() -> Iterator[None]:
    """In this thread. A quarter to two thirds of some weights are numbers below 1e-38, which processors multiply a
    hundred times more slowly than others: without this the search for text takes two to three times as long.
    """
    try:
        import torch
    except ImportError:  # beside a model's server: slower, and the same text
        yield
        return
    supported = torch.set_flush_denormal(True)
    try:
        yield
    finally:
        if supported:
            torch.set_flush_denormal(False)


def _surer(first: list[OcrSpan], second: list[OcrSpan]) -> list[OcrSpan]:
    """Both readings from top to bottom; where two overlap, the surer one."""
    surest: list[OcrSpan] = []
    for span in sorted([*first, *second], key=lambda s: -s.score):
        if not any(_overlap(span.box, other.box) > _SAME_PLACE for other in surest):
            surest.append(span)
    return sorted(surest, key=lambda s: (s.box[1], s.box[0]))


def _overlap(a: Box, b: Box) -> float:
    """Shared area over the smaller box's."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    smaller = min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))
    return max(width, 0) * max(height, 0) / smaller if smaller > 0 else 0.0


def _load() -> Any:
    try:
        import rapidocr
    except ImportError as error:
        raise OcrError(
            "Reading text needs the package rapidocr; install it with: pip install -r requirements-core.txt"
        ) from error

    folder = Path(rapidocr.__file__).parent / "models"
    files = {task: folder / name for task, name in _WEIGHTS.items()}
    missing = [file.name for file in files.values() if not file.is_file()]
    if missing:
        raise OcrError(
            f"rapidocr lacks its weights ({', '.join(missing)}); "
            "install it again: pip install --force-reinstall 'rapidocr>=3.10,<4'"
        )
    engine = rapidocr.RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.text_score": _MIN_SCORE,
            # A path for each model: RapidOCR looks at the network only for models without one.
            **{f"{task}.model_path": str(file) for task, file in files.items()},
            "Det.limit_type": "max",
            "Det.limit_side_len": _DETECT_SIDE,
            "Det.box_thresh": _MIN_BOX_SCORE,
            "Det.max_candidates": _MAX_LINES,
            # One: ``denormals_as_zero`` reaches no thread of theirs, and two spin while they wait for each other.
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )
    recogniser: Any = engine._load_rec_model()  # type: ignore[no-untyped-call]  # its answers are looked at before they are decoded
    recogniser.postprocess_op = SpottingDecoder(recogniser.postprocess_op)
    return engine


def _enlarged(image: Image.Image, side: int) -> Image.Image:
    factor = side / max(image.size)
    if factor <= 1:
        return image
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Image.Resampling.BICUBIC)


def _share(points: np.ndarray, width: int, height: int) -> Box:
    """The upright box around four corners (px), as shares of the photo."""
    x = np.clip(points[:, 0] / width, 0.0, 1.0)
    y = np.clip(points[:, 1] / height, 0.0, 1.0)
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())


def _slope(points: np.ndarray, width: int, height: int) -> float:
    """Fall of the upper edge of four corners (px, clockwise from the upper left); 0 for text that runs up or down."""
    dx, dy = (points[1] - points[0]) / (width, height)
    return float(dy / dx) if dx > 0 and abs(dy) < dx else 0.0


def reading_order(spans: Sequence[OcrSpan]) -> list[list[OcrSpan]]:
    """Lines from top to bottom, each the spans in it from left to right; a photo held askew is allowed for."""
    wide = sorted(spans, key=lambda span: span.box[0] - span.box[2])[
        : (len(spans) + 1) // 2
    ]  # longer lines know it best
    slope = float(np.median([span.slope for span in wide])) if wide else 0.0
    rows: list[list[OcrSpan]] = []
    for span in sorted(spans, key=lambda span: _middle(span, slope)):
        middle = _middle(span, slope)
        row = rows[-1] if rows else []
        same = [other for other in row if abs(_middle(other, slope) - middle) < min(_high(other), _high(span)) / 2]
        apart = all(
            span.box[0] >= other.box[2] - _high(span) or span.box[2] <= other.box[0] + _high(span) for other in row
        )
        if row and len(same) == len(row) and apart:
            row.append(span)
        else:
            rows.append([span])
    return [sorted(row, key=lambda span: span.box[0]) for row in rows]


def _middle(span: OcrSpan, slope: float) -> float:
    """Where the line's middle would cross the photo's left edge."""
    x0, y0, x1, y1 = span.box
    return (y0 + y1) / 2 - slope * (x0 + x1) / 2


def _high(span: OcrSpan) -> float:
    """Height of the letters: what is left of the box's height without the line's fall."""
    x0, y0, x1, y1 = span.box
    return max((y1 - y0) - abs(span.slope) * (x1 - x0), 0.2 * (y1 - y0))


def merge(spans: Sequence[OcrSpan]) -> OcrSpan:
    """Several lines as one: joined text, the box around all, the lowest score."""
    boxes = np.array([span.box for span in spans])
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    return OcrSpan(" ".join(span.text for span in spans), box, min(span.score for span in spans))
