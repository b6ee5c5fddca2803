"""4-bit base weights (NF4, double quantisation) that stay right on a CPU, and LoRA on the language model alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

# The prefixes must be whole: a short name matches nothing, and the projector would become 4-bit and could not train.
SKIPPED = ("model.vision_tower", "model.multi_modal_projector", "lm_head")
LORA_PATTERN = r".*language_model\.layers\.\d+\.(self_attn\.(q|k|v|o)_proj|mlp\.(gate|up|down)_proj)$"


def nf4_config(skipped: Sequence[str] = SKIPPED) -> Any:
    """``BitsAndBytesConfig``: NF4, double quantisation, bf16 arithmetic; ``skipped`` modules stay 16-bit."""
    import torch
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
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
