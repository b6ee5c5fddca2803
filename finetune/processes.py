"""The processes that ``accelerate launch`` started; one alone without it."""

from __future__ import annotations

from typing import Any


def processes() -> Any:
    """accelerate's ``PartialState``: this process's number and GPU; gloo joins processes where there is no GPU."""
    import torch
    from accelerate import PartialState

    return PartialState(cpu=not torch.cuda.is_available())
