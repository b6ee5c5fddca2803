"""This package's DIN as others write it: histories padded to the longest of a batch, and a mask.

The same weights under the same names as the ragged one, so that a state can be moved between the two.
"""

from __future__ import annotations

import torch
from torch import Tensor

from recommend.data.ragged import Ragged
from recommend.layers.attention import TargetAttention
from recommend.layers.inputs import Inputs
from recommend.models.baselines.din import DIN


def attend(attention: TargetAttention, target: Tensor, history: Ragged) -> Tensor:
    """(rows, width): a masked sum over positions, all of which, paddings too, read ``[t, h, t - h, t * h]``."""
    past, real = history.padded()
    t = target[:, None].expand_as(past)
    scores = attention.rest(attention.act(attention.first(torch.cat([t, past, t - past, t * past], -1))))
    return (torch.where(real[..., None], scores, 0) * past).sum(1)


class PaddedDIN(DIN):
    """DIN without raggedness; the embeddings are looked up as in ``DIN``."""

    def body(self, x: Inputs) -> Tensor:
        interests = [attend(a, x.matched[g], x.histories[g]) for g, a in self.attention.items()]  # type: ignore[arg-type]
        return torch.cat([x.context, x.target, *interests], 1)
