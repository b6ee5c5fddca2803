"""At which click rates a listwise distillation moves a student away from its teacher: exact minima, nothing trained.

``python -m benchmarks.clid_rates`` prints a table. 300 lists of ten rows have teachers' logits that are normal (sd 1.2)
around a level that gives the mean click rate; every row of the student has a logit of its own. What is minimised is
``CE(p_t, p_s) + ratio L_d``, with the cross-entropy a mean over rows and the distillation a mean over lists. The
figures compare the student with the teacher, who is right here: ECE in 20 bins of equally many rows, over the rate.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import brentq
from torch.nn import functional

from recommend.losses.distillation import DISTILLATIONS
from recommend.metrics.calibration import ece

LISTS, ROWS, SPREAD = 300, 10, 1.2
RATES = (0.02, 0.08, 0.17, 0.48)
RATIO = 1.0


def teachers(rate: float) -> torch.Tensor:
    """(rows,) probabilities whose mean is the rate."""
    z = np.random.default_rng(0).normal(0, SPREAD, LISTS * ROWS)
    level = brentq(lambda c: float((1 / (1 + np.exp(-c - z))).mean()) - rate, -12, 12)
    return torch.from_numpy(1 / (1 + np.exp(-level - z)))


def student(name: str, teacher: torch.Tensor) -> torch.Tensor:
    """(rows,) probabilities at the minimum, found from the teacher's own."""
    lengths = torch.full((LISTS,), ROWS)
    logits = teacher.logit().requires_grad_()
    optimizer = torch.optim.LBFGS([logits], max_iter=300, tolerance_grad=1e-10, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        pulled = DISTILLATIONS[name](logits, teacher, lengths)
        # Every row counts alike, so that the tolerances do not depend on how many there are.
        loss = LISTS * (ROWS * functional.binary_cross_entropy_with_logits(logits, teacher) + ROWS * RATIO * pulled)
        loss.backward()
        return loss

    optimizer.step(closure)
    return logits.detach().sigmoid()


def main() -> None:
    """One row a loss, one column a click rate."""
    print("ECE over the click rate, at ratio", RATIO)
    print("| loss | " + " | ".join(f"{rate:.0%}" for rate in RATES) + " |")
    print("|---" * (len(RATES) + 1) + "|")
    for name in DISTILLATIONS:
        cells = []
        for rate in RATES:
            p = teachers(rate)
            cells.append(f"{ece(p.numpy(), student(name, p).numpy()) / rate:.3f}")
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
