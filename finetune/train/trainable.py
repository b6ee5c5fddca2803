"""The embedded model for its language stage: 4-bit or not, LoRA or whole, exactly the listed parameters trainable."""

from __future__ import annotations

import re
from typing import Any

import torch

from finetune.train.loading import LoadError, dtype_of, keep_statistics
from finetune.train.quantize import LORA_PATTERN, forbid_repacking, nf4_config
from finetune.train.configs import TuneConfig
from listing.backends.local import LocalBackend

LANGUAGE = "model.language_model"


def base_of(model: Any) -> Any:
    """The transformers model inside a PEFT model; a plain model itself."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def load_trainable(cfg: TuneConfig) -> tuple[LocalBackend, Any]:
    """(backend for layouts, model). What trains is 32-bit: LoRA layers or the whole language model, and ``cfg.trains``.

    Raises:
        LoadError: the settings contradict each other, or ``trains`` names what is not there or cannot train here.
    """
    _check(cfg)
    backend = LocalBackend(cfg.model)
    if cfg.quantize == "nf4":
        from transformers import AutoModelForImageTextToText

        backend.model = AutoModelForImageTextToText.from_pretrained(
            cfg.model, quantization_config=nf4_config(), dtype=torch.bfloat16, use_safetensors=True
        )
        forbid_repacking(backend.model)
    base = backend.model
    base.requires_grad_(False)
    keep_statistics(base)
    for name in cfg.trains:
        if name not in dict(base.named_modules()):
            raise LoadError(f"trains: the model has no module {name!r}; its projector is model.multi_modal_projector.")
    if cfg.checkpointing:
        base.model.language_model.activation_checkpointing_enable({"use_reentrant": False})
    model = _with_lora(base, cfg) if cfg.rank else base
    for name in cfg.trains if cfg.rank else (*cfg.trains, LANGUAGE):
        base.get_submodule(name).float().requires_grad_(True)
    return backend, model


def _check(cfg: TuneConfig) -> None:
    dtype_of(cfg.quantize)
    if not cfg.rank and cfg.quantize != "none":
        raise LoadError("rank 0 tunes the whole language model, which 4-bit weights cannot: set quantize to none.")
    if not cfg.rank and cfg.init_from:
        raise LoadError("rank 0 starts from the model itself: leave --init-from out.")
    if any(name.startswith("model.vision_tower") for name in cfg.trains):
        raise LoadError("trains: the vision tower is frozen in this stage; its own stage is called tower.")


def _with_lora(base: Any, cfg: TuneConfig) -> Any:
    from peft import LoraConfig, PeftModel, get_peft_model

    if cfg.init_from:
        return PeftModel.from_pretrained(base, cfg.init_from, is_trainable=True)
    lora = LoraConfig(
        r=cfg.rank,
        lora_alpha=cfg.alpha,
        lora_dropout=cfg.dropout,
        target_modules=LORA_PATTERN,
        bias="none",
        task_type="CAUSAL_LM",
    )
    return get_peft_model(base, lora)


def groups_of(model: Any, cfg: TuneConfig) -> tuple[list[torch.nn.Parameter], list[torch.nn.Parameter]]:
    """(parameters of the language model, those of ``cfg.trains``): the two groups of the optimizer."""
    listed = re.compile(rf"(base_model\.model\.)?({'|'.join(map(re.escape, cfg.trains)) or '(?!)'})\..+")
    language: list[torch.nn.Parameter] = []
    beside: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            (beside if listed.fullmatch(name) else language).append(parameter)
    return language, beside
