"""ECAD: only settled labels, each once; the future never trains; the truth is found."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from recommend.config import TrainConfig
from recommend.data.delayed_labels import NEVER, ClickLog, ObservedClicks, Samples
from recommend.data.oracle import OracleSealed, open_oracle
from recommend.data.ragged import select_batch
from recommend.data.schema import DAY_MS
from recommend.features.encoders import Encoders
from recommend.features.feature_map import FeatureMap
from recommend.models.ecad import ECAD, TIMES, bce_of_log, heads, log_complement, ripened
from recommend.research.studies import ecad_baselines as delayed
from recommend.research.studies.streaming import settled, stream
from recommend.research.world import write_world
from tests.recommend.support import tiny

torch.set_num_threads(1)  # small tensors: a second thread only waits
FEATURES = FeatureMap(features=tiny.FEATURES.features, labels=("order", "refund"))
SETTLED = {"order_edges": (3.0,), "refund_edges": (6.0,)}  # one window each
SMALL = ECAD.Config(embedding=4, attention=(8,), mlp=(16, 8), initial_std=0.1, **SETTLED)
WINDOWS = {"order_edges": (0.25, 1.0, 3.0), "refund_edges": (1.0, 3.0, 6.0)}
P_V, P_R = 0.4, 0.3
DAYS = 12


def log_of(rows: int = 1_500, seed: int = 0, days: int = DAYS) -> ClickLog:
    """Clicks at random moments; orders and refunds with exponential delays, some of them beyond their windows."""
    rng = np.random.default_rng(seed)
    data = tiny.columns(rows, seed)
    columns = Encoders.fit(FEATURES, [data])(data)
    click = np.sort(rng.integers(0, days * DAY_MS, rows))
    order = click + (rng.exponential(14, rows) * DAY_MS / 24).astype(np.int64)
    refund = order + (rng.exponential(20, rows) * DAY_MS / 24).astype(np.int64)
    bought = rng.random(rows) < P_V
    back = bought & (rng.random(rows) < P_R)
    moments = (click, np.where(bought, order, NEVER), np.where(back, refund, NEVER))
    inputs = {f.column: columns[f.column] for f in FEATURES.features}
    return ClickLog(inputs, *(torch.from_numpy(m) for m in moments))


LOG = log_of()
SIZES = {"user_id": 31, "item_id": 41, "category": 6}


def model_of(kind: type = ECAD, **options: object) -> torch.nn.Module:
    torch.manual_seed(0)
    return kind(FEATURES, SIZES, SMALL, **options)


def days_of(model: torch.nn.Module, log: ClickLog = LOG, days: int = DAYS + 8) -> list[Samples]:
    """What a model asks for at every midnight until all has settled."""
    edges = [day * DAY_MS - 1 for day in range(days)]
    return [model.samples(log.observed(now), since) for since, now in pairwise(edges)]


def times_of(age: float, order: float | None, refund: float | None, before: float = 0.0) -> dict[str, torch.Tensor]:
    """One click's columns; days."""
    moments = (age, before, order, refund)
    return {n: torch.tensor([NEVER if m is None else round(m * DAY_MS)]) for n, m in zip(TIMES, moments, strict=True)}


def test_a_click_before_its_window_gives_no_gradient() -> None:
    model = model_of(**WINDOWS)
    row = select_batch(LOG.columns, torch.tensor([5]))
    for age, trains in ((0.2, False), (0.26, True), (7.0, True)):
        model.zero_grad()
        batch = {**row, **times_of(age, 0.1, None)}
        model.loss(model(batch), batch).backward()
        assert any(p.grad is not None and bool(p.grad.any()) for p in model.parameters()) is trains, age
    model.zero_grad()
    batch = {**row, **times_of(9.0, 0.1, None, before=8.0)}  # long settled: nothing is left to learn
    model.loss(model(batch), batch).backward()
    assert not any(p.grad is not None and bool(p.grad.any()) for p in model.parameters())


@pytest.mark.parametrize("scale", [0.1, 3.0, 300.0])
def test_probabilities_are_in_order_whatever_the_weights(scale: float) -> None:
    """0 <= p_vr <= p_v <= 1, and so 0 <= ECVR <= 1."""
    for options in (WINDOWS, {}):
        model = model_of(**options)
        p = model.probabilities({n: (scale * torch.randn(500)).double() for n in model.towers})
        assert bool(((p["refund"] >= 0) & (p["refund"] <= p["order"]) & (p["order"] <= 1 + 1e-12)).all())
        assert bool(((p["ecvr"] >= 0) & (p["ecvr"] <= 1)).all())
        torch.testing.assert_close(p["ecvr"], p["order"] - p["refund"])


def test_detached_refunds_teach_orders_nothing() -> None:
    batch = {**select_batch(LOG.columns, torch.arange(50)), **times_of(7.0, 0.1, 1.0)}
    batch |= {name: batch[name].expand(50) for name in TIMES}
    joint, detached = (model_of(detached=on, **WINDOWS) for on in (False, True))
    assert torch.equal(joint.predict(batch)["ecvr"], detached.predict(batch)["ecvr"])
    slopes = []
    for model in (joint, detached):
        refund = heads(model(batch), model.order_names, model.refund_names, model.detached)[len(model.order_names) :]
        refund.sum().backward()
        slopes.append([model.towers[n].layers[-1].bias.grad for n in (*model.order_names, *model.refund_names)])
    assert all(g is not None and bool(g.any()) for g in slopes[0])
    orders, refunds = slopes[1][: len(joint.order_names)], slopes[1][len(joint.order_names) :]
    assert all(g is None or not bool(g.any()) for g in orders)
    assert all(g is not None and bool(g.any()) for g in refunds)


def test_a_refund_outside_its_window_never_counts() -> None:
    """Ordered after 0.1 days, refunded 3.5 days later: within six days of the click, not within three of the order."""
    model = model_of(**WINDOWS)
    for refund, counts in ((3.0, 1), (3.6, 0)):
        targets, _ = ripened(times_of(9, 0.1, refund), model.order_ms, model.refund_ms)
        assert int(targets[3:].sum()) == counts
    targets, _ = ripened(times_of(9, 3.2, 3.3), model.order_ms, model.refund_ms)
    assert not targets.any()  # an order outside of its window is none, and neither is its refund


def test_the_refund_loss_averages_all_ripe_clicks() -> None:
    """The denominator counts ripe clicks, not orders; windows of one are ESMM."""
    model = model_of()
    ages = torch.tensor([7.0, 7, 7, 7, 2]) * DAY_MS
    batch = {
        "age_ms": ages.long(),
        "age_before_ms": torch.zeros(5, dtype=torch.int64),
        "order_after_ms": torch.tensor([100, 100, NEVER, NEVER, 100]),
        "refund_after_ms": torch.tensor([200, NEVER, NEVER, NEVER, NEVER]),
    }
    logits = {"order_0": torch.randn(5, requires_grad=True), "refund_0": torch.randn(5, requires_grad=True)}
    p_v = logits["order_0"].sigmoid()
    p_vr = p_v * logits["refund_0"].sigmoid()
    expected = functional.binary_cross_entropy(p_v[:4], torch.tensor([1.0, 1, 0, 0]))
    expected = expected + functional.binary_cross_entropy(p_vr[:4], torch.tensor([1.0, 0, 0, 0]))
    loss = model.loss(logits, batch)
    torch.testing.assert_close(loss, expected)
    assert model.measured() == {"order": ("order", None), "refund": ("refund", None)}
    loss.backward()
    assert logits["refund_0"].grad[:4].all()  # clicks that were not ordered teach the refund's tower too
    assert not logits["refund_0"].grad[4]


def test_losses_of_probabilities_given_as_logarithms() -> None:
    log_p = torch.tensor([-50.0, -3.0, -0.7, -0.69, -0.2, -1e-4], dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(log_complement(log_p), torch.log1p(-log_p.exp()))
    target = torch.tensor([1.0, 0, 1, 0, 1, 0], dtype=torch.float64)
    loss = bce_of_log(log_p, target)
    torch.testing.assert_close(loss, functional.binary_cross_entropy(log_p.exp(), target))
    loss.backward()
    assert bool(torch.isfinite(log_p.grad).all())
    extreme = torch.tensor([0.0, -1e4], requires_grad=True)
    bce_of_log(extreme, torch.tensor([0.0, 1.0])).backward()
    assert bool(torch.isfinite(extreme.grad).all())


TRAIN = TrainConfig(batch_rows=64, learning_rate=0.01, threads=1, seed=3)


def test_labels_are_learned_once_and_never_change() -> None:
    model = model_of(**WINDOWS)
    everything = LOG.observed(10**12, foresight=True)
    aged = torch.full_like(everything.click_ms, 10**12)
    index = torch.arange(len(aged))
    of_click = {"age_ms": aged, "age_before_ms": aged, **delayed.after_click(everything, index)}
    final, _ = ripened(of_click, model.order_ms, model.refund_ms)
    times = torch.zeros_like(final, dtype=torch.int64)
    for samples in days_of(model):
        targets, masks = ripened(samples.columns, model.order_ms, model.refund_ms)
        assert torch.equal(targets[masks], final[:, samples.index][masks])
        assert masks.any(0).all()  # nobody is seen for nothing
        times.index_add_(1, samples.index, masks.long())
    assert bool((times == 1).all())


def test_fully_aged_windows_add_up_to_the_labels() -> None:
    """All masks 1, sum_k target_k = y and sum_j target_j = z."""
    model = model_of(**WINDOWS)
    observed = LOG.observed(10**12)
    index = torch.arange(len(observed.click_ms))
    ages = {"age_ms": torch.full_like(index, 10**11), "age_before_ms": torch.full_like(index, -1)}
    targets, masks = ripened({**ages, **delayed.after_click(observed, index)}, model.order_ms, model.refund_ms)
    bought, back = settled(LOG, index.numpy(), 3, 3)
    assert bool(masks.all())
    assert np.array_equal(targets[:3].sum(0).numpy(), bought)
    assert np.array_equal(targets[3:].sum(0).numpy(), back)
    assert 0 < back.sum() < bought.sum() < len(bought)
    hidden = LOG.observed(3 * DAY_MS - 1)
    for moments in (hidden.click_ms, hidden.order_ms, hidden.refund_ms):
        assert bool(((moments < 3 * DAY_MS) | (moments == NEVER)).all())


def test_true_rates_of_a_stationary_stream_are_learned() -> None:
    """Without optimisation noise: constant logits at the least loss of a whole stream, beside what did happen on it."""
    log, model = log_of(rows=2_500, seed=1, days=30), model_of(**WINDOWS)
    parts = days_of(model, log, 38)
    columns = {n: torch.cat([s.columns[n] for s in parts]) for n in parts[0].columns}
    rows = len(columns["age_ms"])
    logits = {name: torch.full((1,), -1.0, dtype=torch.float64, requires_grad=True) for name in model.towers}
    optimizer = torch.optim.Adam(logits.values(), lr=0.1)
    for step in range(80):
        optimizer.param_groups[0]["lr"] = 0.15 if step < 50 else 0.02
        optimizer.zero_grad()
        model.loss({n: v.expand(rows) for n, v in logits.items()}, columns).backward()
        optimizer.step()
    learned = model.probabilities(logits)
    bought, back = settled(log, np.arange(len(log.click_ms)), 3, 3)
    for name, rate in {"order": bought.mean(), "ecvr": (bought & ~back).mean()}.items():
        assert float(learned[name].detach()) == pytest.approx(rate, abs=0.015), name


@pytest.mark.parametrize("kind", [delayed.DEFER, ECAD])
def test_no_label_is_seen_before_its_time(kind: type) -> None:
    """Planted futures change no weight, to the bit; the same change in the past does."""
    now = 7 * DAY_MS - 1

    def trained(log: ClickLog) -> dict[str, torch.Tensor]:
        model = model_of(kind, **(WINDOWS if kind is ECAD else {}))
        stream(model, log, range(4, 8), 8, TRAIN)
        return model.state_dict()

    def planted(after: bool) -> ClickLog:
        rng = torch.Generator().manual_seed(9)
        moments = []
        for t in (LOG.order_ms, LOG.refund_ms):
            change = (t > now) if after else ((t <= now) & (torch.rand(len(t), generator=rng) < 0.5))
            other = torch.randint(now + 1, now + 9 * DAY_MS, t.shape, generator=rng)
            moments.append(torch.where(change, torch.where(torch.rand(t.shape, generator=rng) < 0.5, other, NEVER), t))
        return ClickLog(LOG.columns, LOG.click_ms, *moments)

    first, future, past = (trained(log) for log in (LOG, planted(True), planted(False)))
    assert all(torch.equal(v, first[n]) for n, v in future.items())
    assert not all(torch.equal(v, first[n]) for n, v in past.items())


def test_the_stream_refuses_the_future_and_the_truth(tmp_path: Path) -> None:
    class Greedy(delayed.DEFER):
        def samples(self, observed: ObservedClicks, since: int) -> Samples:
            return Samples(torch.tensor([len(observed.click_ms)]), {"seen": torch.tensor([1])})

    with pytest.raises(ValueError, match="clicks of the future"):
        stream(model_of(Greedy), LOG, range(3), 2, TRAIN)

    class Cheat(delayed.DEFER):
        def samples(self, observed: ObservedClicks, since: int) -> Samples:
            open_oracle(world, "impression/day=000")
            return super().samples(observed, since)

    world = tmp_path / "w"
    write_world(world, seed=1, knobs={"impressions": 2_000, "days": 2})
    with pytest.raises(OracleSealed):
        stream(model_of(Cheat), LOG, range(3), 2, TRAIN)
    with pytest.raises(ValueError, match="order of time"):
        ClickLog(LOG.columns, LOG.click_ms.flip(0), LOG.order_ms, LOG.refund_ms)


def test_clicks_are_predicted_once_before_their_day() -> None:
    model = model_of(**WINDOWS)
    asked = stream(model, LOG, range(DAYS), 5, TRAIN)
    inside = ((LOG.click_ms >= 5 * DAY_MS) & (LOG.click_ms < DAYS * DAY_MS)).nonzero().squeeze(1)
    assert np.array_equal(asked.rows, inside.numpy())
    assert all(len(p) == len(asked.rows) for p in asked.probabilities.values())
    # Of day 5 nothing has been learned: a model that stops there predicts the same.
    other = model_of(**WINDOWS)
    short = stream(other, LOG, range(6), 5, TRAIN)
    assert np.array_equal(short.probabilities["ecvr"], asked.probabilities["ecvr"][: len(short.rows)])
