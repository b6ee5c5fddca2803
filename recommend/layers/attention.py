"""Target attention over packed histories (DIN, arXiv 1706.06978, section 4.3).

The first layer of the scoring network reads ``[t, h, t - h, t * h]``. Its weight splits into four blocks, and

    W [t, h, t - h, t * h] = (W1 + W3) t + (W2 - W3) h + W4 (t * h),

so the target's part is computed once a sample instead of once a position, and no position is a padding. The function is
that of the padded layer with ``nn.Linear(4 d, width)`` and the same weight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from recommend.config import ModelConfig
from recommend.data.ragged import Ragged, Repeated
from recommend.layers.activations import activation
from recommend.layers.mlp import MLP


class TargetAttention(nn.Module):
    """Weigh a history by its relevance to the target.

    Args:
        width: size of target and history vectors.
        hidden: widths of the scoring network.
        softmax: normalise the scores within a history; DIN itself does not, so that a long interest weighs more.
    """

    def __init__(self, width: int, hidden: Sequence[int] = (64,), act: str = "prelu", softmax: bool = False) -> None:
        super().__init__()
        self.first = nn.Linear(4 * width, hidden[0])
        self.act = activation(act, hidden[0])
        self.rest = MLP(hidden[0], hidden[1:], 1, act)
        self.softmax = softmax

    def forward(self, target: Tensor, history: Ragged) -> Tensor:
        """(rows, width) interests; zero for an empty history.

        Args:
            target: (rows, width).
            history: values (total, width).
        """
        if isinstance(history, Repeated):
            return self.of_one(target, history.one)
        rows = history.rows
        weight = self.weights(target, history, rows)
        return history.values.new_zeros(target.shape).index_add(0, rows, weight * history.values)

    def of_one(self, target: Tensor, past: Tensor) -> Tensor:
        """(rows, width) interests of one visitor, whose (length, width) history is the same beside every target."""
        # With h fixed, W1 t + W3 t + W4 (t * h) is linear in t: one product for all pairs.
        w1, w2, w3, w4 = self.first.weight.chunk(4, dim=1)
        weight = (w1 + w3 + w4 * past[:, None]).flatten(0, 1)
        bias = functional.linear(past, w2 - w3, self.first.bias).flatten()
        hidden = functional.linear(target, weight, bias).view(-1, self.first.out_features)
        scores = self.rest(self.act(hidden)).view(target.shape[0], past.shape[0])
        return (scores.softmax(1) if self.softmax else scores) @ past

    def weights(self, target: Tensor, history: Ragged, rows: Tensor | None = None) -> Tensor:
        """(total, 1) attention weights of the positions, for use and for inspection."""
        rows = history.rows if rows is None else rows
        w1, w2, w3, w4 = self.first.weight.chunk(4, dim=1)
        of_target = functional.linear(target, w1 + w3, self.first.bias)
        pairs = torch.cat([history.values, spread(target, rows) * history.values], dim=1)
        hidden = spread(of_target, rows) + functional.linear(pairs, torch.cat([w2 - w3, w4], dim=1))
        scores = self.rest(self.act(hidden))
        return packed_softmax(scores, rows, history.lengths.shape[0]) if self.softmax else scores


def attentions(widths: Mapping[str, int], config: ModelConfig) -> nn.ModuleDict:
    """A ``TargetAttention`` of the config's sizes for each named width."""
    c = config
    return nn.ModuleDict({n: TargetAttention(w, c.attention, c.activation, c.softmax) for n, w in widths.items()})


def spread(x: Tensor, rows: Tensor) -> Tensor:
    """(total, width): each row's vector at each of its positions (the gradient is one sum by row)."""
    return x.index_select(0, rows)


def packed_softmax(scores: Tensor, rows: Tensor, count: int) -> Tensor:
    """Softmax of (total, 1) scores within each row."""
    highest = scores.new_full((count, 1), -torch.inf).scatter_reduce(0, rows[:, None], scores.detach(), "amax")
    exp = (scores - highest.index_select(0, rows)).exp()
    total = exp.new_zeros(count, 1).index_add(0, rows, exp)
    return exp / total.index_select(0, rows)


def mean_pool(history: Ragged) -> Tensor:
    """(rows, width) mean of each row's values; zero for an empty history."""
    total = history.values.new_zeros(history.lengths.shape[0], history.values.shape[1]).index_add(
        0, history.rows, history.values
    )
    return total / history.lengths.clamp(min=1)[:, None].to(total.dtype)
