"""``ipl tune`` in 32-bit and by plain gradient descent: what differs in a last bit stays a last bit.

In 16-bit it may round to a hundredth, and of a gradient about zero Adam's first step takes a sign that is chance.
As a program: ``python -m tests.finetune.plain_tuning ARGUMENTS`` for ``ipl tune ARGUMENTS``.
"""

from __future__ import annotations

import functools
import sys

import pytest
import torch

from app.cli.main import main
from finetune.train import loop
from listing.backends import local


def tune_plainly(patch: pytest.MonkeyPatch) -> None:
    """Until ``patch`` is undone; the optimizer's ``momentum_buffer`` is then a sum of the steps' gradients."""
    patch.setattr(local, "pick_device", lambda: ("cpu", torch.float32))
    patch.setattr(loop.torch, "autocast", functools.partial(torch.autocast, enabled=False))
    patch.setattr(loop.torch.optim, "AdamW", functools.partial(torch.optim.SGD, momentum=0.9))


if __name__ == "__main__":
    with pytest.MonkeyPatch.context() as patched:
        tune_plainly(patched)
        sys.exit(main(["tune", *sys.argv[1:]]))
