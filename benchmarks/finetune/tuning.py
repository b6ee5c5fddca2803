"""Memory and speed of tuning ipl-mini: 4-bit QLoRA, 16-bit LoRA and all of the language model, on the same samples.

    python -m benchmarks.finetune.tuning [--steps 6] [--batch 8] [--data DIR] [--model DIR]

Each way runs in a process of its own, one after the other, and takes the same steps on the same questions about the
same photos (one step more comes before the clock starts). Prints a Markdown table: what trains, GB of the process after
loading and at most during the steps (GPU: GB allocated at most), seconds a step (median), loss of the last step.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.common import arguments, markdown
from finetune.data.photosets import data_root

WAYS: dict[str, dict[str, Any]] = {
    "NF4 QLoRA": {"quantize": "nf4"},
    "NF4 QLoRA, checkpointing": {"quantize": "nf4", "checkpointing": True},
    "16-bit LoRA": {"quantize": "none"},
    "16-bit LoRA, checkpointing": {"quantize": "none", "checkpointing": True},
    "all of the language model": {"quantize": "none", "rank": 0, "lr": 2e-5},
}


def memory(kind: str) -> float:
    """GB of this process: ``VmRSS`` now, ``VmHWM`` at most since the last ``forget_peak``."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return int(next(line for line in lines if line.startswith(kind)).split()[1]) / 1e6


def forget_peak() -> None:
    """Begin to measure the peak anew: what loading took is not what training takes."""
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")


def measure(way: str, args: argparse.Namespace) -> dict[str, Any]:
    """Take the steps in this process."""
    import torch

    from finetune.data.tasks import TaskPlan
    from finetune.train import chat
    from finetune.train.configs import ChatConfig
    from finetune.train.loading import located
    from finetune.train.report import Reporter
    from finetune.tune import draw_samples

    result: dict[str, Any] = {"way": way}
    ticks: list[float] = []

    class Clock(Reporter):
        def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **more: Any) -> None:
            super().on_train_begin(args, state, control)
            result["trains"] = round(sum(p.numel() for p in model.parameters() if p.requires_grad) / 1e6, 1)
            result["loaded"] = round(memory("VmRSS"), 2)
            forget_peak()

        def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            ticks.append(time.perf_counter())
            result["peak"] = round(memory("VmHWM"), 2)

    chat.Reporter = Clock
    with tempfile.TemporaryDirectory() as scratch:
        settings = {"rank": 32, "alpha": 64, "checkpointing": False, "lr": 8e-4, **WAYS[way]}
        cfg = ChatConfig(
            model=located(args.model), data=f"{scratch}/data", out=f"{scratch}/out", trains=("projector",),
            plan=TaskPlan(attributes=4, form=False), steps=args.steps + 1, batch_size=args.batch, accumulate=1,
            max_tokens=640, evaluate_every=args.steps + 2, fixed_samples=0, log_every=1, workers=0, **settings,
        )  # fmt: skip
        draw_samples(args.data, cfg)
        chat.train_chat(cfg)
        result["loss"] = round(json.loads(Path(scratch, "out", "log.jsonl").read_text().splitlines()[-1])["loss"], 3)
    gpu = torch.cuda.max_memory_allocated() / 1e9 if torch.cuda.is_available() else None
    result["gpu"] = None if gpu is None else round(gpu, 2)
    result["seconds"] = round(statistics.median(b - a for a, b in pairwise(ticks)), 2)
    return {**result, "threads": torch.get_num_threads()}


def table(rows: list[dict[str, Any]]) -> str:
    """The measurements as Markdown."""
    gpu = rows[0]["gpu"] is not None
    head = ["way", "M that train", "GB loaded", "GB at most", *(["GPU GB"] if gpu else []), "s a step", "loss"]
    keys = ["way", "trains", "loaded", "peak", *(["gpu"] if gpu else []), "seconds", "loss"]
    return markdown(head, ([row[key] for key in keys] for row in rows))


def main() -> None:
    parser = arguments(__doc__, data=data_root() / "clothing_cc0")
    parser.add_argument("--steps", type=int, default=6, help="timed steps")
    parser.add_argument("--batch", type=int, default=8, help="photos a step")
    parser.add_argument("--model", default="ipl-mini-base", help="its folder (default: it is assembled)")
    parser.add_argument("--way", choices=WAYS, help="measure this one, in this process, and print JSON")
    args = parser.parse_args()
    if args.way:
        print(json.dumps(measure(args.way, args)))
        return
    options = ["--steps", args.steps, "--batch", args.batch, "--data", args.data, "--model", args.model]
    rows = []
    for way in WAYS:
        command = [sys.executable, "-m", "benchmarks.finetune.tuning", "--way", way, *map(str, options)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    print(table(rows))


if __name__ == "__main__":
    main()
