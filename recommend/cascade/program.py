"""A model and its encoders as one program for one visitor's request: a call runs from raw columns to probabilities
without returning to Python between two steps, and without its lock, so that two pages are computed on two cores.

The program is traced (TorchScript) when a model is loaded, and compared with the model on other sizes than those it was
traced with. A model that cannot be traced, or gives anything else, is asked layer by layer as before.
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import replace

import torch
from torch import Tensor, nn

from recommend.cascade.registry import Loaded
from recommend.features.ragged import Batch, Column, Repeated, tensor_of

log = logging.getLogger(__name__)
CLOSE = 1e-5  # of a probability
SIZES = ((2, 0), (7, 3), (64, 8), (33, 1))  # candidates and clicks on which it is compared: none is left out by chance


class Program(nn.Module):
    """Encoders and model over plain tensors: the columns (n, ...) of the candidates, then histories (length, ...)."""

    def __init__(self, loaded: Loaded) -> None:
        super().__init__()
        self.model, self.encoders = loaded.model, loaded.encoders
        features = loaded.encoders.features.features
        self.plain = [f.column for f in features if f.role != "history" and not f.cross]
        self.past = [f.column for f in features if f.role == "history"]
        self.tasks: tuple[str, ...] = ()

    def arguments(self, raw: Batch) -> tuple[Tensor, ...]:
        """What it is called with, of a request's raw columns."""
        past = [column.one for name in self.past if isinstance(column := raw[name], Repeated)]
        return (*(tensor_of(raw[name]) for name in self.plain), *past)

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        """(n,) probabilities of ``tasks``."""
        raw: dict[str, Column] = dict(zip(self.plain, given, strict=False))
        count = given[0].shape[0]
        raw |= {name: Repeated(one, count) for name, one in zip(self.past, given[len(self.plain) :], strict=True)}
        told = self.model.predicted(self.encoders(raw))
        self.tasks = tuple(told)
        return tuple(told.values())


class Traced:
    """A program as it is called; every thread may.

    Args:
        raw: columns of a made-up request, 64 candidates of a visitor with 8 clicks.

    Raises:
        RuntimeError: it gives other probabilities than the model.
    """

    def __init__(self, loaded: Loaded, raw: Batch) -> None:
        self._program = Program(loaded)
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # of constants: what they change is seen below
            traced = torch.jit.trace(self._program.eval(), self._program.arguments(raw), check_trace=False)
            self._call = torch.jit.freeze(traced)
            for sizes in SIZES:
                some = _cut(raw, *sizes)
                right, found = loaded.model.predict(loaded.encoders(some)), self(some)
                if any(float((right[name] - found[name]).abs().max()) > CLOSE for name in right):
                    raise RuntimeError(f"other probabilities than the model's for {sizes[0]} candidates")

    def __call__(self, raw: Batch) -> dict[str, Tensor]:
        """(n,) probabilities by task, of raw columns."""
        return dict(zip(self._program.tasks, self._call(*self._program.arguments(raw)), strict=True))


def traced(loaded: Loaded, raw: Batch) -> Loaded:
    """The model with its program, or as it is where it has none.

    Args:
        raw: see ``Traced``.
    """
    try:
        return replace(loaded, program=Traced(loaded, raw))
    except Exception as error:  # whatever tracing meets, the model itself goes on
        log.info("%s is asked layer by layer: %s", loaded.name, str(error).strip().splitlines()[:1])
        return loaded


def _cut(raw: Batch, count: int, clicks: int) -> dict[str, Column]:
    """The first candidates and clicks of a request."""
    return {
        name: Repeated(column.one[:clicks], count) if isinstance(column, Repeated) else tensor_of(column)[:count]
        for name, column in raw.items()
    }
