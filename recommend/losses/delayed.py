"""Losses for conversions that are not all in yet."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def fake_negative_weighted(logits: Tensor, labels: Tensor) -> Tensor:
    """FNW (Ktena et al., RecSys 2019): each sample comes as a negative at once, and again when it converts.

    Importance weights turn that mixture into the true one: ``1 + p`` on positives, ``(1 - p)(1 + p)`` on negatives,
    with p without gradient.
    """
    p = logits.detach().sigmoid()
    labels = labels.to(logits.dtype)
    weight = labels * (1 + p) + (1 - labels) * (1 - p) * (1 + p)
    return (functional.binary_cross_entropy_with_logits(logits, labels, reduction="none") * weight).mean()


def exponential_delay(logits: Tensor, log_rate: Tensor, converted: Tensor, hours: Tensor) -> Tensor:
    """DFM (Chapelle, KDD 2014): conversion probability and an exponential delay learned together.

    Args:
        logits: (n,) of the eventual conversion.
        log_rate: (n,) log of the delay's rate, per hour.
        converted: (n,) whether the conversion was seen so far.
        hours: (n,) its delay when seen, else the time since the click.
    """
    seen = functional.logsigmoid(logits) + log_rate - log_rate.exp() * hours
    waiting = torch.logaddexp(functional.logsigmoid(-logits), functional.logsigmoid(logits) - log_rate.exp() * hours)
    return -torch.where(converted.bool(), seen, waiting).mean()


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
