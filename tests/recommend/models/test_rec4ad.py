"""Rec4Ad: its parts beside their equations, what each must and must not see."""

from __future__ import annotations

import dataclasses
from functools import cache
from itertools import product

import numpy as np
import pytest
import torch

from recommend.config import ModelConfig, TrainConfig
from recommend.data.memory import MemoryStream
from recommend.features.feature_map import Feature, FeatureMap, impression_map
from recommend.metrics.ranks import auc
from recommend.models.rec4ad import ADS, ORGANIC, WIDTHS, Parts, Rec4Ad, alignment, correlation, mmd
from recommend.models.run_config import RunConfig
from recommend.training.trainer import train
from tests.recommend.support import tiny

SMALL = ModelConfig(embedding=8, attention=(8,), mlp=(16, 8), initial_std=0.1, experts=2)
DIMS = 10
TOY = FeatureMap(features=(Feature(column="content", role="target", kind="vector", size=DIMS),), group="user_id")
TOY_MODEL = ModelConfig(mlp=(32, 8), activation="relu", layer_norm=False)
TOY_TRAIN = TrainConfig(epochs=4, learning_rate=4e-3, table_rate=0.0, schedule="constant", warmup=0.0, threads=1)


def two_systems(rows: int, seed: int = 0) -> dict[str, torch.Tensor]:
    """Ads are chosen by features 0-3, organic rows by 2-5, and features 6-9 say which system it was.

    Clicks follow features 0-5, organic ones a little more often.
    """
    rng = np.random.default_rng(seed)
    w = np.random.default_rng(99).normal(size=DIMS) * (np.arange(DIMS) < 6)
    parts = []
    for system, visible in ((ADS, slice(0, 4)), (ORGANIC, slice(2, 6))):
        x = rng.normal(size=(rows * 3, DIMS)).astype(np.float32)
        guess = x[:, visible] @ w[visible] + rng.normal(size=len(x))
        x = x[np.argsort(-guess)[:rows]]
        x[:, 6:] += np.float32(0.5 if system == ADS else -0.5)
        odds = -2 + x @ w + 0.6 * (system == ORGANIC)
        click = rng.random(rows) < 1 / (1 + np.exp(-odds))
        parts.append({"content": x, "click": click, "system": np.full(rows, system)})
    order = rng.permutation(2 * rows)
    whole = {n: torch.from_numpy(np.concatenate([p[n] for p in parts])[order]) for n in parts[0]}
    return {**whole, "user_id": torch.zeros(2 * rows, dtype=torch.int64)}


ALIGNED = 9.0  # what the toy needs, whose features 6-9 name the system: the recipe's 0.1 leaves a probe of 0.78


def probe(z: torch.Tensor, system: torch.Tensor) -> float:
    """Held-out AUC of a linear guess of the system, fitted on one half of the rows."""
    x = torch.cat([z, torch.ones(len(z), 1)], 1).double()
    half = len(x) // 2
    w = torch.linalg.lstsq(x[:half], system[:half, None].double() * 2 - 1, driver="gelsd").solution
    return auc(system[half:], (x[half:] @ w).squeeze(1).detach())


def tiny_model(parts: Parts | None = None) -> tuple[Rec4Ad, dict]:
    sizes, rows = tiny.encoded(400)
    torch.manual_seed(3)
    rows |= {"system": torch.arange(400) % 2, "log_bid": torch.randn(400)}
    return Rec4Ad(tiny.FEATURES, sizes, SMALL, parts=parts or Parts(signals=("log_bid",))), rows


def of_branches(model: Rec4Ad, rows: dict) -> list[list[torch.Tensor]]:
    """Gradients of the whole loss, every term at full weight, on each branch's parameters."""
    model.zero_grad()
    model.steps.fill_(model.parts.warm_steps)
    model.loss(model(rows), rows).backward()
    return [[torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in b.parameters()] for b in model.branches]


@pytest.mark.parametrize("system", [ADS, ORGANIC])
def test_a_branch_hears_of_its_system_alone(system: int) -> None:
    """Other clicks of one system's rows change what its own branch learns, and nothing of the other's."""
    model, rows = tiny_model()
    mine = rows["system"] == system
    other = {**rows, "click": torch.where(mine, ~rows["click"].bool(), rows["click"].bool())}
    before, after = of_branches(model, rows), of_branches(model, other)
    assert all(p.grad.abs().sum() > 0 for p in model.shared.parameters())
    for number, (first, second) in enumerate(zip(before, after, strict=True)):
        assert all(bool(g.abs().sum() > 0) for g in first)
        assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True)) is (number != system)


def test_ads_are_served_without_anything_organic() -> None:
    model, rows = tiny_model()
    before = model.predict(rows)["click"]
    with torch.no_grad():
        for p in model.branches[ORGANIC].parameters():
            p.copy_(torch.randn_like(p) * 9)
    assert torch.equal(model.predict(rows)["click"], before)
    model.branches[ORGANIC] = torch.nn.Module()  # it is not even called
    assert torch.equal(model.predict(rows)["click"], before)
    del rows["system"]
    assert torch.equal(model.predict(rows)["click"], before)


def test_fields_of_ads_miss_the_invariant_part() -> None:
    model, rows = tiny_model()
    other = {**rows, "log_bid": rows["log_bid"] + 5}
    assert torch.equal(model.encoded(rows)[1], model.encoded(other)[1])
    assert not torch.equal(model(rows)["click"], model(other)["click"])


def test_the_gate_and_the_head_follow_their_equations() -> None:
    model, rows = tiny_model()
    h, invariant = model.encoded(rows)
    branch = model.branches[ADS]
    specific = branch.encode(h)
    gate = (torch.cat([invariant, specific], 1) @ branch.gate.weight.T + branch.gate.bias).sigmoid()
    expected = branch.head(torch.cat([invariant, gate * specific], 1)).squeeze(1)
    ads = rows["system"] == ADS
    torch.testing.assert_close(model(rows)["click"][ads], expected[ads])


def test_a_residual_branch_begins_with_what_is_shared() -> None:
    model, rows = tiny_model(Parts(by_rows=True, residual=True, rationale=0.0001, align=0.0, decorrelate=0.0))
    _, invariant = model.encoded(rows)
    logits = model(rows)
    torch.testing.assert_close(logits["click"], model.common(invariant))
    served = model.predict(rows)["click"]
    torch.testing.assert_close(served, model.common(model.encoded(rows)[1]).detach().sigmoid())
    click, uneven = rows["click"], rows | {"system": (torch.arange(len(rows["click"])) % 5 > 0).long()}
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(model(uneven)["click"], click.float())
    assert float(model.loss(model(uneven), uneven)) == pytest.approx(float(entropy), rel=1e-3)
    by_system, _ = tiny_model(Parts(rationale=0.0, align=0.0, decorrelate=0.0))
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(by_system(uneven)["click"], click.float())
    assert float(by_system.loss(by_system(uneven), uneven)) > 1.5 * float(entropy)  # a mean for each system
    model.start_at({"click": 0.2})
    assert model.told is not None
    assert float(model.told.layers[-1].bias.detach()) == pytest.approx(float(torch.tensor(0.2).logit()))


def test_mmd_follows_its_definition() -> None:
    torch.manual_seed(0)
    a, b = torch.randn(7, 3), torch.randn(5, 3) + 1
    both = torch.cat([a, b])
    scale = torch.cdist(both, both).square().mean()

    def kernel(x: torch.Tensor, y: torch.Tensor) -> float:
        return float(torch.stack([(-(x - y).square().sum() / (scale * w)).exp() for w in WIDTHS]).mean())

    def mean(x: torch.Tensor, y: torch.Tensor, same: bool) -> float:
        pairs = [kernel(x[i], y[j]) for i, j in product(range(len(x)), range(len(y))) if not (same and i == j)]
        return float(np.mean(pairs))

    assert mmd(a, b).item() == pytest.approx(mean(a, a, True) + mean(b, b, True) - 2 * mean(a, b, False), abs=1e-5)
    assert mmd(a, b[:1]).item() == 0
    many = [float(mmd(torch.randn(40, 3), torch.randn(40, 3))) for _ in range(60)]
    assert abs(np.mean(many)) < 0.01  # unbiased: 0 for one law
    assert mmd(torch.randn(200, 3), torch.randn(200, 3) + 1) > 0.1


def test_correlations_are_those_of_numpy() -> None:
    torch.manual_seed(0)
    a, b = torch.randn(50, 3), torch.randn(50, 4)
    expected = np.corrcoef(a.numpy().T, b.numpy().T)[:3, 3:]
    np.testing.assert_allclose(correlation(a, b).numpy(), expected, atol=1e-3)


def test_alignment_compares_rows_of_the_same_click() -> None:
    """Given the click there is nothing to align here, though both systems' rows differ by their click rates."""
    torch.manual_seed(0)
    click, organic = torch.rand(2_000) < 0.5, torch.arange(2_000) % 2 == 1
    click = torch.where(organic, torch.rand(2_000) < 0.6, torch.rand(2_000) < 0.2)
    z = torch.randn(2_000, 8) + 2 * click[:, None]
    assert float(alignment(z, click, organic)) < 0.01
    assert float(mmd(z[~organic], z[organic])) > 0.03


@cache
def learned(align: float = Parts().align, decorrelate: float = Parts().decorrelate) -> Rec4Ad:
    """A model of the toy with the verdict's weights or others."""
    torch.manual_seed(0)
    model = Rec4Ad(TOY, {}, TOY_MODEL, parts=dataclasses.replace(Parts(), align=align, decorrelate=decorrelate))
    train(model, MemoryStream(two_systems(12_000), 512), TOY_TRAIN)
    return model.eval()


def test_the_own_part_alone_tells_the_system() -> None:
    rows, model, without = two_systems(4_000, seed=1), learned(ALIGNED), learned(0.0)
    with torch.no_grad():
        h, invariant = model.encoded(rows)
        own, plain = model.branches[ADS](h, invariant)[1], without.encoded(rows)[1]
    assert probe(invariant, rows["system"]) <= 0.6
    assert probe(own, rows["system"]) >= 0.85
    assert probe(plain, rows["system"]) > 0.8
    # It did not collapse to get there: alone it still tells clicks, on rows that the guess was not fitted on.
    assert probe(invariant, rows["click"]) > 0.65


@pytest.mark.slow
def test_decorrelation_parts_invariant_and_own() -> None:
    rows = two_systems(4_000, seed=1)

    @torch.no_grad()
    def between(model: Rec4Ad) -> float:
        out, ads = model(rows), rows["system"] == ADS
        return np.mean([float(correlation(out["invariant"][at], out["own"][at]).abs().mean()) for at in (ads, ~ads)])

    assert between(learned()) < 0.05
    assert between(learned(decorrelate=0.0)) > 0.4


def test_training_reads_neither_the_channel_nor_the_bid() -> None:
    facts = {"labels": ("click",), "content": 16, "history": 20, "min_count": 2}
    days = {"train_days": (0, 1), "test_days": (2, 3)}
    run = RunConfig(model=ModelConfig(name="rec4ad"), train=TrainConfig(), **facts, **days)
    features = Rec4Ad.reads(impression_map(content=16), run)
    every = {f.column for f in impression_map(content=16).features}
    assert {f.column for f in features.features} == every - {"channel"}
    assert not any("bid" in name for name in features.columns)
