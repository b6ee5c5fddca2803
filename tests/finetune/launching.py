"""``accelerate launch`` with two processes on the CPU, as a user starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from finetune.embedded.assemble import ROOT


def launch_two(*arguments: str | Path, program: Sequence[str] = ("app.cli", "tune")) -> None:
    """Run ``ipl tune ARGUMENTS`` in two gloo processes; a failure shows the end of what they said.

    ``--multi_gpu`` is what starts several processes: with ``--cpu`` accelerate 1.15 starts a single one unless there is
    mpirun. Without a GPU they are joined by gloo. Callers look at ``processes`` in the manifest.
    """
    launch = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1"]
    launch += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
    command = [sys.executable, *launch, "-m", *program, *map(str, arguments)]
    for _ in range(2):
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False, capture_output=True, text=True,
            timeout=280,
        )  # fmt: skip
        if "EADDRINUSE" not in done.stderr:  # accelerate looks for a free port, and something else may take it
            break
    assert done.returncode == 0, done.stderr[-2000:]
