"""CLID: which distillations leave the teacher's probabilities alone, what a student may read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from recommend.config import ConfigError, TrainConfig
from recommend.data.memory import list_stream
from recommend.data.ragged import Batch, Ragged, select_batch
from recommend.features.encoders import Encoders
from recommend.losses.distillation import DISTILLATIONS
from recommend.losses.pointwise import bce
from recommend.models.clid import CLID, LIST, PRIVILEGED, TEACHER, Teacher
from recommend.training.trainer import train
from tests.recommend.support import tiny

P = torch.tensor([0.02, 0.05, 0.10, 0.30, 0.45], dtype=torch.float64)
SMALL = CLID.Config(embedding=8, attention=(16,), mlp=(24, 12), initial_std=0.1, privileged=2)
LOGGED = tiny.FEATURES.model_copy(update={"extra": (LIST, PRIVILEGED)})
TAUGHT = tiny.FEATURES.model_copy(update={"extra": (LIST, TEACHER)})


def loss_of(name: str, logits: torch.Tensor, teacher: torch.Tensor = P) -> torch.Tensor:
    """A distillation of one list."""
    return DISTILLATIONS[name](logits, teacher, torch.tensor([len(logits)]))


def slope(name: str, logits: torch.Tensor, teacher: torch.Tensor = P) -> torch.Tensor:
    """Its gradient by the student's logits."""
    s = logits.clone().requires_grad_()
    return torch.autograd.grad(loss_of(name, s, teacher), s)[0]


def test_compatible_losses_are_flat_at_the_teacher() -> None:
    for name in ("pointwise", "clid", "clid_by_mass", "clid_by_rows"):
        assert slope(name, P.logit()).abs().max() < 1e-6, name


def test_clid_cannot_see_the_scale() -> None:
    """Every multiple of the teacher is a minimum of CLID; cross-entropy beside it is flat at the teacher alone."""
    ways = [float(loss_of("clid", (c * P).logit())) for c in (0.5, 1.0, 2.0)]
    assert ways == pytest.approx([ways[1]] * 3, abs=1e-12)
    assert slope("clid", (2 * P).logit()).abs().max() < 1e-9
    assert slope("clid", (P + 0.05).logit()).abs().max() > 1e-3  # not a multiple
    share = P / P.sum()
    assert ways[1] == pytest.approx(float(-(share * share.log()).sum()))  # Gibbs: nothing is below
    assert slope("pointwise", (2 * P).logit()).abs().max() > 1e-2


def test_clid_and_its_gradient_are_the_papers() -> None:
    torch.manual_seed(0)
    s = torch.randn(5, dtype=torch.float64)
    p = s.sigmoid()
    torch.testing.assert_close(loss_of("clid", s), -(P / P.sum() * (p / p.sum()).log()).sum())
    torch.testing.assert_close(slope("clid", s), (1 - p) * (p / p.sum() - P / P.sum()))
    torch.testing.assert_close(slope("clid_by_mass", s), (1 - p) * (p / p.sum() * P.sum() - P))
    torch.testing.assert_close(slope("clid_by_rows", s), slope("clid_by_mass", s) / len(s))


def test_lists_by_mass_do_not_bias_the_student() -> None:
    """Three things, each with one logit; what only the teacher knows moves their logits, by 0.2, 1 and 2.5.

    At the means of the teacher's probabilities CLID pulls on; weighted by the lists' mass it is at rest.
    """
    rng = torch.Generator().manual_seed(0)
    noise = torch.randn(4_000, 3, generator=rng, dtype=torch.float64) * torch.tensor([0.2, 1.0, 2.5])
    teacher, lengths, pulls = (noise - 2).sigmoid(), torch.full((4_000,), 3), {}
    for name in ("clid", "clid_by_mass"):
        s = teacher.mean(0).logit().requires_grad_()
        loss = DISTILLATIONS[name](s.expand(4_000, 3).reshape(-1), teacher.reshape(-1), lengths)
        pulls[name] = float(torch.autograd.grad(loss, s)[0].abs().max())
    assert pulls["clid_by_mass"] < 1e-9
    assert pulls["clid"] > 0.01


def prepared(rows: int = 2_048) -> tuple[Encoders, Batch]:
    """The tiny log with pages of eight rows, and two privileged numbers of which the first tells of the click."""
    data = tiny.columns(rows)
    rng = torch.Generator().manual_seed(1)
    signal = torch.randn(rows, 2, generator=rng) + torch.stack([data["click"].float(), torch.zeros(rows)], 1)
    data |= {LIST: torch.arange(rows) // 8, PRIVILEGED: Ragged(signal.reshape(-1), torch.full((rows,), 2))}
    encoders = Encoders.fit(LOGGED, [data])
    return encoders, encoders(data)


def test_students_read_nothing_that_is_known_afterwards() -> None:
    """Another page's privileged numbers, another teacher's probabilities, or none at all, predict the same."""
    encoders, data = prepared(512)
    served = CLID(LOGGED, encoders.sizes(), SMALL)
    train(served, list_stream(data, batch_rows=128), TrainConfig(threads=1))
    p = served.predict(data)
    assert set(p) == {"click"}
    mixed = data[PRIVILEGED].select(torch.randperm(512))
    assert torch.equal(p["click"], served.predict({**data, PRIVILEGED: mixed})["click"])
    assert torch.equal(p["click"], served.predict({n: c for n, c in data.items() if n != PRIVILEGED})["click"])

    student = CLID(TAUGHT, encoders.sizes(), SMALL)
    taught = {**data, TEACHER: torch.rand(512)}
    other = {**taught, TEACHER: torch.rand(512), PRIVILEGED: mixed}
    for mode in (student.train(), student.eval()):  # in training only the loss hears the teacher
        assert torch.equal(mode(taught)["click"], mode(other)["click"])
    assert torch.equal(student.predict(taught)["click"], student.predict(data)["click"])
    assert not torch.equal(student.loss(student(taught), taught), student.loss(student(other), other))


def test_a_teacher_knows_more_and_gets_no_gradient() -> None:
    encoders, data = prepared(512)
    other = {**data, PRIVILEGED: data[PRIVILEGED].select(torch.randperm(512))}
    teacher = Teacher(LOGGED, encoders.sizes(), SMALL)
    assert not torch.equal(teacher.predict(data)["click"], teacher.predict(other)["click"])

    student = CLID(TAUGHT, encoders.sizes(), SMALL)
    assert student.teacher is None
    batch = {**data, TEACHER: torch.full((512,), 0.3, requires_grad=True)}
    student.loss(student(batch), batch).backward()
    assert batch[TEACHER].grad is None
    along = CLID(LOGGED, encoders.sizes(), SMALL.changed(["alpha=0"]))
    logits = along(data)
    logits[TEACHER].retain_grad()
    along.loss(logits, data).backward()
    expected = (logits[TEACHER].sigmoid() - data["click"].float()).detach() / 512  # of its own cross-entropy alone
    torch.testing.assert_close(logits[TEACHER].grad, expected, atol=1e-8, rtol=1e-4)


@pytest.mark.parametrize("name", list(DISTILLATIONS))
def test_the_students_loss_is_that_of_each_page(name: str) -> None:
    """With rows in any order and pages of several sizes; page by page, as the equations are written."""
    encoders, data = prepared(256)
    drawn = torch.Generator().manual_seed(0)
    chosen = torch.randperm(256, generator=drawn)[:200]
    batch = {**data, TEACHER: torch.rand(256, generator=drawn) * 0.5}
    batch = select_batch(batch, chosen)
    student = CLID(TAUGHT, encoders.sizes(), SMALL.changed(["alpha=0", f"distillation={name}"]))
    logits = student(batch)
    each = []
    for page in batch[LIST].unique():
        rows = (batch[LIST] == page).nonzero().ravel()
        one = DISTILLATIONS[name](logits["click"][rows], batch[TEACHER][rows], torch.tensor([len(rows)]))
        each.append((float(one.detach()), len(rows)))
    sizes = np.array([n for _, n in each])
    assert len(set(sizes.tolist())) > 2
    # Rows count alike in two of them, lists of two or more elsewhere.
    weight = sizes if name in ("pointwise", "clid_by_rows") else sizes > 1
    expected = np.average([v for v, _ in each], weights=weight)
    assert float(student.loss(logits, batch).detach()) == pytest.approx(expected, rel=1e-5)


def test_alpha_weighs_clicks_against_the_teacher() -> None:
    encoders, data = prepared(256)
    batch = {**data, TEACHER: torch.rand(256, generator=torch.Generator().manual_seed(0))}
    parts = {}
    for alpha in (0.0, 0.25, 1.0):
        torch.manual_seed(0)
        student = CLID(TAUGHT, encoders.sizes(), SMALL.changed([f"alpha={alpha}"]))
        logits = student(batch)
        parts[alpha] = float(student.loss(logits, batch).detach())
    assert parts[1.0] == pytest.approx(float(bce(logits["click"], data["click"]).detach()), rel=1e-6)
    assert parts[0.25] == pytest.approx(0.25 * parts[1.0] + 0.75 * parts[0.0], rel=1e-5)
    with pytest.raises(ConfigError, match="from 0 to 1"):
        CLID(TAUGHT, encoders.sizes(), SMALL.changed(["alpha=1.5"]))
    with pytest.raises(ConfigError, match="no distillation 'clib'; did you mean 'clid'"):
        CLID(TAUGHT, encoders.sizes(), SMALL.changed(["distillation=clib"]))
    with pytest.raises(ConfigError, match="one label"):
        CLID(TAUGHT.model_copy(update={"labels": ("click", "order")}), encoders.sizes(), SMALL)


def test_batches_hold_whole_lists() -> None:
    lengths = torch.tensor([3, 1, 4, 9, 2, 2, 2])
    data = {LIST: torch.arange(7).repeat_interleave(lengths), "row": torch.arange(23)}
    data["h"] = Ragged(torch.arange(23), torch.ones(23, dtype=torch.int64))
    stream = list_stream(data, batch_rows=6)
    got = [b["row"].tolist() for b, _ in stream.with_positions()]
    assert [len(b) for b in got] == [4, 4, 9, 6]
    assert [row for batch in got for row in batch] == list(range(23))
    assert stream.rows() == 23
    after = [place for _, place in stream.with_positions()]
    rest = replace(stream, start=after[1])
    assert [b["row"].tolist() for b, _ in rest.with_positions()] == got[2:]
    assert list(list_stream({LIST: torch.empty(0)}, batch_rows=6).with_positions()) == []
