"""Waiting times of a person: first fact, whole draft, and memory.

    python -m benchmarks.drafts.draft_latency [--photos 30] [--data DIR]

Warm: one draft is written before the clock starts. Photos: validation senders of clothing_cc0, spread evenly.
Prints one JSON line. Times in seconds (median and 90th percentile), memory in GB (peak of the process).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.common import arguments, peak_gb
from benchmarks.drafts.photos import CLOTHING, validation_photos
from listing.home import ipl_home
from listing.intake.photos import intake
from listing.pipeline import Pipeline, build_pipeline
from listing.request import DraftRequest


def measure(pipeline: Pipeline, path: str) -> tuple[float, float]:
    """(seconds to the category, to the draft)."""
    began = time.perf_counter()
    first = 0.0
    for event in pipeline.run(DraftRequest(photos=intake([path]))):
        if event.kind == "category" and not first:
            first = time.perf_counter() - began
    return first, time.perf_counter() - began


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median and 90th percentile."""
    return {name: round(float(np.percentile(values, q)), 2) for name, q in (("median", 50), ("p90", 90))}


def main() -> None:
    args = arguments(__doc__, photos=30, data=CLOTHING).parse_args()
    pipeline = build_pipeline(None, True, ipl_home())
    photos = validation_photos(args.photos, Path(args.data))
    measure(pipeline, photos[-1])
    first, whole = zip(*(measure(pipeline, path) for path in photos), strict=True)
    result = {
        "photos": len(photos),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "first_fact_s": spread(first),
        "draft_s": spread(whole),
        "peak_gb": peak_gb(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
