"""What a training run leaves behind: a JSONL and a TensorBoard log, and a manifest of what went in."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from finetune.embedded.assemble import sha256

LIBRARIES = ("torch", "transformers", "peft", "accelerate", "bitsandbytes", "numpy")


class RunLog:
    """``log.jsonl`` and ``tensorboard/`` in ``folder``; each line carries the seconds that are left.

    first: the step from which a resumed run goes on; what an interrupted run had logged beyond it is taken out again.
    """

    def __init__(self, folder: Path, total: int, first: int = 0) -> None:
        from torch.utils import tensorboard

        folder.mkdir(parents=True, exist_ok=True)
        self.file, self.total, self.first, self.began = folder / "log.jsonl", total, first, time.time()
        before = self.file.read_text(encoding="utf-8").splitlines() if first and self.file.is_file() else []
        kept = [line for line in before if json.loads(line)["step"] <= first]
        self.file.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        writer: Any = tensorboard.SummaryWriter
        self.board = writer(str(folder / "tensorboard"), purge_step=first + 1 if first else None)

    def write(self, step: int, **numbers: float) -> None:
        """Log the numbers of a step, and print them."""
        done = step - self.first
        left = (time.time() - self.began) / done * (self.total - step) if done > 0 else 0.0
        line = json.dumps({"step": step, **numbers, "left_s": round(left)})
        with self.file.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        for name, value in numbers.items():
            self.board.add_scalar(name, value, step)
        print(line, flush=True)

    def close(self) -> None:
        """Write out what TensorBoard still holds."""
        self.board.close()


def manifest(config: Mapping[str, Any], data: Iterable[Path], seed: int) -> dict[str, Any]:
    """Everything that decides a run's result: its config, the data's checksums, versions, seed and machine."""
    return {
        "config": dict(config),
        "data": {path.name: sha256(path) for path in data},
        "versions": {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
        "machine": platform.machine(),
        "seed": seed,
    }
