"""Comparison of a row's candidate with the visitor's history: the features of kind ``match``.

Untrained, such a count can rank better than a model that has to learn from ids alone what "the same" means.
"""

from __future__ import annotations

import torch
from torch import Tensor

from recommend.data.ragged import Column, Ragged, Repeated, tensor_of


def match(candidate: Column, history: Ragged) -> Tensor:
    """(rows, 3): log(1 + entries that are the candidate's), 1 / steps since the last of them, their share.

    Args:
        candidate: (rows,) raw ids; negative ones match nothing.
        history: raw ids, oldest first; the last entry lies one step back.
    """
    ids = tensor_of(candidate).to(torch.int64)
    if isinstance(history, Repeated):  # one visitor's history beside every candidate
        past = history.one.to(torch.int64)
        same = ((ids[:, None] == past) & (ids[:, None] >= 0)).float()
        each = torch.ones_like(past).float()  # whose sums are sizes also where a program is traced
        steps = each.cumsum(0).flip(0)
        # A visitor without history has no highest value: the nought in front stands for it.
        nearest = torch.cat([torch.zeros_like(ids[:, None]).float(), same / steps], 1).amax(1)
        count = same.sum(1)
        return torch.stack([count.log1p(), nearest, count / each.sum().clamp(min=1)], 1)
    rows = history.rows
    asked = ids.index_select(0, rows)
    same = ((asked == history.values.to(torch.int64)) & (asked >= 0)).float()
    steps = (history.offsets[1:].index_select(0, rows) - torch.arange(rows.shape[0], device=rows.device)).float()
    none = torch.zeros(ids.shape[0], device=ids.device)
    count = none.index_add(0, rows, same)
    nearest = none.scatter_reduce(0, rows, same / steps, "amax")
    return torch.stack([count.log1p(), nearest, count / history.lengths.clamp(min=1).float()], 1)
