"""Two optimisers: fused Adam for what is dense, SparseAdam for big tables."""

from __future__ import annotations

import torch
from torch import nn


def sparse_parameters(model: nn.Module) -> list[nn.Parameter]:
    """Weights of the tables that give sparse gradients, each once."""
    tables = [m for m in model.modules() if isinstance(m, nn.Embedding) and m.sparse]
    return list({id(p): p for table in tables for p in table.parameters()}.values())


def optimizers(model: nn.Module, learning_rate: float) -> list[torch.optim.Optimizer]:
    """Adam (fused) over the dense weights and, where there are any, SparseAdam over the sparse tables.

    SparseAdam is lazy: moments of rows that are not in a batch do not decay. Frozen weights belong to neither.
    """
    sparse = [p for p in sparse_parameters(model) if p.requires_grad]
    ids = {id(p) for p in sparse}
    dense = [p for p in model.parameters() if p.requires_grad and id(p) not in ids]
    found: list[torch.optim.Optimizer] = [torch.optim.Adam(dense, lr=learning_rate, fused=True)] if dense else []
    if sparse:
        found.append(torch.optim.SparseAdam(sparse, lr=learning_rate))
    return found


def kinds(model: nn.Module) -> str:
    """What a result must say about its optimisers."""
    sparse = sparse_parameters(model)
    return f"fused Adam; SparseAdam (lazy) on {len(sparse)} tables" if sparse else "fused Adam"
