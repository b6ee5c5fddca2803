"""A model of any family, ready to be tuned: 4-bit or not, LoRA or whole, exactly the listed parameters trainable."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from peft import LoraConfig, PeftModel, get_peft_model
from torch.nn.modules.batchnorm import _BatchNorm
from transformers import AutoConfig, AutoImageProcessor, AutoModelForImageTextToText, AutoProcessor, BitsAndBytesConfig

from finetune.embedded.assemble import WEIGHTS, assemble
from finetune.errors import TuneError
from finetune.train.configs import ChatConfig
from finetune.train.families import Family, family_of
from listing.backends.local import pick_device
from listing.backends.turns import correct_template

EMBEDDED, BASE = "ipl-mini", "ipl-mini-base"  # as it serves; without its adapter, as its language stage begins


def processes() -> Any:
    """accelerate's ``PartialState``: this process's number and GPU; gloo joins processes where there is no GPU."""
    return PartialState(cpu=not torch.cuda.is_available())


def sharded() -> bool:
    """True where ``accelerate launch`` was told to cut the model over the processes (FSDP or DeepSpeed)."""
    names = ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED")
    return any(os.environ.get(name, "false").lower() == "true" for name in names)


def located(source: str, weights: Path = WEIGHTS) -> str:
    """``source``; of the embedded model's names its folder, assembled first if need be (AssemblyError)."""
    if source == BASE:
        return str(assemble(weights=weights, adapter=False, name=BASE))
    return str(assemble()) if source == EMBEDDED else source


def read_config(source: str | Path, otherwise: str) -> Any:
    """The config of a model; TuneError with the sentence ``otherwise`` where there is none."""
    try:
        return AutoConfig.from_pretrained(source, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise TuneError(otherwise) from error


def load_processor(source: str | Path, family: Family, pixels: Mapping[str, Any] | None = None) -> Any:
    """The family's own processor under its pixel budget (``pixels`` instead, when given), template corrected."""
    processor: Any = AutoProcessor.from_pretrained(source, trust_remote_code=False)
    budget = family.pixels if pixels is None else pixels
    if budget:
        processor.image_processor = AutoImageProcessor.from_pretrained(source, trust_remote_code=False, **budget)
    return correct_template(processor, family.model_types[0])


def dtype_of(quantize: str, precision: str = "auto") -> torch.dtype:
    """The type that a base is loaded and computes in; TuneError: the settings are unknown or contradict each other."""
    if quantize not in ("none", "nf4"):
        raise TuneError(f"quantize: {quantize!r} is unknown; use 'nf4' or 'none'.")
    if str(precision) not in ("auto", "32"):
        raise TuneError(f"precision: {precision!r} is unknown; use 'auto' or '32'.")
    if quantize == "nf4" and str(precision) == "32":
        raise TuneError("precision: 4-bit weights compute in 16-bit; use 'auto', or set quantize to none.")
    if quantize == "nf4":
        return torch.bfloat16
    return torch.float32 if str(precision) == "32" else pick_device()[1]


def check_settings(cfg: ChatConfig) -> None:
    """Refuse (TuneError) settings of a stage that are unknown or contradict each other."""
    dtype_of(cfg.quantize, cfg.precision)
    if not cfg.rank and cfg.quantize != "none":
        raise TuneError("rank 0 tunes the whole language model, which 4-bit weights cannot: set quantize to none.")
    if not cfg.rank and cfg.init_from:
        raise TuneError("rank 0 starts from the model itself: leave --init-from out.")
    if not cfg.rank and cfg.lora_tower:
        raise TuneError("lora_tower is LoRA, which rank 0 has none of: give a rank, or name the tower in `trains`.")


def load_base(
    source: str | Path,
    quantize: str = "none",
    pixels: Mapping[str, Any] | None = None,
    precision: str = "auto",
    attention: str = "",
) -> tuple[Any, Any, Family]:
    """(frozen model, processor, family); the settings are those of ``ChatConfig``.

    TuneError: the model is not there or not in the table, the settings contradict each other, or the model or this
    machine has no such attention.
    """
    dtype = dtype_of(quantize, precision)
    config = read_config(source, f"The model {str(source)!r} cannot be loaded; name a folder or a hub id in `model`.")
    family = family_of(config.model_type)
    processor = load_processor(source, family, pixels)
    extra: dict[str, Any] = {"attn_implementation": attention} if attention else {}
    if quantize == "nf4":
        extra["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype="bfloat16",
            llm_int8_skip_modules=list(family.skipped),
        )
    try:
        model: Any = AutoModelForImageTextToText.from_pretrained(
            source, dtype=dtype, trust_remote_code=False, use_safetensors=True, **extra
        )
    except (ImportError, ValueError) as error:
        if not attention:
            raise
        why = str(error).strip().splitlines()[0]
        say = f"attention: {attention!r} cannot be used here ({why}); leave it out, or use 'sdpa'."
        raise TuneError(say) from error
    forbid_repacking(model)
    for name in family.repeated:  # where the processor's budget stands in the model's config too
        setattr(model.config, name, getattr(processor.image_processor, name))
    _freeze(model)
    return model, processor, family


def forbid_repacking(model: Any) -> int:
    """Keep bitsandbytes from repacking 4-bit weights at the first forward pass without gradients; returns the layers.

    On CPUs with AVX512-BF16, bitsandbytes 0.50 swaps in another layout for inference. From then on the backward pass
    reads the weights wrongly, without an error: LoRA gradients point elsewhere, and merging gives garbage.
    """
    import bitsandbytes as bnb

    layers = [m for m in model.modules() if isinstance(m, bnb.nn.Linear4bit)]
    for layer in layers:
        layer.support_avx512bf16_for_cpu = False
    return len(layers)


def _freeze(model: Any) -> None:
    """No parameter trains, and batch norm uses its statistics without learning them, whatever mode a trainer sets.

    Otherwise the tower sees other features when it is tuned on than when it serves, and every batch shifts it.
    """
    model.requires_grad_(False)
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.register_forward_pre_hook(_use_statistics)


def _use_statistics(module: Any, inputs: Any) -> None:
    module.eval()


def _check_modules(model: Any, family: Family, trains: Sequence[str]) -> None:
    names = {name for name, _ in model.named_modules()}
    for name in trains:
        if name not in names:
            raise TuneError(f"trains: this model has no module {name!r}; its projector is {family.projector[0]}.")


def whole(model: Any, family: Family, trains: Sequence[str]) -> Any:
    """The model in 32-bit with its language model (head included) and the modules in ``trains`` trainable."""
    _check_modules(model, family, trains)
    model.float()  # all of it: the stock forward passes do not mix precisions
    for name in (family.language, "lm_head", *trains):
        model.get_submodule(name).requires_grad_(True)
    return model


def tower_layers(model: Any, family: Family, trains: Sequence[str]) -> list[str]:
    """Names of the vision tower's linear layers, but for those of the projector and of what trains whole."""
    apart = tuple(f"{name}." for name in (*family.projector, *trains))
    linear = [name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
    return [name for name in linear if name.startswith(family.vision) and not name.startswith(apart)]


def with_lora(model: Any, family: Family, cfg: ChatConfig, trains: Sequence[str]) -> Any:
    """LoRA on the language model's linear layers (with ``lora_tower`` on the vision tower's too), and full copies of
    the modules in ``trains``; all of it in 32-bit.
    """
    _check_modules(model, family, trains)
    tower = tower_layers(model, family, trains) if cfg.lora_tower else ()
    layers = "|".join([family.lora, *map(re.escape, tower)])
    lora = LoraConfig(
        r=cfg.rank,
        lora_alpha=cfg.alpha,
        lora_dropout=cfg.dropout,
        target_modules=layers,
        modules_to_save=list(trains) or None,
        task_type="CAUSAL_LM",
    )
    before = cfg.init_from
    tuned: Any = PeftModel.from_pretrained(model, before, is_trainable=True) if before else get_peft_model(model, lora)
    for parameter in tuned.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    check_trained(tuned, layers, trains)
    return tuned


def trained(model: Any) -> list[str]:
    """Names of the parameters that train, as the unwrapped model calls their modules."""
    return sorted(n.removeprefix("base_model.model.") for n, p in model.named_parameters() if p.requires_grad)


def check_trained(model: Any, layers: str, trains: Sequence[str]) -> None:
    """Refuse (TuneError) to train anything but LoRA on ``layers`` (a pattern) and the modules of the config's list."""
    lora = re.compile(rf"(?:{layers})\.lora_(A|B)\.default\.weight")
    modules = [re.compile(rf"{re.escape(name)}\.modules_to_save\.default\..+") for name in trains]
    names = trained(model)
    stray = [n for n in names if not lora.fullmatch(n) and not any(m.fullmatch(n) for m in modules)]
    idle = [name for name, m in zip(trains, modules, strict=True) if not any(map(m.fullmatch, names))]
    if stray or idle or not any(map(lora.fullmatch, names)):
        raise TuneError(f"what trains is not what the config lists: too much {stray[:3]}, missing {idle[:3]}.")
