"""Memory and speed of tuning ipl-mini: 4-bit QLoRA, 16-bit LoRA and all of the language model, on the same batches.

    python -m benchmarks.finetune.tuning [--steps 6] [--batch 8] [--photos 64] [--data DIR] [--model DIR]

Each way runs in a process of its own, one after the other, and takes the same steps on the same lessons about the same
photos (the first of the training senders; one step more comes before the clock starts). Prints a Markdown table: what
trains, GB of the process after loading and at most during the steps (GPU: GB allocated at most), seconds a step
(median), loss of the last step.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from finetune.data.photosets import data_root
from listing.home import ipl_home

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

    from finetune.data.photosets import load_photos, read_annotations
    from finetune.data.splits import split_rows
    from finetune.data.tasks import TaskPlan
    from finetune.train.batches import BatchSampler
    from finetune.train.configs import TuneConfig
    from finetune.train.loading import load_embedded, parameter_groups
    from finetune.train.loop import feature_maps, loss_of
    from listing.taxonomy import load_taxonomy

    torch.manual_seed(0)
    plan = TaskPlan(attributes=4, text_share=0.0)
    cfg = TuneConfig(data=str(args.data), model=str(args.model), batch_size=args.batch, plan=plan, **WAYS[way])
    train, _ = split_rows(read_annotations(args.data))
    rows = [row for row in train if row["label_ok"]][: args.photos]
    backend, model = load_embedded(cfg)
    draw = BatchSampler(rows, load_photos(rows, 256), backend, load_taxonomy(), lambda p: feature_maps(model, p))
    parameters = [p for group in parameter_groups(model, cfg.trains) for p in group]
    optimizer = torch.optim.AdamW(parameters, lr=cfg.lr)
    model.train()
    loaded, seconds, tokens, loss = memory("VmRSS"), [], 0, 0.0
    forget_peak()
    for step in range(args.steps + 1):
        began = time.perf_counter()
        drawn = draw(cfg, step)
        assert drawn.batch is not None
        value = loss_of(model, drawn.batch, drawn.maps)
        value.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss = value.item()
        seconds.append(time.perf_counter() - began)
        tokens += drawn.batch.ids.numel()
    gpu = torch.cuda.max_memory_allocated() / 1e9 if torch.cuda.is_available() else None
    return {
        "way": way,
        "trains": round(sum(p.numel() for p in parameters) / 1e6, 1),
        "loaded": round(loaded, 2),
        "peak": round(memory("VmHWM"), 2),
        "gpu": None if gpu is None else round(gpu, 2),
        "seconds": round(statistics.median(seconds[1:]), 2),
        "tokens": tokens // (args.steps + 1),
        "loss": round(loss, 3),
        "threads": torch.get_num_threads(),
    }


def table(found: list[dict[str, Any]]) -> str:
    """The measurements as Markdown."""
    gpu = found[0]["gpu"] is not None
    head = ["way", "M that train", "GB loaded", "GB at most", *(["GPU GB"] if gpu else []), "s a step", "loss"]
    keys = ["way", "trains", "loaded", "peak", *(["gpu"] if gpu else []), "seconds", "loss"]
    lines = [head, ["---"] * len(head), *([str(row[key]) for key in keys] for row in found)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Memory and speed of the ways to tune ipl-mini.")
    parser.add_argument("--steps", type=int, default=6, help="timed steps")
    parser.add_argument("--batch", type=int, default=8, help="photos a step")
    parser.add_argument("--photos", type=int, default=64, help="photos that are drawn from")
    parser.add_argument("--data", type=Path, default=data_root() / "clothing_cc0")
    parser.add_argument("--model", type=Path, default=ipl_home() / "models" / "ipl-mini-base")
    parser.add_argument("--way", choices=WAYS, help="measure this one, in this process, and print JSON")
    args = parser.parse_args()
    if args.way:
        print(json.dumps(measure(args.way, args)))
        return
    options = ["--steps", args.steps, "--batch", args.batch, "--photos", args.photos]
    options += ["--data", args.data, "--model", args.model]
    found = []
    for way in WAYS:
        command = [sys.executable, "-m", "benchmarks.finetune.tuning", "--way", way, *map(str, options)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found.append(json.loads(done.stdout.splitlines()[-1]))
        print(json.dumps(found[-1]), file=sys.stderr, flush=True)
    print(table(found))


if __name__ == "__main__":
    main()
