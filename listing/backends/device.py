"""The number format that this machine computes fast in."""

from __future__ import annotations


def has_bfloat16() -> bool:
    """True if the processor has 16-bit arithmetic of its own; elsewhere it is slower than 32 bits."""
    import torch

    return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())
