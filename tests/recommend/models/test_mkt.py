"""MKT: what its paper promises of each part, and the layers of what it is compared with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from recommend.config import ModelConfig, TrainConfig
from recommend.data.memory import MemoryStream
from recommend.data.ragged import Ragged, select_batch
from recommend.features.encoders import Encoders
from recommend.features.feature_map import Feature, FeatureMap
from recommend.models.baselines.din import DIN
from recommend.models.baselines.multi_entity import SHARED, part_of, tables_of
from recommend.models.mkt import MEM, TEM, Aligned, Gate
from recommend.training.trainer import train

FIELDS = {"item": ("price_bucket", "condition", "single"), "post": ("topic",)}
FEATURES = FeatureMap(
    features=(
        Feature(column="user_id", role="context"),
        Feature(column="category", role="target", group=SHARED),
        Feature(column="seller_id", role="target", group=SHARED),
        *(Feature(column=c, role="target", group=e) for e, columns in FIELDS.items() for c in columns),
        Feature(column="item_category", role="history", match="category", group="item"),
        Feature(column="post_category", role="history", match="category", group="post"),
        Feature(column="entity", role="raw"),
    )
)
CONFIG = ModelConfig(embedding=8, attention=(8,), mlp=(24, 16, 8), experts=3, initial_std=0.1)


def columns(rows: int = 4_000) -> dict:
    """A fifth of the rows are posts; a user likes some categories in both, and each entity has a field that matters."""
    rng = np.random.default_rng(0)
    post = rng.random(rows) < 0.2
    user, category = rng.integers(0, 40, rows), rng.integers(0, 6, rows)
    taste = np.random.default_rng(5).normal(0, 1.5, (40, 6))
    price, topic = rng.integers(0, 4, rows), rng.integers(0, 3, rows)
    logit = -1 + taste[user, category] + np.where(post, topic - 1, 1.5 - price)

    def past() -> Ragged:
        lengths = rng.integers(0, 5, rows)
        return Ragged(torch.from_numpy(rng.integers(0, 6, lengths.sum())), torch.from_numpy(lengths))

    numbers = {"user_id": user, "category": category, "seller_id": rng.integers(0, 9, rows),
               "price_bucket": np.where(post, -1, price), "condition": np.where(post, -1, rng.integers(0, 3, rows)),
               "single": np.where(post, -1, rng.integers(0, 2, rows)), "topic": np.where(post, topic, -1),
               "entity": post.astype(np.int64), "click": rng.random(rows) < 1 / (1 + np.exp(-logit))}  # fmt: skip
    tensors = {name: torch.from_numpy(values) for name, values in numbers.items()}
    return {**tensors, "item_category": past(), "post_category": past()}


DATA = columns()
ENCODERS = Encoders.fit(FEATURES, [DATA])
SIZES = ENCODERS.sizes()
BATCH = ENCODERS(DATA)
POSTS = select_batch(BATCH, BATCH["entity"].nonzero()[:, 0])
TARGET = part_of(FEATURES, (SHARED, "post"))


def built(build: Callable, features: FeatureMap = FEATURES, *more: object, seed: int = 0, **settings: object):
    torch.manual_seed(seed)
    sizes = SIZES if build in (MEM, TEM) else tables_of(features.features, SIZES)
    return build(features, sizes, settings.pop("config", CONFIG), *more, **settings)


def taught(model: nn.Module, rows: dict = BATCH, epochs: int = 1, rate: float = 0.01):
    train(model, MemoryStream(rows, 200), TrainConfig(epochs=epochs, learning_rate=rate, threads=1, seed=3))
    return model


def score(model: nn.Module, rows: dict = POSTS) -> torch.Tensor:
    return model.predict(rows)["click"]


def test_importance_lies_between_0_and_2() -> None:
    torch.manual_seed(1)
    hfa, specific = Aligned(3, 8, 12), torch.randn(50, 24) * 3
    p = hfa.importance(specific)
    assert p.shape == (50, 3)  # one number a field
    assert bool(((p > 0) & (p < 2)).all())
    assert float(p.detach().std()) > 0.01
    plain = hfa.out(specific).relu()
    assert not torch.allclose(hfa(specific), plain)
    nn.init.zeros_(hfa.score.weight)
    nn.init.zeros_(hfa.score.bias)
    assert torch.equal(hfa.importance(specific), torch.ones(50, 3))
    torch.testing.assert_close(hfa(specific), plain)


def test_the_cross_is_dcns() -> None:
    torch.manual_seed(2)
    hfa, x0 = Aligned(2, 3, 4, layers=2), torch.randn(6, 6)
    for shift in hfa.shift:
        nn.init.normal_(shift)
    x = x0
    for weigh, b in zip(hfa.cross, hfa.shift, strict=True):
        x = torch.stack([x0[i] * (x[i] @ weigh.weight[0]) + x[i] for i in range(6)]) + b
    implicit = torch.relu(x0 @ hfa.implicit.weight.T + hfa.implicit.bias)
    score = torch.cat([x, implicit], 1) @ hfa.score.weight.T + hfa.score.bias
    torch.testing.assert_close(hfa.importance(x0), 2 / (1 + (-score).exp()))


def test_fields_of_things_never_reach_a_post() -> None:
    mem = taught(built(MEM))
    tem = taught(built(TEM, FEATURES, mem), POSTS)

    def others(rows: dict) -> dict:
        return {**rows, **{c: (rows[c] + 2) % SIZES[c] for c in FIELDS["item"]}}

    other = others(POSTS)
    assert all(bool((other[c] != POSTS[c]).all()) for c in FIELDS["item"])
    items = select_batch(BATCH, (BATCH["entity"] == 0).nonzero()[:, 0])
    assert not torch.allclose(score(mem, items), score(mem, others(items)))  # where the fields belong they count
    past = POSTS["item_category"]
    moved = {**POSTS, "item_category": past.with_values((past.values + 1) % 6)}
    for model in (mem, tem):
        assert torch.equal(score(model), score(model, other))
        assert not torch.equal(score(model), score(model, moved))
        assert not torch.equal(score(model), score(model, {**POSTS, "topic": (POSTS["topic"] + 1) % 3}))


def test_rows_are_scored_alike_beside_any_others() -> None:
    model = taught(built(MEM))
    mixed = score(model, BATCH)
    alone = torch.empty_like(mixed)
    for _, index in model.rows(BATCH):
        alone[index] = score(model, select_batch(BATCH, index))
    torch.testing.assert_close(mixed, alone, atol=1e-6, rtol=1e-5)


def cosines(mem: MEM, entity: str) -> torch.Tensor:
    """Of the common and the entity's own extractor, on each of its rows."""
    index = dict(mem.rows(BATCH))[entity]
    x, specific = mem.norm(mem.body(mem.inputs(BATCH)))[index], mem.specific_fields(BATCH, entity, index)
    a, b = mem.common(x, specific, entity), mem.independent[entity](torch.cat([x, specific], 1))
    return (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))


def test_the_loss_is_the_papers() -> None:
    """The entities' means, and a tenth of the extractors' cosine."""
    mem = built(MEM)
    mem.train()
    logits, post = mem(BATCH), BATCH["entity"] == 1
    ce = nn.functional.binary_cross_entropy_with_logits
    expected = sum(ce(logits["click"][w], BATCH["click"][w].float()) for w in (post, ~post))
    expected = expected + 0.1 * sum(cosines(mem, entity).mean() for entity in mem.names)
    torch.testing.assert_close(mem.loss(logits, BATCH), expected)


def test_polarisation_turns_the_extractors_apart(monkeypatch) -> None:
    turned = []
    for weight in (0.1, 0.0):
        monkeypatch.setattr("recommend.models.mkt.WEIGHT", weight)
        mem = taught(built(MEM), epochs=3)
        turned.append(max(float(cosines(mem, entity).mean().detach()) for entity in mem.names))
    assert turned[0] < turned[1] - 0.1


def test_stage_2_leaves_stage_1_as_it_was() -> None:
    """With Dice, whose running statistics a training pass would move."""
    config = CONFIG.model_copy(update={"activation": "dice"})
    mem = taught(built(MEM, config=config))
    before = {n: v.clone() for n, v in mem.state_dict().items()}
    assert any("running_mean" in n for n in before)
    tem = taught(built(TEM, FEATURES, mem, config=config), POSTS)
    assert all(torch.equal(before[n], v) for n, v in mem.state_dict().items())
    assert all(p.grad is None for p in mem.parameters())
    assert not any(p.requires_grad for p in mem.parameters())
    moved = [n for n, p in tem.named_parameters() if p.requires_grad and p.grad is not None]
    assert {n.split(".")[0] for n in moved} == {"inputs", "attention", "top", "user", "past", "shared", "cross"}


def test_an_heir_begins_with_stage_1s_tables() -> None:
    mem = taught(built(MEM))
    fresh, heir = (built(TEM, FEATURES, mem, inherit=on) for on in (False, True))
    before = {name: value.clone() for name, value in mem.state_dict().items()}
    tables, own = heir.inputs.tables.tables, mem.tables["post"].tables
    assert set(tables) == set(mem.inputs.tables.tables) | set(own)
    for name, table in tables.items():
        source = own[name] if name in own else mem.inputs.tables.tables[name]
        assert torch.equal(table.weight, source.weight)
        assert not torch.equal(fresh.inputs.tables.tables[name].weight, source.weight)
    for name, value in mem.attention.state_dict().items():
        assert torch.equal(heir.attention.state_dict()[name], value)
    assert torch.equal(fresh.top.layers[-1].weight, heir.top.layers[-1].weight)  # the rest is a fresh DIN's
    taught(heir, POSTS)
    assert not torch.equal(heir.inputs.tables.tables["topic"].weight, own["topic"].weight)
    assert all(torch.equal(value, before[name]) for name, value in mem.state_dict().items())


def test_with_closed_gates_it_is_din(monkeypatch) -> None:
    mem = taught(built(MEM))
    din, open_gates = built(DIN, TARGET), built(TEM, FEATURES, mem)
    assert not torch.allclose(score(open_gates), score(din))
    monkeypatch.setattr(Gate, "forward", lambda self, x: x.new_zeros(len(x), self.both.out_features // 2))
    closed = built(TEM, FEATURES, mem)
    assert torch.equal(score(closed), score(din))
    taught(closed, POSTS)
    taught(din, POSTS)
    assert torch.equal(score(closed), score(din))


def test_each_of_the_four_transfers_arrives(monkeypatch) -> None:
    mem = taught(built(MEM))
    tem = built(TEM, FEATURES, mem)
    whole = score(tem)
    for name in ("user", "past", "shared", "cross"):
        gate = getattr(tem, name)
        with monkeypatch.context() as patch:
            patch.setattr(gate, "forward", lambda x, g=gate: x.new_zeros(len(x), g.both.out_features // 2))
            assert not torch.allclose(score(tem), whole, atol=1e-7), name
    x = torch.randn(5, 16)
    gate = tem.cross
    w, b = gate.both.weight, gate.both.bias
    a, s = (x @ w.T + b).chunk(2, 1)
    torch.testing.assert_close(gate(x), a * s.sigmoid())
