"""Annotation rows, photos and conversations that tests of several modules read, and a run in two processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from finetune.data.splits import is_validation_sender
from finetune.embedded.assemble import ROOT

TRAINING = [sender for sender in range(200) if not is_validation_sender(sender)]
VALIDATION = [sender for sender in range(200) if is_validation_sender(sender)]


def annotated(**changes: Any) -> dict[str, Any]:
    """A navy zip hoodie in the format of ``clothing_cc0``; change what the test is about."""
    row: dict[str, Any] = {
        "image": "a.jpg", "sender_id": 1, "label": "Hoodie", "label_ok": True, "item": "hoodie",
        "colour": "navy", "colour2": None, "pattern": "solid", "sleeve": "long", "neckline": "hood", "closure": "zip",
        "material": "fleece", "audience": "men", "text": None, "brand": None, "condition": ["creased"], "guess": [],
    }  # fmt: skip
    return {**row, **changes}


def photo(path: Path, seed: int) -> str:
    """A photo of a few colours, unlike that of any other seed."""
    rough = Image.fromarray(np.random.default_rng(seed).integers(0, 255, (6, 6, 3), dtype=np.uint8))
    rough.resize((64, 64), Image.Resampling.BICUBIC).save(path)
    return str(path)


def write_rows(file: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """One JSON object a line."""
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def dataset(folder: Path, photos: int = 7) -> Path:
    """``train.jsonl`` and ``validation.jsonl`` with plain photos: two questions about each, one about two, one text."""
    rows: list[dict[str, Any]] = []
    for k in range(photos):
        Image.new("RGB", (60, 40), (200, 30 * k, 20)).save(folder / f"{k}.png")
        words = ("<image>\nWhat is it?", "It?", "Colour?", f"red {k}")
        turns = [{"role": ("user", "assistant")[i % 2], "content": w} for i, w in enumerate(words)]
        rows.append({"messages": turns, "images": [f"{k}.png"]})
    both = [{"role": "user", "content": "<image>\n<image>\nSame?"}, {"role": "assistant", "content": "yes"}]
    text = [{"role": "user", "content": "Facts: hat"}, {"role": "assistant", "content": "A hat"}]
    rows += [{"messages": both, "images": ["0.png", "1.png"]}, {"messages": text, "images": []}]
    for name in ("train", "validation"):
        write_rows(folder / f"{name}.jsonl", rows)
    return folder


def garments(folder: Path) -> Path:
    """``photos/`` and ``annotations.jsonl`` as the embedded model is trained on: seven senders, two for validation."""
    (folder / "photos").mkdir()
    rows = []
    for k, sender in enumerate([*TRAINING[:5], *VALIDATION[:2]]):
        photo(folder / "photos" / f"{k}.png", k)
        rows.append(annotated(image=f"{k}.png", sender_id=sender, label=("Hoodie", "Shirt")[k % 2]))
    write_rows(folder / "annotations.jsonl", rows)
    return folder


def launch_two(*arguments: str | Path) -> None:
    """Run ``ipl tune ARGUMENTS`` by ``accelerate launch`` in two gloo processes; a failure shows what they said last.

    ``--multi_gpu`` is what starts several processes: with ``--cpu`` accelerate 1.15 starts a single one unless there is
    mpirun. Without a GPU they are joined by gloo. Callers look at ``processes`` in the manifest.
    """
    launch = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1"]
    launch += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
    command = [sys.executable, *launch, "-m", "app.cli", "tune", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for _ in range(2):
        done = subprocess.run(
            command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True, timeout=280
        )
        if "EADDRINUSE" not in done.stderr:  # accelerate looks for a free port, and something else may take it
            break
    assert done.returncode == 0, done.stderr[-2000:]
