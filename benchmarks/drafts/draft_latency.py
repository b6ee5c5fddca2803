"""How long a person waits: first fact, whole draft, memory, tokens a second, and where the time goes.

    python -m benchmarks.drafts.draft_latency [--photos 30] [--data DIR]

Warm: one draft is written before the clock starts. Photos: validation senders of clothing_cc0, spread evenly.
Prints one JSON line. Times in seconds (median and 90th percentile), memory in GB (peak of the process).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import time
from pathlib import Path
from typing import Any

from finetune.data.photosets import data_root, read_annotations
from finetune.data.splits import split_rows
from listing.home import ipl_home
from listing.intake.photos import intake
from listing.pipeline import Pipeline
from listing.request import DraftRequest

STAGES = ("category", "similar", "facts", "reading", "text")


def measure(pipeline: Pipeline, path: str) -> dict[str, Any]:
    """Seconds to the first fact and to the draft, the stages' milliseconds, and the number of decoded tokens."""
    began = time.perf_counter()
    photos = intake([path])
    first, pieces = 0.0, []
    for event in pipeline.run(DraftRequest(photos=photos)):
        if event.kind == "category" and not first:
            first = time.perf_counter() - began
        elif event.kind == "text" and not event.replace:
            pieces.append(event.text)
        elif event.kind == "draft":
            timing = event.draft.timing_ms
    whole = time.perf_counter() - began
    tokens = len(pipeline.parts.backend.tokenizer("".join(pieces))["input_ids"])
    return {"first": first, "whole": whole, "stages": timing, "tokens": tokens}


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians, 90th percentiles, shares of the stages, tokens a second while writing."""

    def spread(name: str) -> dict[str, float]:
        values = sorted(run[name] for run in runs)
        return {"median": round(statistics.median(values), 2), "p90": round(values[int(0.9 * (len(values) - 1))], 2)}

    total = sum(run["stages"]["total"] for run in runs)
    text = sum(run["stages"]["text"] for run in runs) / 1000
    return {
        "photos": len(runs),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "first_fact_s": spread("first"),
        "draft_s": spread("whole"),
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
        "tokens_per_s": round(sum(run["tokens"] for run in runs) / text, 1),
        "shares": {s: round(sum(r["stages"].get(s, 0.0) for r in runs) / total, 3) for s in STAGES},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Latency of a draft, warm.")
    parser.add_argument("--photos", type=int, default=30)
    parser.add_argument("--data", type=Path, default=data_root() / "clothing_cc0")
    args = parser.parse_args()
    from listing.pipeline import build_pipeline

    pipeline = build_pipeline(None, True, ipl_home())
    assert isinstance(pipeline, Pipeline)
    _, rows = split_rows(read_annotations(args.data))
    chosen = [rows[i * len(rows) // args.photos]["image"] for i in range(args.photos)]
    measure(pipeline, chosen[-1])
    print(json.dumps(summary([measure(pipeline, path) for path in chosen])))


if __name__ == "__main__":
    main()
