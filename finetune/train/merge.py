"""``./ipl tune merge``: an adapter into its 16-bit base, written as a model folder that every backend loads."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoModelForImageTextToText

from finetune.embedded.assemble import EXTRAS
from finetune.errors import TuneError
from finetune.train.families import family_of
from finetune.train.loading import load_processor, located, read_config

# What drafts read beside the weights: classifiers, which tuning leaves, and how sure a value has to be to be stated.
BESIDE = (*EXTRAS, "imagenet.safetensors")


def merge(base: str, adapter: Path, out: Path) -> Path:
    """Write base + adapter to ``out``: weights, processor and chat template (the adapter's own, when it has them).

    Merging adds in 32-bit and rounds once. A quantised base is refused: its rounding would eat what was learnt.

    Raises:
        AssemblyError: ``base`` is ``ipl-mini`` and cannot be assembled.
        TuneError: the base is quantised, no adapter lies in ``adapter``, or ``out`` is not empty.
        TuneError: the base's type is not in the table.
    """
    base = located(base)
    if not (adapter / "adapter_config.json").is_file():
        raise TuneError(f"{adapter} holds no adapter (adapter_config.json); name the folder that ./ipl tune wrote.")
    if out.exists() and any(out.iterdir()):
        raise TuneError(f"{out} is not empty; name a new folder with --out.")
    config = read_config(base, f"The base {base!r} cannot be loaded; name its folder or hub id with --base.")
    if getattr(config, "quantization_config", None) is not None:
        raise TuneError(
            f"{base} is quantised, and merging into it would lose most of what was learnt; name the 16-bit model that "
            "it was made from with --base."
        )
    family = family_of(config.model_type)
    model: Any = AutoModelForImageTextToText.from_pretrained(
        base, dtype=torch.float32, trust_remote_code=False, use_safetensors=True
    )
    merged: Any = PeftModel.from_pretrained(model, adapter).merge_and_unload()
    processor = load_processor(adapter if (adapter / "processor_config.json").is_file() else base, family, {})
    for name in family.repeated:
        setattr(merged.config, name, getattr(processor.image_processor, name))
    scratch = out.with_name(out.name + ".tmp")  # the folder appears in one rename
    shutil.rmtree(scratch, ignore_errors=True)
    merged.to(config.dtype or torch.bfloat16).save_pretrained(scratch)
    processor.save_pretrained(scratch)
    copy_beside(Path(base), scratch)
    shutil.rmtree(out, ignore_errors=True)
    scratch.replace(out)
    return out


def copy_beside(source: Path, folder: Path) -> None:
    """Copy what stands beside the weights of the model in ``source``, where there is any."""
    for name in BESIDE:
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
