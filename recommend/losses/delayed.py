"""Losses for conversions that are not all in yet."""

from __future__ import annotations

import torch
from torch import Tensor


def elapsed_weights(p: Tensor, late: Tensor, labels: Tensor) -> Tensor:
    """ES-DFM (Yang et al., AAAI 2021): the label after a wait, and late positives once more when they come.

    The stream holds ``1 + p late`` samples a unit, ``p`` of them positive; the weights turn it into the true one.

    Args:
        p: (n,) conversion probabilities, without gradient.
        late: (n,) share of conversions that come after the wait.
        labels: (n,) as they stand in the stream.
    """
    missed = p * late
    return torch.where(labels.bool(), 1 + missed, (1 - p) * (1 + missed) / (1 - p + missed))


def doubled_weights(p: Tensor, late: Tensor, labels: Tensor) -> Tensor:
    """DEFER (Gu et al., KDD 2021): as above, but every unit comes twice, so that only half of the late are missing."""
    missed = p * late / 2
    return torch.where(labels.bool(), 1 / (1 - late / 2), (1 - p) / (1 - p + missed))
