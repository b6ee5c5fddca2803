"""Activations by name, and Dice (DIN, arXiv 1706.06978, eq. 3-4)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from recommend.config import ConfigError, nearest


def standardised(norm: nn.BatchNorm1d, x: Tensor) -> Tensor:
    """(n, width) normalised; a batch of one has no variance, so that what was learned so far stands in."""
    alone = norm.training and len(x) < 2
    return functional.batch_norm(x, norm.running_mean, norm.running_var, eps=norm.eps) if alone else norm(x)


class Dice(nn.Module):
    """``p(s) s + (1 - p(s)) a s`` with ``p = sigmoid(standardised s)``: a PReLU whose bend follows the data.

    Running mean and variance serve in evaluation; ``a`` starts at 0, one a channel.
    """

    def __init__(self, width: int, eps: float = 1e-8) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(width, eps=eps, affine=False)  # its running values serve in evaluation
        self.alpha = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """(n, width) to (n, width)."""
        p = standardised(self.norm, x).sigmoid()
        return x * (p + self.alpha * (1 - p))


ACTIVATIONS: dict[str, Callable[[int], nn.Module]] = {
    "relu": lambda width: nn.ReLU(),
    "prelu": lambda width: nn.PReLU(),
    "sigmoid": lambda width: nn.Sigmoid(),
    "dice": Dice,
}


def activation(name: str, width: int) -> nn.Module:
    """A new activation of a width."""
    if name not in ACTIVATIONS:
        raise ConfigError(f"there is no activation '{name}'; {nearest(name, list(ACTIVATIONS))}")
    return ACTIVATIONS[name](width)
