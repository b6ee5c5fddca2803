"""Two optimisers: fused Adam (AdamW with decay, or SGD) for what is dense, SparseAdam for big tables."""

from __future__ import annotations

import math

import torch
from torch import nn

from recommend.config import ConfigError, TrainConfig
from recommend.layers.embedding import Tables


def sparse_parameters(model: nn.Module) -> list[nn.Parameter]:
    """Weights of the tables that give sparse gradients, each once."""
    tables = [m for m in model.modules() if isinstance(m, nn.Embedding) and m.sparse]
    return list({id(p): p for table in tables for p in table.parameters()}.values())


def optimizers(model: nn.Module, config: TrainConfig) -> list[torch.optim.Optimizer]:
    """Adam (fused) over the dense weights and, where there are any, SparseAdam over the sparse tables.

    SparseAdam is lazy: moments of rows that are not in a batch do not decay. Frozen weights belong to neither.

    Raises:
        ConfigError: sparse tables and weight decay, or SGD.
    """
    sparse = [p for p in sparse_parameters(model) if p.requires_grad]
    ids, rate, decay = {id(p) for p in sparse}, config.learning_rate, config.weight_decay
    table_rate = config.table_rate or rate
    if sparse and (decay or config.optimizer != "adam"):
        raise ConfigError("tables with sparse gradients know Adam without decay alone; set sparse_rows higher.")
    of_tables = {id(p) for m in model.modules() if isinstance(m, Tables) for p in m.parameters()}
    weights = [p for p in model.parameters() if p.requires_grad and id(p) not in ids]
    parts = {
        lr: [p for p in weights if (table_rate if id(p) in of_tables else rate) == lr] for lr in (rate, table_rate)
    }
    dense = [{"params": part, "lr": lr} for lr, part in parts.items() if part]
    steps: list[torch.optim.Optimizer] = []
    if dense and config.optimizer == "sgd":
        steps.append(torch.optim.SGD(dense, lr=rate, weight_decay=decay))
    elif dense:
        adam = torch.optim.AdamW if decay else torch.optim.Adam
        steps.append(adam(dense, lr=rate, weight_decay=decay, fused=True))
    if sparse:
        steps.append(torch.optim.SparseAdam(sparse, lr=table_rate))
    for group in (group for optimizer in steps for group in optimizer.param_groups):
        group["initial_lr"] = group["lr"]
    return steps


def set_rates(steps: list[torch.optim.Optimizer], config: TrainConfig, done: float) -> None:
    """Let all weights learn at what the schedule makes of their rates after a share ``done`` of all rows."""
    left = 1 - max(done - config.warmup, 0) / (1 - config.warmup)
    fall = {"constant": 1.0, "linear": left, "cosine": (1 - math.cos(math.pi * left)) / 2}[config.schedule]
    factor = min(done / config.warmup, 1) if config.warmup and done < config.warmup else fall
    for group in (group for optimizer in steps for group in optimizer.param_groups):
        group["lr"] = group["initial_lr"] * factor


def kinds(model: nn.Module, config: TrainConfig) -> str:
    """The names of a model's optimisers, which a result states."""
    sparse = sparse_parameters(model)
    dense = "SGD" if config.optimizer == "sgd" else f"fused Adam{'W' if config.weight_decay else ''}"
    return f"{dense}; SparseAdam (lazy) on {len(sparse)} tables" if sparse else dense
