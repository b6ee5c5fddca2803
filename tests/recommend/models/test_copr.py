"""COPR: what is the paper's own, beside its equations; batches of lists."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from recommend.config import ModelConfig
from recommend.data.memory import interleave
from recommend.data.parquet import Position
from recommend.data.ragged import Ragged, concat_batches, slice_batch
from recommend.models.baselines.two_tower import TwoTower
from recommend.models.copr import COPR, LIMIT, Terms, draw_lists, exchange_weights, order_loss
from tests.recommend.support import tiny

SMALL = ModelConfig(embedding=8, mlp=(12,), tower=6, initial_std=0.1)


def model_of(terms: Terms | None = None, cls: type[TwoTower] = COPR) -> tuple[TwoTower, dict]:
    sizes, data = tiny.encoded(400)
    torch.manual_seed(3)
    more = {} if cls is TwoTower else {"terms": terms}
    return cls(tiny.FEATURES, sizes, SMALL, **more), data


def mixed(data: dict, lists: int = 5, size: int = 4) -> dict:
    """300 impressions and some drawn lists, with a teacher's scores and bids."""
    rng = np.random.default_rng(0)
    n = 300 + lists * size
    listed = np.arange(n) - 300
    batch = slice_batch(data, 0, n)
    return batch | {
        "draw": torch.from_numpy(np.where(listed < 0, -1, listed // size)),
        "chunk": torch.from_numpy(np.where(listed < 0, 0, listed % size)),
        "teacher": torch.from_numpy(rng.uniform(0.02, 0.4, n).astype(np.float32)),
        "bid": torch.from_numpy(rng.lognormal(0, 0.5, n).astype(np.float32)),
    }


def test_the_loss_follows_its_equation() -> None:
    torch.manual_seed(0)
    value, size = torch.randn(6), 3
    chunk, draw = torch.tensor([0, 1, 2, 0, 1, 2]), torch.tensor([0, 0, 0, 1, 1, 1])
    weights, total, mass = exchange_weights(size), 0.0, 0.0
    for lst in (0, 3):
        for i in range(size):
            for j in range(i + 1, size):
                total += float(-weights[i, j] * functional.logsigmoid((value[lst + i] - value[lst + j]) / 0.5))
                mass += float(weights[i, j])
    assert order_loss(value, chunk, draw, weights, 0.5).item() == pytest.approx(total / mass, rel=1e-5)


def test_a_bid_that_turns_order_turns_the_gradient() -> None:
    """Of the order. What sees no bids: ``test_each_term_reads_its_own_rows``."""
    model, _ = model_of(Terms(click=0, score=0, order=1, chunks=2))
    slopes = []
    for bids in ([1.0, 1.1], [1.0, 2.0]):
        logit, teacher, bid = torch.tensor([-2.0, -2.5], requires_grad=True), np.array([0.10, 0.08]), np.array(bids)
        place = torch.from_numpy(draw_lists(teacher * bid, 2, np.random.default_rng(0))[0])
        batch = {"click": torch.zeros(2, dtype=torch.bool), "draw": torch.zeros(2, dtype=torch.int64),
                 "chunk": torch.arange(2), "teacher": torch.from_numpy(teacher).float()[place],
                 "bid": torch.from_numpy(bid).float()[place]}  # fmt: skip
        loss = model.loss({"click": logit[place], "log_alpha": torch.zeros(2)}, batch)
        slopes.append(torch.autograd.grad(loss, logit)[0])
    assert slopes[0][0] < 0 < slopes[0][1]
    assert slopes[1][1] < 0 < slopes[1][0]


def test_pairs_of_top_and_tail_weigh_most() -> None:
    w = exchange_weights(10)
    assert w[0, 9] > w[0, 1] > w[8, 9] > 0
    assert torch.equal(w, w.T)
    gain, discount = torch.arange(9, -1, -1.0), 1 / torch.log2(torch.arange(2, 12.0))
    swapped = gain.clone()
    swapped[[2, 6]] = gain[[6, 2]]
    ideal = (gain * discount).sum()
    assert w[2, 6].item() == pytest.approx(float((ideal - (swapped * discount).sum()) / ideal), rel=1e-5)


def test_relaxation_starts_at_one_and_stays_bounded() -> None:
    model, data = model_of()
    plain, _ = model_of(cls=TwoTower)
    bid = torch.rand(400) + 0.5
    torch.testing.assert_close(model(data)["click"], plain(data)["click"])
    expected = functional.logsigmoid(plain(data)["click"]) + bid.log()
    torch.testing.assert_close(model.rank_score(data, bid), expected)
    assert set(model.predict(data)) == {"click"}
    with torch.no_grad():
        model.relaxation.layers[-1].bias.fill_(9.0)
    assert model(data)["log_alpha"].max() == LIMIT
    torch.testing.assert_close(model.predict(data)["click"], plain.predict(data)["click"])


def test_each_term_reads_its_own_rows() -> None:
    model, data = model_of()
    batch = mixed(data)

    def loss(changed: dict | None = None, **terms: object) -> float:
        model.terms = Terms(**({"click": 0, "score": 0, "order": 0, "chunks": 4} | terms))
        model.weights = exchange_weights(4)
        rows = batch | (changed or {})
        with torch.no_grad():
            return float(model.loss(model(rows), rows))

    other_clicks = {"click": batch["click"] ^ (batch["draw"] >= 0)}
    assert loss(other_clicks, click=1) == loss(click=1) > 0
    bids = {"bid": batch["bid"].flip(0)}
    assert loss(bids, score=1) == loss(score=1) > 0
    assert loss(bids, score=1, distance="list") == loss(score=1, distance="list") > 0
    assert loss(bids, level=1) == loss(level=1) == loss(score=1)
    both = loss(score=1, distance="list") + 3 * loss(level=1)
    assert loss(score=1, distance="list", level=3) == pytest.approx(both, rel=1e-5)
    assert loss(bids, order=1) != loss(order=1)
    assert loss(bids, order=1, bids=False) == loss(order=1, bids=False)
    assert np.isfinite(loss({"bid": torch.zeros_like(batch["bid"])}, order=1))
    assert loss(click=1, score=1, order=1) == pytest.approx(loss(click=1) + loss(score=1) + loss(order=1), rel=1e-5)


def test_batches_keep_lists_whole_and_go_on() -> None:
    first = {"x": torch.arange(23), "h": Ragged.of([[i] * (i % 3) for i in range(23)])}
    lengths = np.array([4, 2, 6, 2, 2])
    second = {"x": 100 + torch.arange(16), "h": Ragged.of([[100 + i] for i in range(16)])}
    stream = interleave(first, second, 8, lengths)
    batches = [batch for batch, _ in stream.with_positions()]
    assert len(batches) == 3
    groups = np.repeat(np.arange(5), lengths)
    values: list[int] = []
    for batch in batches:
        x = batch["x"].numpy()
        inside = groups[x[x >= 100] - 100]
        assert all((groups == g).sum() == (inside == g).sum() for g in set(inside))
        values += x.tolist()
    assert sorted(values) == [*range(23), *range(100, 116)]
    assert [x for x in values if x < 100] == list(range(23))
    whole = concat_batches(batches)
    assert torch.equal(whole["h"].lengths[whole["x"] < 100], first["h"].lengths)
    rest = [batch for batch, _ in replace(stream, start=Position(group=2)).with_positions()]
    assert len(rest) == 1
    assert tiny.same(rest[0]["x"], batches[2]["x"])
    assert stream.rows() == 39


def test_lists_hold_each_chunk_and_every_candidate() -> None:
    revenue = np.random.default_rng(1).lognormal(size=57)
    rank = np.argsort(np.argsort(-revenue))
    chunk_of = np.repeat(np.arange(10), [len(c) for c in np.array_split(np.arange(57), 10)])[rank]
    drawn = draw_lists(revenue, 10, np.random.default_rng(0))
    assert drawn.shape == (6, 10)
    assert (chunk_of[drawn] == np.arange(10)).all()
    assert set(drawn.ravel()) == set(range(57))
    free = draw_lists(revenue, 10, np.random.default_rng(0), chunked=False)
    assert free.shape == (6, 10)
    assert (np.diff(rank[free], axis=1) > 0).all()
    assert set(free.ravel()) == set(range(57))
    assert not (chunk_of[free] == np.arange(10)).all()
