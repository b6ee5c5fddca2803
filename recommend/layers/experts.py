"""Multi-task bodies: MMoE (Ma et al., KDD 2018) and PLE (Tang et al., RecSys 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from recommend.layers.mlp import MLP


def mix(experts: Sequence[Tensor], gate: Tensor) -> Tensor:
    """Softmax-gated sum: experts (n, w) each, gate (n, len(experts)), result (n, w)."""
    return torch.einsum("new,ne->nw", torch.stack(list(experts), 1), gate.softmax(1))


class MMoE(nn.Module):
    """Shared experts, one gate a task; returns one (n, width) vector a task."""

    def __init__(self, inputs: int, tasks: int, experts: int, widths: Sequence[int], act: str = "relu") -> None:
        super().__init__()
        self.experts = nn.ModuleList(MLP(inputs, widths, 0, act) for _ in range(experts))
        self.gates = nn.ModuleList(nn.Linear(inputs, experts, bias=False) for _ in range(tasks))
        self.width = widths[-1]

    def forward(self, x: Tensor) -> list[Tensor]:
        outputs = [expert(x) for expert in self.experts]
        return [mix(outputs, gate(x)) for gate in self.gates]


class PLE(nn.Module):
    """Progressive extraction: each task has experts of its own beside the shared ones.

    Every layer but the last also has a shared gate over all experts, whose mix feeds the next layer's shared experts.
    """

    def __init__(
        self, inputs: int, tasks: int, experts: int, widths: Sequence[int], layers: int = 1, act: str = "relu"
    ) -> None:
        super().__init__()
        self.tasks = tasks
        sizes = [inputs] + [widths[-1]] * (layers - 1)
        self.layers = nn.ModuleList(
            _Extraction(size, tasks, experts, widths, act, shared_gate=i < layers - 1) for i, size in enumerate(sizes)
        )
        self.width = widths[-1]

    def forward(self, x: Tensor) -> list[Tensor]:
        specific_x, shared = [x] * self.tasks, x
        for layer in self.layers:
            specific_x, shared = layer(specific_x, shared)
        return specific_x


class _Extraction(nn.Module):
    def __init__(
        self, inputs: int, tasks: int, experts: int, widths: Sequence[int], act: str, shared_gate: bool
    ) -> None:
        super().__init__()
        self.own = nn.ModuleList(
            nn.ModuleList(MLP(inputs, widths, 0, act) for _ in range(experts)) for _ in range(tasks)
        )
        self.shared = nn.ModuleList(MLP(inputs, widths, 0, act) for _ in range(experts))
        self.gates = nn.ModuleList(nn.Linear(inputs, 2 * experts, bias=False) for _ in range(tasks))
        self.shared_gate = nn.Linear(inputs, (tasks + 1) * experts, bias=False) if shared_gate else None

    def forward(self, specific_x: list[Tensor], shared: Tensor) -> tuple[list[Tensor], Tensor]:
        common = [expert(shared) for expert in self.shared]
        groups = (cast(nn.ModuleList, group) for group in self.own)
        specific = [[expert(x) for expert in group] for group, x in zip(groups, specific_x, strict=True)]
        mixed = [mix([*s, *common], gate(x)) for s, gate, x in zip(specific, self.gates, specific_x, strict=True)]
        if self.shared_gate is None:
            return mixed, shared
        return mixed, mix([*(e for s in specific for e in s), *common], self.shared_gate(shared))
