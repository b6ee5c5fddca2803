"""Models with their encoders as programs for one visitor's request: a call runs from raw columns to probabilities
without returning to Python between two steps, and without its lock, so that two pages are computed on two cores.

A program is traced (TorchScript) when a model is loaded, and compared with the model on other sizes than those it was
traced with. A model that cannot be traced, or then says anything else, is asked layer by layer.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from recommend.cascade.registry import Loaded
from recommend.data.ragged import Batch, Column, Repeated, tensor_of
from recommend.models.baselines.two_tower import TwoTower

log = logging.getLogger(__name__)
CLOSE = 1e-5  # of a probability
SIZES = ((64, 8), (2, 0), (7, 3), (33, 1), (5, 64))  # candidates and clicks: traced with the first, compared on all
Call = Callable[..., tuple[Tensor, ...]]


class Program(nn.Module):
    """Encoders and model over plain tensors: the columns (n, ...) of the candidates, then histories (length, ...)."""

    def __init__(self, loaded: Loaded) -> None:
        super().__init__()
        self.model, self.encoders = loaded.model, loaded.encoders
        features = loaded.encoders.features.features
        self.plain = [f.column for f in features if f.role != "history" and not f.derived]
        self.past = [f.column for f in features if f.role == "history"]
        self.tasks: tuple[str, ...] = ()

    def arguments(self, raw: Batch) -> tuple[Tensor, ...]:
        """Its arguments, of a request's raw columns."""
        past = [column.one for name in self.past if isinstance(column := raw[name], Repeated)]
        return (*(tensor_of(raw[name]) for name in self.plain), *past)

    def batch(self, inputs: tuple[Tensor, ...]) -> dict[str, Column]:
        """The encoded columns of its arguments."""
        raw: dict[str, Column] = dict(zip(self.plain, inputs, strict=False))
        count = inputs[0].shape[0]
        raw |= {name: Repeated(one, count) for name, one in zip(self.past, inputs[len(self.plain) :], strict=True)}
        return self.encoders(raw)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """(n,) probabilities of ``tasks``."""
        answers = self.model.predicted(self.batch(inputs))
        self.tasks = tuple(answers)
        return tuple(answers.values())


class PreRanking(Program):
    """A two-tower model on (m, tower) vectors of items and the columns of one of them for the visitor."""

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """(m,) click probabilities, and what things are ordered by; float64."""
        model, items = cast(TwoTower, self.model), inputs[0]
        user = model.user_vector(model.inputs(self.batch(inputs[1:])))
        p = (model.scale * (items @ user[0]) + model.bias).double().sigmoid()
        return p, p * model.factor(user.expand_as(items), items).double()


@torch.inference_mode()
def compiled(program: Program, cases: list[tuple[Tensor, ...]]) -> Call:
    """The program traced on the first case; as it is where it cannot be, or where any case shows another result."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of constants: what they change is seen below
            traced = torch.jit.freeze(torch.jit.trace(program.eval(), cases[0], check_trace=False))
            for case in cases:
                for right, answer in zip(program(*case), traced(*case), strict=True):
                    torch.testing.assert_close(answer, right, atol=CLOSE, rtol=0)
        return cast(Call, traced)
    except Exception as error:  # whatever tracing meets, the model itself goes on
        log.warning("%s is asked layer by layer: %s", type(program.model).__name__, str(error).strip()[:200])
        return program


def with_program(loaded: Loaded, raw: Batch) -> Loaded:
    """A model with its program.

    Args:
        raw: columns of a made-up request, of candidates and clicks as many as the first of ``SIZES``.
    """
    program = Program(loaded)
    call = compiled(program, [program.arguments(_cut(raw, *sizes)) for sizes in SIZES])

    def ask(raw: Batch) -> Mapping[str, Tensor]:
        return dict(zip(program.tasks, call(*program.arguments(raw)), strict=True))

    return replace(loaded, program=ask)


def pre_ranking(loaded: Loaded, raw: Batch) -> Callable[[Tensor, Batch], tuple[Tensor, ...]]:
    """``PreRanking`` of a model, to be called with vectors and the raw columns of one thing.

    Args:
        raw: see ``with_program``.
    """
    program = PreRanking(loaded)
    items = torch.nn.functional.normalize(
        torch.arange(1.0, 1 + 64 * loaded.model.config.tower).sin().view(64, -1), dim=1
    )
    cases = [(items[:count], *program.arguments(_cut(raw, 1, clicks))) for count, clicks in SIZES]
    call = compiled(program, cases)
    return lambda vectors, one: call(vectors, *program.arguments(one))


def _cut(raw: Batch, count: int, clicks: int) -> dict[str, Column]:
    """The first candidates and clicks of a request; clicks anew from the first where there are fewer."""
    cut: dict[str, Column] = {}
    for name, column in raw.items():
        if isinstance(column, Repeated):
            past = column.one  # none of what this visitor never had
            cut[name] = Repeated(past[torch.arange(clicks) % len(past)] if len(past) else past, count)
        else:
            cut[name] = tensor_of(column)[:count]
    return cut
