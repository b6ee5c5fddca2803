"""The processes that ``accelerate launch`` started; one alone without it."""

from __future__ import annotations

import os
from typing import Any


def processes() -> Any:
    """accelerate's ``PartialState``: this process's number and GPU; gloo joins processes where there is no GPU."""
    import torch
    from accelerate import PartialState

    return PartialState(cpu=not torch.cuda.is_available())


def sharded() -> bool:
    """Whether ``accelerate launch`` was told to cut the model over the processes (FSDP or DeepSpeed)."""
    names = ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED")
    return any(os.environ.get(name, "false").lower() == "true" for name in names)
