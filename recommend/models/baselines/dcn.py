"""DCN V2: Improved Deep & Cross Network (WWW 2021, arXiv 2008.13535)."""

from __future__ import annotations

from torch import Tensor, nn

from recommend.models.baselines.dnn import DNN


class Cross(nn.Module):
    """``x_{l+1} = x_0 * (W_l x_l + b_l) + x_l`` (eq. 1): each layer raises the degree of the products by one."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))

    def forward(self, first: Tensor) -> Tensor:
        """(n, width) to (n, width)."""
        x = first
        for layer in self.layers:
            x = first * layer(x) + x
        return x


class DCN(DNN):
    """The stacked form (figure 1a): cross layers first, the MLP on top; histories are mean-pooled as in DNN."""

    def crossing(self, width: int) -> nn.Module:
        return Cross(width, self.config.layers)
