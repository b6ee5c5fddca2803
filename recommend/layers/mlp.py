"""A plain multi-layer perceptron."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn

from recommend.layers.activations import activation


class MLP(nn.Module):
    """Hidden layers of ``widths``, then ``out`` linear outputs (none when 0); ``layer_norm``: of the inputs.

    Attributes:
        width: size of the last dimension of the output.
    """

    def __init__(
        self,
        inputs: int,
        widths: Sequence[int],
        out: int = 1,
        act: str = "prelu",
        dropout: float = 0.0,
        batch_norm: bool = False,
        layer_norm: bool = False,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.LayerNorm(inputs)] if layer_norm else []
        for width in widths:
            layers.append(nn.Linear(inputs, width))
            if batch_norm:
                layers.append(nn.BatchNorm1d(width))
            layers.append(activation(act, width))
            if dropout:
                layers.append(nn.Dropout(dropout))
            inputs = width
        if out:
            layers.append(nn.Linear(inputs, out))
        self.layers = nn.Sequential(*layers)
        self.width = out or inputs

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs) to (n, width)."""
        return self.layers(x)

    def begin(self, spread: float = 0.0) -> Self:
        """Let the linear outputs start near 0: weights within ``spread``, biases 0."""
        last = self.layers[-1]
        assert isinstance(last, nn.Linear)
        nn.init.uniform_(last.weight, -spread, spread)
        nn.init.zeros_(last.bias)
        return self

    def start_at(self, rates: Sequence[float]) -> Self:
        """Let the linear outputs' biases be the log-odds of rates, one an output."""
        last = self.layers[-1]
        assert isinstance(last, nn.Linear)
        with torch.no_grad():
            last.bias.copy_(torch.tensor(rates).clamp(1e-4, 1 - 1e-4).logit())
        return self
