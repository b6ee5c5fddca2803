"""``ipl tune`` in 32-bit and by plain gradient descent: what differs in a last bit stays a last bit.

In 16-bit it may round to a hundredth, and of a gradient about zero Adam's first step takes a sign that is chance.
As a program: ``python -m tests.finetune.plain_tuning ARGUMENTS [--then MORE]`` for ``ipl tune ARGUMENTS``, and then for
``ipl tune MORE`` as it is.
"""

from __future__ import annotations

import functools
import sys

import pytest
import torch

from app.cli.main import main
from finetune.train import loop
from listing.backends import local

THEN = "--then"


def tune_plainly(patch: pytest.MonkeyPatch) -> None:
    """Until ``patch`` is undone; the optimizer's ``momentum_buffer`` is then a sum of the steps' gradients."""
    patch.setattr(local, "pick_device", lambda: ("cpu", torch.float32))
    patch.setattr(loop.torch, "autocast", functools.partial(torch.autocast, enabled=False))
    patch.setattr(loop.torch.optim, "AdamW", functools.partial(torch.optim.SGD, momentum=0.9))


if __name__ == "__main__":
    given = sys.argv[1:]
    end = given.index(THEN) if THEN in given else len(given)
    with pytest.MonkeyPatch.context() as patched:
        tune_plainly(patched)
        status = main(["tune", *given[:end]])
    sys.exit(status or (main(["tune", *given[end + 1 :]]) if given[end:] else 0))
