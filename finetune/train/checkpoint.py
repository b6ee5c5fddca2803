"""Weights on the disk: model folders in 16-bit, and a 32-bit state to resume from. Each is written in one rename."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from finetune.embedded.assemble import EXTRAS
from finetune.errors import TuneError
from finetune.train.loading import base_of

STATE = "train.state"
# What drafts read beside the weights: classifiers, which tuning leaves, and how sure a value has to be to be stated.
BESIDE = (*EXTRAS, "imagenet.safetensors")


def save(
    model: Any, processor: Any, optimizer: torch.optim.Optimizer, step: int, out: Path, about: Mapping[str, Any]
) -> None:
    """``adapter/`` (or ``model/`` when all of the language model trains), projector, state, and ``mllm.run.json``."""
    out.mkdir(parents=True, exist_ok=True)
    if hasattr(model, "peft_config"):
        _save_adapter(model, out)
    else:
        tensors: dict[tuple[int, torch.Size], torch.Tensor] = {}  # the head is the embedding, and stays so
        half = {n: tensors.setdefault((t.data_ptr(), t.shape), _half(t)) for n, t in model.state_dict().items()}
        write_model(model, processor, Path(model.name_or_path), out / "model", half)
    _save_halves(base_of(model).model.multi_modal_projector.state_dict(), out / "projector.tmp")
    (out / "projector.tmp").replace(out / "projector.safetensors")
    trained = {n: p.detach() for n, p in model.named_parameters() if p.requires_grad}
    torch.save({"step": step, "model": trained, "optimizer": optimizer.state_dict()}, out / f"{STATE}.tmp")
    (out / f"{STATE}.tmp").replace(out / STATE)
    (out / "mllm.run.json").write_text(json.dumps({"step": step, **about}, indent=1) + "\n", encoding="utf-8")


def write_model(
    model: Any, processor: Any, source: Path, out: Path, state: Mapping[str, torch.Tensor] | None = None
) -> None:
    """A model folder that every backend loads, with what stands beside the weights in ``source``; ``out`` is replaced.

    state: 16-bit weights to write instead of the model's own.
    """
    scratch = out.with_name(out.name + ".tmp")
    shutil.rmtree(scratch, ignore_errors=True)
    model.save_pretrained(scratch, **({} if state is None else {"state_dict": state}))
    if state is not None:
        config = json.loads((scratch / "config.json").read_text(encoding="utf-8"))
        (scratch / "config.json").write_text(json.dumps({**config, "dtype": "bfloat16"}, indent=1), encoding="utf-8")
    processor.save_pretrained(scratch)
    for name in BESIDE:
        if (source / name).is_file():
            shutil.copyfile(source / name, scratch / name)
    shutil.rmtree(out, ignore_errors=True)
    scratch.replace(out)


def _half(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().to(torch.bfloat16) if tensor.is_floating_point() else tensor.detach()


def _save_halves(tensors: Mapping[str, torch.Tensor], file: Path) -> None:
    from safetensors.torch import save_file

    halves = {n: t.detach().half().cpu().contiguous() for n, t in tensors.items()}
    save_file(halves, file, metadata={"format": "pt"})


def _save_adapter(model: Any, out: Path) -> None:
    from safetensors.torch import load_file

    scratch = out / "adapter.tmp"
    model.save_pretrained(scratch)
    _save_halves(load_file(scratch / "adapter_model.safetensors"), scratch / "adapter_model.safetensors")
    shutil.rmtree(out / "adapter", ignore_errors=True)
    scratch.replace(out / "adapter")


def resume(file: Path, model: Any, optimizer: torch.optim.Optimizer) -> int:
    """Put a state back; returns the number of steps that are done. TuneError where something else trained in it."""
    state = torch.load(file, map_location="cpu", weights_only=True)
    own = {n: p for n, p in model.named_parameters() if p.requires_grad}
    if {n: t.shape for n, t in state["model"].items()} != {n: p.shape for n, p in own.items()}:
        raise TuneError(
            f"{file} is of a run in which something else trained; leave --resume out, or name another --out."
        )
    with torch.no_grad():
        for name, tensor in state["model"].items():
            own[name].copy_(tensor)
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])
