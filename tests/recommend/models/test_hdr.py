"""HDR: the correction, the retrieval, the block and the day's cycle, each beside what the paper says of it."""

from __future__ import annotations

import copy
import hashlib

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import torch

from recommend.config import ConfigError, ModelConfig, TrainConfig
from recommend.data.memory import MemoryStream
from recommend.data.schema import DAY_MS, table_files
from recommend.metrics.calibration import edges_of
from recommend.models.hdr import (
    HDR,
    RIPE,
    Correction,
    Rates,
    TransBlock,
    answers,
    correct,
    corrected_loss,
    fine_tune,
    nearest,
    prevalence,
)
from recommend.models.registry import build_model
from recommend.training import checkpoint
from recommend.training.runs import asked, load_run, plan, read_run, train_run
from tests.recommend.support import tiny
from tests.recommend.support.feed import write_log

SMALL = ModelConfig(name="hdr", embedding=8, attention=(16,), mlp=(24, 12), initial_std=0.1)


def fresh(rows: int = 512) -> tuple[HDR, dict]:
    sizes, data = tiny.encoded(rows)
    model = build_model(tiny.FEATURES, sizes, SMALL)
    assert isinstance(model, HDR)
    return model, data


def batches(data: dict, passes: int = 3) -> list[dict]:
    return [batch for number in range(passes) for batch in MemoryStream(data, 64, shuffle=number)]


def weights_hash(model: HDR) -> str:
    return hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.state_dict().values())).hexdigest()


# Distribution shift correction


@pytest.mark.parametrize("bins", [2, 10])
def test_the_correction_lies_between_truth_and_prior(bins: int) -> None:
    rng = np.random.default_rng(0)
    confusion = rng.dirichlet(np.ones(bins), size=2).T
    history = np.array([0.95, 0.05])
    for rate in (0.01, 0.05, 0.3):
        truth = np.array([1 - rate, rate])
        np.testing.assert_allclose(prevalence(confusion, confusion @ truth, 0.0, history), truth, atol=1e-9)
        np.testing.assert_allclose(prevalence(confusion, confusion @ truth, 1e9, history), history, atol=1e-6)


def test_the_closed_form_minimises_the_papers_objective() -> None:
    """Eq. 7 by a fine grid, on answers that no class shares explain; only the sum of p is free there as in eq. 14."""
    rng = np.random.default_rng(1)
    confusion, today, history = rng.dirichlet(np.ones(4), size=2).T, rng.dirichlet(np.ones(4)), np.array([0.9, 0.1])
    axis = np.linspace(0, 1.4, 701)
    p = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1)
    error = ((p @ confusion.T - today) ** 2).sum(-1) + 0.05 * ((p - history) ** 2).sum(-1)
    best = p[np.unravel_index(error.argmin(), error.shape)]
    np.testing.assert_allclose(prevalence(confusion, today, 0.05, history), best / best.sum(), atol=3e-3)


def test_a_label_shift_is_estimated_without_labels() -> None:
    """Within 5 % of the true rate (3 % of a ratio of 1), 600,000 clicks on each side, classes a deviation apart."""

    def clicks(rate: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        y = rng.random(600_000) < rate
        return 1 / (1 + np.exp(-(rng.normal(size=600_000) + y - 3.5))), y

    for history, today in ((0.02, 0.03), (0.08, 0.05), (0.05, 0.05)):
        rng = np.random.default_rng(2)
        (before, y), (now, true) = clicks(history, rng), clicks(today, rng)
        correction = correct(before, y, now, bins=10, strength=1e-6)
        assert correction.today == pytest.approx(true.mean(), rel=0.05)
        if history == today:
            assert correction.ratio == pytest.approx(1, abs=0.03)


def test_estimates_stay_inside_what_is_believed() -> None:
    history = np.array([0.9, 0.1])
    confusion = np.array([[0.6, 0.4], [0.4, 0.6]])
    assert prevalence(confusion, np.array([0.95, 0.05]), 0.0, history) == pytest.approx([1, 0])
    assert Correction(0.1, 0.0).ratio == pytest.approx(0.2)
    assert Correction(0.01, 0.9).ratio == pytest.approx(5.0)
    assert correct(np.array([0.1, 0.2]), np.zeros(2), np.array([0.3])) == Correction(0.0, 0.0)
    assert Correction(0.0, 0.0).ratio == 1
    scores = np.array([0.1, 0.1, 0.1, 0.5])
    edges = edges_of(scores, 10)
    assert (answers(scores, edges).argmax(1)[:3] == answers(scores, edges).argmax(1)[0]).all()
    assert (answers(scores, edges).sum(1) == 1).all()


def test_positives_alone_are_weighed() -> None:
    """Eq. 6, by hand."""
    logits, labels = torch.tensor([0.3, -1.0, 2.0, -0.2]), torch.tensor([1, 0, 1, 0])
    p = logits.sigmoid()
    expected = -(1.7 * (p[0].log() + p[2].log()) + (1 - p[1]).log() + (1 - p[3]).log()) / 4
    torch.testing.assert_close(corrected_loss(logits, labels, 1.7), expected)


# Retrieval


def test_the_most_similar_day_is_retrieved_first() -> None:
    rng = np.random.default_rng(5)
    rates, shares = rng.uniform(0.02, 0.1, (12, 3)), rng.dirichlet(np.ones(20), 12)
    today = [rates[7], shares[7]]
    assert nearest(today, [rates, shares], 3)[0] == 7
    permuted = shares.copy()
    permuted[7] = permuted[7][rng.permutation(20)]
    assert nearest([shares[7]], [permuted], 12)[0] != 7
    # Shares are a hundred times smaller than a rate would be in percent: units must not decide.
    np.testing.assert_array_equal(
        nearest(today, [rates, shares], 12), nearest([rates[7] * 100, shares[7]], [rates * 100, shares], 12)
    )


# The block


def test_a_block_of_zeros_changes_nothing() -> None:
    hidden, p = torch.randn(64, 12), torch.linspace(0.05, 0.6, 64)
    block = TransBlock(12)
    torch.testing.assert_close(block(hidden, p), p, rtol=0, atol=1e-7)
    with torch.no_grad():
        block.linear.bias.copy_(torch.tensor([0.3, 0.1]))
    moved = block(hidden, p)
    slope = moved.diff() / p.diff()
    torch.testing.assert_close(slope, slope[0].expand(63), rtol=1e-3, atol=1e-4)
    by_hand = p + (2 * torch.tensor(0.3).sigmoid() - 1) * (1 - p) + 0.1
    torch.testing.assert_close(moved, by_hand)


def test_what_is_cut_off_gives_no_gradient() -> None:
    block = TransBlock(4)
    with torch.no_grad():
        block.linear.bias.copy_(torch.tensor([0.0, -0.5]))
    for p, bound in ((0.1, 0.01), (0.9, 0.4)):
        block.zero_grad()
        out = block(torch.zeros(1, 4), torch.tensor([p]))
        out.sum().backward()
        assert float(out.detach()) == pytest.approx(bound)
        assert (block.linear.bias.grad[1] == 0) == (p == 0.1)
    with torch.no_grad():
        block.linear.bias.copy_(torch.tensor([0.0, 0.5]))
    assert float(block(torch.zeros(1, 4), torch.tensor([0.9])).detach()) == pytest.approx(0.99)


def test_a_fresh_model_is_its_production_part() -> None:
    model, data = fresh()
    plain = model.top(model.body(model.inputs(data))).squeeze(1).sigmoid()
    torch.testing.assert_close(model.predict(data)["click"], plain, rtol=1e-5, atol=1e-7)
    with pytest.raises(ConfigError, match="one label"):
        build_model(tiny.FEATURES.model_copy(update={"labels": ("click", "order")}), tiny.encoded(512)[0], SMALL)


def test_labels_still_coming_in_are_no_refusals() -> None:
    """Half of the conversions are in: the loss with ``ripe`` is least at the eventual rate, the plain one at half."""
    model, data = fresh(400)
    ordered = torch.arange(400) % 10 == 0  # 10 % now, 20 % in the end
    batch = {**data, "click": ordered}
    rates = torch.linspace(0.02, 0.5, 241)
    for ripe, best in ((None, 0.1), (0.5, 0.2)):
        extra = {} if ripe is None else {RIPE: torch.full((400,), ripe)}
        losses = [model.loss({"click": torch.logit(r).expand(400)}, batch | extra) for r in rates]
        assert rates[int(torch.stack(losses).argmin())] == pytest.approx(best, abs=0.003)


# Fine-tune, serve, discard


def test_the_block_learns_and_production_hardly_moves() -> None:
    model, data = fresh()
    rates = Rates()
    assert rates.block >= 100 * rates.net  # swapped, the production net would be relearned
    before = weights_hash(model)
    tuned = fine_tune(model, batches(data), rates, ratio=1.5)
    assert weights_hash(model) == before
    old, new = model.state_dict(), tuned.state_dict()

    def moved(names: list[str]) -> float:
        change, size = (
            sum(float(t[n].square().sum()) for n in names) for t in ({n: new[n] - old[n] for n in names}, new)
        )
        return (change / size) ** 0.5

    net, block = [n for n in old if not n.startswith(("block", "inputs"))], [n for n in old if n.startswith("block")]
    assert 0 < moved(net) < 0.01 * moved(block)
    assert all(torch.equal(new[n], old[n]) for n in old if n.startswith("inputs"))


# Training on a log


def trained(root, days: int = 24) -> tuple[HDR, HDR]:
    """The production part as its stage ended, and the model."""
    log = write_log(root / "log", days, {4: 1, 5: 1, 13: 2, 14: 2, days - 1: 3})
    model = ModelConfig(name="hdr", embedding=8, mlp=(16,), initial_std=0.01, layer_norm=False)
    config = TrainConfig(batch_rows=16, learning_rate=5e-3, table_rate=0.0, schedule="constant", warmup=0.0, threads=1)
    train_run(log, plan(log, model, config, ("order",), 2), root / "run")
    done, _, _ = load_run(root / "run", log)
    first = copy.deepcopy(done)
    checkpoint.load(root / "run" / "production" / checkpoint.NAME, first)
    return first, done


def test_the_block_alone_learns_of_earlier_promotions(tmp_path) -> None:
    first, done = trained(tmp_path)
    before, after = first.state_dict(), done.state_dict()
    assert {n for n in before if not torch.equal(before[n], after[n])} == {"block.linear.weight", "block.linear.bias"}
    ordinary, promoted = (
        torch.cat([m.predict(b)["order"] for b in training_clicks(tmp_path, done)]) for m in (first, done)
    )
    assert promoted.mean() > ordinary.mean() + 0.02
    assert not after["block.linear.weight"].isnan().any()


@pytest.mark.slow
def test_orders_after_the_training_days_change_nothing(tmp_path) -> None:
    """The last two days are held back, and so is what became known on them of earlier clicks."""
    weights = [m.state_dict() for m in trained(tmp_path / "whole")]
    log = tmp_path / "whole" / "log"
    for file in table_files(log, "order"):
        rows = pq.read_table(file)
        pq.write_table(rows.filter(pc.less(rows["time_ms"], 22 * DAY_MS)), file)
    (tmp_path / "whole" / "run").rename(tmp_path / "old")
    run = read_run(tmp_path / "old")
    train_run(log, run, tmp_path / "again")
    done, _, _ = load_run(tmp_path / "again", log)
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in done.state_dict().items())


def training_clicks(root, model: HDR) -> list[dict]:
    _, encode, split = load_run(root / "run", root / "log")
    return [encode(b) for b in asked(model, root / "log", split.train, model.features.columns)]
