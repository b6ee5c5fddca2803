"""Whether a representation was parted: does what two systems share still tell them apart, does it still tell clicks?"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from recommend.data.memory import MemoryStream
from recommend.features.ragged import Batch
from recommend.metrics.ranks import auc
from recommend.models.base import label
from recommend.models.rec4ad import ADS, ORGANIC, Rec4Ad, correlation

NEWTON = 15  # steps; a logistic regression of some dozen numbers needs fewer
RIDGE = 1.0  # of the probe, on standardised columns


def disentanglement(model: Rec4Ad, rows: Batch, batch_rows: int) -> dict[str, float]:
    """What a reader must know before a verdict on disentanglement.

    Args:
        rows: of both systems, not trained on, with ``system`` and the model's own columns.

    Returns:
        ``probe``: AUC of a logistic guess of the system from z_inv, each half of the rows guessed by the other's fit.
        ``probe_given``: the same guess among rows of one click, mean of both. ``probe_own``: from the ads' z_s of all
        rows, where there are branches. ``correlation``: mean |corr(z_inv, z_s)|, mean of the systems. ``spread``: mean
        deviation of z_inv's columns, near 0 where it collapsed.
    """
    organic, click = label(rows, "system") == ORGANIC, label(rows, model.features.labels[0]).bool().numpy()
    invariant, own, as_ads = represent(model, rows, batch_rows)
    guess = probe(invariant.numpy(), organic.numpy())
    given = [auc(organic.numpy()[which], guess[which]) for which in (click, ~click)]
    found = {
        "probe": auc(organic.numpy(), guess),
        "probe_given": float(np.mean(given)),
        "spread": float(invariant.std(0).mean()),
    }
    if model.parts.specific:
        found["probe_own"] = auc(organic.numpy(), probe(as_ads.numpy(), organic.numpy()))
        of_system = [correlation(invariant[r], own[r]).abs().mean() for r in (~organic, organic)]
        found["correlation"] = float(torch.stack(of_system).mean())
    return found


@torch.no_grad()
def represent(model: Rec4Ad, rows: Batch, batch_rows: int) -> tuple[Tensor, Tensor, Tensor]:
    """(rows, width) z_inv, z_s of each row's own system, and the ads' z_s whoever showed the row."""
    model.eval()
    parts = []
    for batch, _ in MemoryStream(rows, batch_rows).with_positions():
        out, (h, invariant) = model(batch), model.encoded(batch)
        parts.append((out["invariant"], out["own"], model.branches[ADS](h, invariant)[1]))
    first, second, third = (torch.cat(part) for part in zip(*parts, strict=True))
    return first, second, third


def probe(x: np.ndarray, yes: np.ndarray) -> np.ndarray:
    """(rows,) log-odds by logistic regressions on (rows, width), each half of the rows (every other) by the other."""
    z = (x - x.mean(0)) / (x.std(0) + 1e-6)
    z = np.concatenate([z, np.ones((len(z), 1))], 1).astype(np.float64)
    told = np.empty(len(z))
    for half in (0, 1):
        told[half::2] = z[half::2] @ _logistic(z[1 - half :: 2], yes[1 - half :: 2])
    return told


def _logistic(x: np.ndarray, yes: np.ndarray) -> np.ndarray:
    """(width,) coefficients with a small ridge, by Newton's method."""
    w = np.zeros(x.shape[1])
    for _ in range(NEWTON):
        p = 1 / (1 + np.exp(-(x @ w).clip(-30, 30)))
        slope = x.T @ (yes - p) - RIDGE * w
        curve = (x * (p * (1 - p))[:, None]).T @ x + RIDGE * np.eye(len(w))
        w = w + np.linalg.solve(curve, slope)
    return w
