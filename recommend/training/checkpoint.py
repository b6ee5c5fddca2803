"""One file with all that a run needs to go on: weights, optimisers, random state, position in the data.

The file is safetensors (no code can hide in it) and is replaced in one step, so that a kill leaves the old one whole.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from recommend.data.parquet import DataError, Position

NAME = "checkpoint.safetensors"


@dataclass(frozen=True)
class Progress:
    """Steps done, rows that the first process saw, and the next row of every process."""

    step: int
    rows: int
    positions: tuple[Position, ...]


def save(path: Path, model: nn.Module, optimizers: Sequence[torch.optim.Optimizer], progress: Progress) -> None:
    """Write the state of a run."""
    tensors = {f"model.{k}": v.detach().contiguous() for k, v in model.state_dict().items()}
    for number, optimizer in enumerate(optimizers):
        for index, state in optimizer.state_dict()["state"].items():
            for name, value in state.items():
                tensors[f"optim.{number}.{index}.{name}"] = torch.as_tensor(value).detach().contiguous()
    tensors["random"] = torch.get_rng_state()
    # An optimiser without a state yet and shared memory both break safetensors; clones make every tensor its own.
    tensors = {k: v.clone() for k, v in tensors.items()}
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".partial")
    save_file(tensors, draft, metadata={"state": json.dumps(asdict(progress))})
    with draft.open("rb") as written:
        os.fsync(written.fileno())
    draft.replace(path)


def load(path: Path, model: nn.Module, optimizers: Sequence[torch.optim.Optimizer] = ()) -> Progress:
    """Restore a state in place; returns how far it had come.

    Raises:
        DataError: the file is damaged or belongs to another model.
    """
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {})["state"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise DataError(f"the checkpoint {path} cannot be read ({error}); delete it to start anew.") from error
    weights = {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise DataError(f"the checkpoint {path} belongs to another model; delete it to start anew.") from error
    for number, optimizer in enumerate(optimizers):
        state: dict[int, dict[str, torch.Tensor | int]] = {}
        prefix = f"optim.{number}."
        for key, value in tensors.items():
            if key.startswith(prefix):
                index, name = key.removeprefix(prefix).split(".", 1)
                # SparseAdam counts steps in a plain number, Adam in a tensor.
                plain = name == "step" and isinstance(optimizer, torch.optim.SparseAdam)
                state.setdefault(int(index), {})[name] = int(value) if plain else value
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    torch.set_rng_state(tensors["random"])
    return Progress(facts["step"], facts["rows"], tuple(Position(**p) for p in facts["positions"]))
