"""A model, ready to be tuned: 4-bit or not, LoRA or whole, exactly the listed parameters trainable.

For any family, and (``load_embedded``) for the embedded model, whose language stage runs its parts by itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune.errors import TuneError
from finetune.train.configs import TuneConfig
from finetune.train.families import Family, family_of
from listing.backends.local import LocalBackend, pick_device
from listing.backends.templates import correct_template

if TYPE_CHECKING:
    import torch

EMBEDDED = "ipl-mini"


def located(source: str) -> str:
    """``source``; of the embedded model's name its folder, assembled first if need be (AssemblyError)."""
    if source != EMBEDDED:
        return source
    from finetune.embedded.assemble import assemble

    return str(assemble())


def load_processor(source: str | Path, family: Family, pixels: Mapping[str, Any] | None = None) -> Any:
    """The family's own processor under its pixel budget (``pixels`` instead, when given), template corrected."""
    from transformers import AutoImageProcessor, AutoProcessor

    processor: Any = AutoProcessor.from_pretrained(source, trust_remote_code=False)
    budget = family.pixels if pixels is None else pixels
    if budget:
        processor.image_processor = AutoImageProcessor.from_pretrained(source, trust_remote_code=False, **budget)
    return correct_template(processor, family.model_types[0])


def dtype_of(quantize: str, precision: str = "auto") -> torch.dtype:
    """What a base is loaded and computes in; TuneError where the settings are unknown or contradict each other."""
    import torch

    if quantize not in ("none", "nf4"):
        raise TuneError(f"quantize: {quantize!r} is unknown; use 'nf4' or 'none'.")
    if str(precision) not in ("auto", "32"):
        raise TuneError(f"precision: {precision!r} is unknown; use 'auto' or '32'.")
    if quantize == "nf4":
        if str(precision) == "32":
            raise TuneError("precision: 4-bit weights compute in 16-bit; use 'auto', or set quantize to none.")
        return torch.bfloat16
    return torch.float32 if str(precision) == "32" else pick_device()[1]


def check_settings(quantize: str, rank: int, init_from: str, precision: str = "auto", tower: bool = False) -> None:
    """Refuse (TuneError) settings of a stage that are unknown or contradict each other."""
    dtype_of(quantize, precision)
    if not rank and quantize != "none":
        raise TuneError("rank 0 tunes the whole language model, which 4-bit weights cannot: set quantize to none.")
    if not rank and init_from:
        raise TuneError("rank 0 starts from the model itself: leave --init-from out.")
    if not rank and tower:
        raise TuneError("lora_tower is LoRA, which rank 0 has none of: give a rank, or name the tower in `trains`.")


def load_base(
    source: str | Path,
    quantize: str = "none",
    pixels: Mapping[str, Any] | None = None,
    precision: str = "auto",
    attention: str = "",
) -> tuple[Any, Any, Family]:
    """(frozen model, processor, family). ``precision``: ``auto`` (16-bit where the hardware computes in it) or ``32``.

    attention: as in ``ChatConfig``. TuneError: the model is not there or not in the table, the settings contradict each
    other, or the model or this machine has no such attention.
    """
    from transformers import AutoConfig, AutoModelForImageTextToText

    dtype = dtype_of(quantize, precision)
    try:
        config = AutoConfig.from_pretrained(source, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise TuneError(f"The model {str(source)!r} cannot be loaded; name a folder or a hub id in `model`.") from error
    family = family_of(config.model_type)
    processor = load_processor(source, family, pixels)
    extra = {"quantization_config": nf4_config(family.skipped)} if quantize == "nf4" else {}
    extra |= {"attn_implementation": attention} if attention else {}
    try:
        model: Any = AutoModelForImageTextToText.from_pretrained(
            source, dtype=dtype, trust_remote_code=False, use_safetensors=True, **extra
        )
    except (ImportError, ValueError) as error:
        if not attention:
            raise
        why = str(error).strip().splitlines()[0]
        raise TuneError(
            f"attention: {attention!r} cannot be used here ({why}); leave it out, or use 'sdpa'."
        ) from error
    forbid_repacking(model)
    for name in family.repeated:  # where the processor's budget stands in the model's config too
        setattr(model.config, name, getattr(processor.image_processor, name))
    _freeze(model)
    return model, processor, family


def nf4_config(skipped: Sequence[str]) -> Any:
    """``BitsAndBytesConfig``: NF4, double quantisation, bf16 arithmetic; ``skipped`` modules stay 16-bit."""
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype="bfloat16",
        llm_int8_skip_modules=list(skipped),
    )


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
    from torch.nn.modules.batchnorm import _BatchNorm

    model.requires_grad_(False)
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.register_forward_pre_hook(_use_statistics)


def _use_statistics(module: Any, inputs: Any) -> None:
    module.eval()


def base_of(model: Any) -> Any:
    """The transformers model inside a PEFT model; a plain model itself."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def load_embedded(cfg: TuneConfig) -> tuple[LocalBackend, Any]:
    """(backend for layouts, model). What trains is 32-bit: LoRA layers or the whole language model, and ``cfg.trains``.

    TuneError: the settings contradict each other, or ``trains`` names what is not there or cannot train here.
    """
    check_settings(cfg.quantize, cfg.rank, cfg.init_from)
    if any(name.startswith("model.vision_tower") for name in cfg.trains):
        raise TuneError("trains: the vision tower is frozen in this stage; its own stage is called tower.")
    backend = LocalBackend(cfg.model)
    if cfg.quantize == "nf4":
        backend.model, *_ = load_base(cfg.model, "nf4")
    else:
        _freeze(backend.model)
    base = backend.model
    family = family_of(base.config.model_type)
    _check_modules(base, family, cfg.trains)
    if cfg.checkpointing:
        base.model.language_model.activation_checkpointing_enable({"use_reentrant": False})
    model = with_lora(base, family, cfg.rank, cfg.alpha, cfg.dropout, (), cfg.init_from) if cfg.rank else base
    for name in cfg.trains if cfg.rank else (*cfg.trains, family.language):
        base.get_submodule(name).float().requires_grad_(True)
    return backend, model


def parameter_groups(model: Any, trains: Sequence[str]) -> tuple[list[torch.nn.Parameter], list[torch.nn.Parameter]]:
    """(parameters of the language model, those of the modules in ``trains``): the two groups of the optimizer."""
    language: list[torch.nn.Parameter] = []
    beside: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            listed = any(name.removeprefix("base_model.model.").startswith(f"{module}.") for module in trains)
            (beside if listed else language).append(parameter)
    return language, beside


def _check_modules(model: Any, family: Family, trains: Sequence[str]) -> None:
    names = dict(model.named_modules())
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
    import torch

    kept = tuple(f"{name}." for name in (*family.projector, *trains))
    linear = [name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
    return [name for name in linear if name.startswith(family.vision) and not name.startswith(kept)]


def with_lora(
    model: Any,
    family: Family,
    rank: int,
    alpha: int,
    dropout: float,
    trains: Sequence[str],
    init_from: str = "",
    tower: bool = False,
) -> Any:
    """LoRA on the language model's linear layers, and full copies of the modules in ``trains``; all of it in 32-bit.

    tower: LoRA on the vision tower's linear layers as well.
    """
    from peft import LoraConfig, PeftModel, get_peft_model

    _check_modules(model, family, trains)
    layers = "|".join([family.lora, *map(re.escape, tower_layers(model, family, trains) if tower else ())])
    if init_from:
        tuned = PeftModel.from_pretrained(model, init_from, is_trainable=True)
    else:
        lora = LoraConfig(
            r=rank,
            lora_alpha=alpha,
            lora_dropout=dropout,
            target_modules=layers,
            modules_to_save=list(trains) or None,
            bias="none",
            task_type="CAUSAL_LM",
        )
        tuned = get_peft_model(model, lora)
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
