"""CLID: which distillations leave the teacher's probabilities alone, what a student may read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from recommend.config import ConfigError, TrainConfig
from recommend.data.memory import list_stream
from recommend.data.ragged import Ragged, slice_batch
from recommend.features.encoders import Encoders
from recommend.losses.distillation import DISTILLATIONS, clid, clid_by_mass, lists_of
from recommend.losses.pointwise import bce
from recommend.metrics.ranks import auc
from recommend.models.clid import CLID, LIST, PRIVILEGED, TEACHER, Teacher
from recommend.training.trainer import train
from tests.recommend import tiny

P = torch.tensor([0.02, 0.05, 0.10, 0.30, 0.45], dtype=torch.float64)
ONE = torch.tensor([5])
SMALL = CLID.Config(embedding=8, attention=(16,), mlp=(24, 12), initial_std=0.1, privileged=2)
LOGGED = tiny.FEATURES.model_copy(update={"extra": (LIST, PRIVILEGED)})
TAUGHT = tiny.FEATURES.model_copy(update={"extra": (LIST, TEACHER)})


def slope(name: str, logits: torch.Tensor, teacher: torch.Tensor = P) -> torch.Tensor:
    """Gradient of a distillation of one list by the student's logits."""
    s = logits.clone().requires_grad_()
    return torch.autograd.grad(DISTILLATIONS[name](s, teacher, torch.tensor([len(s)])), s)[0]


def least(name: str, start: torch.Tensor, weight: float = 0.0) -> torch.Tensor:
    """Probabilities at the minimum of a distillation plus ``weight`` times the cross-entropy to the teacher."""
    s = start.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([s], max_iter=100, tolerance_grad=1e-9, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = DISTILLATIONS[name](s, P, ONE) + weight * functional.binary_cross_entropy_with_logits(s, P)
        loss.backward()
        return loss

    optimizer.step(closure)
    return s.detach().sigmoid()


@pytest.mark.parametrize("name", ["pointwise", "clid", "clid_by_mass", "listnet_odds"])
def test_compatible_losses_are_flat_at_the_teacher(name: str) -> None:
    assert slope(name, P.logit()).abs().max() < 1e-6


@pytest.mark.parametrize(("name", "at_least"), [("listnet", 0.08), ("listmle", 0.4)])
def test_other_list_losses_pull_away_from_the_teacher(name: str, at_least: float) -> None:
    assert slope(name, P.logit()).abs().max() > at_least


def test_listnet_of_probabilities_ends_at_their_logarithms() -> None:
    """Its minimum is s = log p + c, which is the teacher's logit only where all p are equal."""
    s = P.log() + 0.7
    assert slope("listnet", s).abs().max() < 1e-9
    assert (s.sigmoid() / P).max() / (s.sigmoid() / P).min() > 1.3
    even = torch.full((4,), 0.2, dtype=torch.float64)
    assert slope("listnet", even.logit(), even).abs().max() < 1e-9


def test_listmle_has_no_finite_minimum() -> None:
    order = torch.arange(5, dtype=torch.float64)
    losses = [float(DISTILLATIONS["listmle"](gap * order, P, ONE)) for gap in (1.0, 3.0, 9.0, 27.0)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 1e-9


def test_clid_cannot_see_the_scale_and_cross_entropy_pins_it() -> None:
    """Every multiple of the teacher is a minimum of CLID; of the sum with the cross-entropy only the teacher is."""
    ways = {c: float(clid((c * P).logit(), P, ONE)) for c in (0.5, 1.0, 2.0)}
    assert ways[0.5] == pytest.approx(ways[1.0], abs=1e-12)
    assert ways[2.0] == pytest.approx(ways[1.0], abs=1e-12)
    assert slope("clid", (2 * P).logit()).abs().max() < 1e-9
    assert slope("clid", (P + 0.05).logit()).abs().max() > 1e-3  # not a multiple
    entropy = -(P / P.sum() * (P / P.sum()).log()).sum()
    assert ways[1.0] == pytest.approx(float(entropy))  # Gibbs: nothing is below

    start = torch.tensor([-1.0, -2.0, -1.5, -3.0, -0.5], dtype=torch.float64)
    alone = least("clid", start) / P
    torch.testing.assert_close(alone, alone.mean().expand(5), rtol=1e-4, atol=0)
    assert abs(float(alone.mean()) - 1) > 0.1  # where it ends depends on where it starts
    torch.testing.assert_close(least("clid", start, 1.0), P, rtol=1e-4, atol=0)
    shifted = least("listnet", start, 1.0) / P
    assert shifted.max() / shifted.min() > 1.05  # with ListNet the cross-entropy does not get its minimum


def test_the_gradient_of_clid_is_the_papers() -> None:
    torch.manual_seed(0)
    s = torch.randn(5, dtype=torch.float64)
    p = s.sigmoid()
    torch.testing.assert_close(slope("clid", s), (1 - p) * (p / p.sum() - P / P.sum()))
    torch.testing.assert_close(slope("clid_by_mass", s), (1 - p) * (p / p.sum() * P.sum() - P))
    torch.testing.assert_close(slope("clid_by_rows", s), slope("clid_by_mass", s) / len(s))


def test_lists_are_lists_and_not_the_batch() -> None:
    """Moving rows to other lists changes the loss, listing them in another order does not; single rows do not count."""
    torch.manual_seed(0)
    s, p, ids = torch.randn(12), torch.rand(12), torch.arange(12) // 4

    def of(ids: torch.Tensor) -> float:
        order, lengths = lists_of(ids)
        return float(clid(s[order], p[order], lengths))

    assert lists_of(ids)[1].tolist() == [4, 4, 4]
    expected = [
        -(p[i] / p[i].sum() * (s[i].sigmoid() / s[i].sigmoid().sum()).log()).sum() for i in torch.arange(12).split(4)
    ]
    assert of(ids) == pytest.approx(float(sum(expected) / 3), rel=1e-5)
    moved = ids[torch.randperm(12)]
    assert abs(of(moved) - of(ids)) > 1e-3
    shuffle = torch.randperm(12)
    order, lengths = lists_of(ids[shuffle])
    assert float(clid(s[shuffle][order], p[shuffle][order], lengths)) == pytest.approx(of(ids), rel=1e-5)
    assert of(torch.arange(12)) == 0
    extra = torch.cat([ids, torch.tensor([9])])
    order, lengths = lists_of(extra)
    more, taught_batch = torch.cat([s, torch.tensor([1.0])]), torch.cat([p, torch.tensor([0.5])])
    assert float(clid(more[order], taught_batch[order], lengths)) == pytest.approx(of(ids), rel=1e-5)


def test_a_student_who_knows_less_is_biased_unless_lists_count_by_their_mass() -> None:
    """Three things, each with one logit; what only the teacher knows moves their logits, by 0.2, 1 and 2.5.

    With the cross-entropy added, CLID ends away from the mean of p; weighted by the lists' mass it ends there.
    """
    rng = torch.Generator().manual_seed(0)
    noise = torch.randn(4_000, 3, generator=rng, dtype=torch.float64) * torch.tensor([0.2, 1.0, 2.5])
    teacher = (torch.tensor([-2.0, -2.0, -2.0]) + noise).sigmoid()
    mean, lengths = teacher.mean(0), torch.full((4_000,), 3)

    def ends(loss: object) -> torch.Tensor:
        s = torch.full((3,), -1.0, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.LBFGS([s], max_iter=60, line_search_fn="strong_wolfe")

        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            logits = s.expand(4_000, 3).reshape(-1)
            total = loss(logits, teacher.reshape(-1), lengths)  # type: ignore[operator]
            total = total + functional.binary_cross_entropy_with_logits(logits, teacher.reshape(-1))
            total.backward()
            return total

        optimizer.step(closure)
        return s.detach().sigmoid() / mean

    vanilla, weighted = ends(clid), ends(clid_by_mass)
    assert (vanilla - 1).abs().max() > 0.1
    torch.testing.assert_close(weighted, torch.ones(3, dtype=torch.float64), atol=2e-3, rtol=0)


def prepared(rows: int = 2_048) -> tuple[Encoders, dict]:
    """The tiny log with pages of eight rows, and two privileged numbers of which the first tells of the click."""
    data = tiny.columns(rows)
    rng = torch.Generator().manual_seed(1)
    signal = torch.randn(rows, 2, generator=rng) + torch.stack([data["click"].float(), torch.zeros(rows)], 1)
    data |= {LIST: torch.arange(rows) // 8, PRIVILEGED: Ragged(signal.reshape(-1), torch.full((rows,), 2))}
    encoders = Encoders.fit(LOGGED, [data])
    return encoders, encoders(data)


def test_what_serves_never_reads_what_is_known_afterwards() -> None:
    """Another page's privileged numbers, or none at all, give the same predictions."""
    encoders, data = prepared(512)
    served = CLID(LOGGED, encoders.sizes(), SMALL)
    train(served, list_stream(data, batch_rows=128), TrainConfig(threads=1))
    p = served.predict(data)
    assert set(p) == {"click"}
    mixed = data[PRIVILEGED].select(torch.randperm(512))
    assert torch.equal(p["click"], served.predict({**data, PRIVILEGED: mixed})["click"])
    assert torch.equal(p["click"], served.predict({n: c for n, c in data.items() if n != PRIVILEGED})["click"])


def test_a_teacher_knows_more_and_its_probabilities_get_no_gradient() -> None:
    encoders, data = prepared(5_120)
    held, learned = slice_batch(data, 4_096, 5_120), slice_batch(data, 0, 4_096)
    auc_of = {}
    for model in (Teacher, CLID):
        net = model(LOGGED, encoders.sizes(), SMALL)
        train(net, list_stream(learned, batch_rows=128), TrainConfig(epochs=6, learning_rate=0.01, threads=1))
        auc_of[model] = auc(held["click"], net.predict(held)["click"])
    assert auc_of[Teacher] > auc_of[CLID] + 0.05
    assert auc_of[CLID] > 0.55

    student = CLID(TAUGHT, encoders.sizes(), SMALL)
    assert student.teacher is None
    taught_batch = torch.full((5_120,), 0.3, requires_grad=True)
    batch = {**data, TEACHER: taught_batch}
    student.loss(student(batch), batch).backward()
    assert taught_batch.grad is None
    along = CLID(LOGGED, encoders.sizes(), SMALL.changed(["alpha=0"]))
    logits = along(data)
    logits[TEACHER].retain_grad()
    along.loss(logits, data).backward()
    expected = (logits[TEACHER].sigmoid() - data["click"].float()).detach() / 5_120  # of its own cross-entropy alone
    torch.testing.assert_close(logits[TEACHER].grad, expected, atol=1e-8, rtol=1e-4)


@pytest.mark.parametrize("name", list(DISTILLATIONS))
def test_the_students_loss_is_the_distillation_of_each_page(name: str) -> None:
    """With rows in any order and pages of several sizes; page by page, as the equations are written."""
    encoders, data = prepared(256)
    drawn = torch.Generator().manual_seed(0)
    chosen = torch.randperm(256, generator=drawn)[:200]
    batch = {**data, TEACHER: torch.rand(256, generator=drawn) * 0.5}
    batch = {n: c.select(chosen) if isinstance(c, Ragged) else c[chosen] for n, c in batch.items()}
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


def test_a_taught_student_reads_neither_its_teacher_nor_what_is_known_afterwards() -> None:
    """In training either: only the loss hears the teacher."""
    encoders, data = prepared(256)
    student = CLID(TAUGHT, encoders.sizes(), SMALL)
    taught_batch = {**data, TEACHER: torch.rand(256)}
    other = {**taught_batch, TEACHER: torch.rand(256), PRIVILEGED: data[PRIVILEGED].select(torch.randperm(256))}
    for mode in (student.train(), student.eval()):
        assert torch.equal(mode(taught_batch)["click"], mode(other)["click"])
    assert torch.equal(student.predict(taught_batch)["click"], student.predict({**data})["click"])
    assert not torch.equal(student.loss(student(taught_batch), taught_batch), student.loss(student(other), other))


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
