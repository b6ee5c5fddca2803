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
