"""MSNet splits by stock, warms limited IDs and reaches what was sold; its rivals keep their promises."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from recommend.config import ModelConfig
from recommend.data.ragged import Ragged, slice_batch
from recommend.features.encoders import Encoders
from recommend.features.feature_map import Feature, FeatureMap
from recommend.losses.pointwise import bce
from recommend.models.base import label
from recommend.models.baselines.mwuf import MWUF
from recommend.models.msnet import AUX, LIMITED_ROW, MSNet
from recommend.models.registry import build_model, model_class
from tests.recommend import tiny

SMALL = MSNet.Config(
    name="msnet", softmax=True, embedding=8, attention=(16,), mlp=(24, 12), initial_std=0.1, meta_width=8
)
FLAGGED = FeatureMap(
    features=(
        *tiny.FEATURES.features,
        Feature(column="single", role="target"),
        Feature(column="history_single", role="history", match="single", max_length=20),
    )
)


def with_flags(data: dict) -> dict:
    """Even items are limited, odd ones deep."""
    past = data["history_item"]
    return {**data, "single": data["item_id"] % 2 == 0, "history_single": past.with_values(past.values % 2 == 0)}


def flagged(rows: int = 400) -> dict:
    return with_flags(tiny.columns(rows))


ENCODERS = Encoders.fit(FLAGGED, [flagged(2_000)])


def other(name: str, **settings: object) -> ModelConfig:
    """The same sizes for another model, with settings of its own."""
    other_config: ModelConfig = model_class(name).configured(SMALL.model_copy(update={"name": name}))
    return other_config.model_copy(update=settings)


def fresh(rows: int = 400, seed: int = 0, **changes: object) -> tuple[MSNet, dict]:
    config = SMALL.model_copy(update=changes)
    model = build_model(FLAGGED, ENCODERS.sizes(), config, seed)
    assert isinstance(model, MSNet)
    return model, ENCODERS(flagged(rows))


def one(history: list[int], item: int = 4) -> dict:
    """A row whose history holds these items."""
    row = slice_batch(tiny.columns(1), 0, 1)
    past = Ragged.of([history])
    row |= {
        "item_id": torch.tensor([item]),
        "history_item": past,
        "history_category": past.with_values(past.values % 5),
    }
    return ENCODERS(with_flags(row))


def interests(model: MSNet, batch: dict) -> tuple[torch.Tensor, torch.Tensor]:
    s = model.state(batch)
    query = s.x.matched["item"]
    return model.interest("limited", query, s.parts["limited"]), model.interest("deep", query, s.parts["deep"])


def rows_with_gradient(model: MSNet, loss: torch.Tensor) -> torch.Tensor:
    """Which rows of the ID table a loss moves."""
    table = model.inputs.tables.tables["item_id"].weight
    (gradient,) = torch.autograd.grad(loss, table, retain_graph=True, allow_unused=True)
    return torch.zeros(len(table), dtype=torch.bool) if gradient is None else gradient.abs().sum(1) > 0


def test_one_stock_type_never_changes_the_other_ones_interest() -> None:
    model, _ = fresh()
    limited, deep = interests(model, one([2, 8, 3, 5]))
    more_deep = interests(model, one([7, 2, 9, 8, 5, 3, 11]))
    more_limited = interests(model, one([10, 3, 12, 5]))
    torch.testing.assert_close(more_deep[0], limited)
    torch.testing.assert_close(more_limited[1], deep)
    assert not torch.allclose(more_deep[1], deep)
    assert not torch.allclose(more_limited[0], limited)


def test_each_part_is_cut_on_its_own() -> None:
    model, _ = fresh(branch_length=2)
    many_deep, few_deep = one([2, 8, 4, 3, 5, 7, 9, 11]), one([2, 8, 4, 9, 11])
    s = model.state(many_deep)
    assert s.parts["limited"].lengths.tolist() == [2]
    assert s.parts["deep"].lengths.tolist() == [2]
    torch.testing.assert_close(torch.cat(interests(model, many_deep)), torch.cat(interests(model, few_deep)))
    assert torch.equal(s.parts["deep"].values, model.state(few_deep).parts["deep"].values)


def test_with_scale_one_and_shift_zero_it_is_plain_attention() -> None:
    model, data = fresh()
    plain, _ = fresh(warm=False)
    assert model.warm is not None
    nn.init.zeros_(model.warm.scale.layers[-1].weight)
    nn.init.zeros_(model.warm.shift.layers[-1].weight)
    shared = {k: v for k, v in model.state_dict().items() if not k.startswith("warm.")}
    plain.load_state_dict(shared)
    torch.testing.assert_close(interests(model, data)[0], interests(plain, data)[0])
    s = plain.state(data)
    direct = plain.encoders["limited"](s.x.matched["item"], s.parts["limited"])
    there = s.parts["limited"].lengths > 0
    torch.testing.assert_close(interests(model, data)[0][there, :-1], direct[there])


def test_a_thing_without_any_interaction_is_scored_by_its_side_information() -> None:
    """IDs that training never held share row 0; side information tells them apart, the number itself does not."""
    model, _ = fresh()
    rows = [one([2, 3], item) for item in (1_000, 2_000, 1_000)]
    rows[2]["category"] = rows[2]["category"] % 5 + 1
    assert all(r["item_id"].tolist() == [0] for r in rows)
    first, second, other = (float(model.predict(r)["click"]) for r in rows)
    assert first == second
    assert first != other
    s = model.state(rows[0])
    identity, side = model.identity.parts(model.inputs(rows[0]).matched["item"])
    assert model.warm is not None
    torch.testing.assert_close(model.identity.parts(s.x.matched["item"])[0], model.warm(identity, side))


def sold_item(model: MSNet, row: dict) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradients of a sold thing's ID row from the losses, with attention forced to nothing."""
    model.encoders["limited"].weights = lambda target, history, rows=None: history.values.new_zeros(
        len(history.values), 1
    )
    logits = model(row)
    row_of_sold = int(row["history_item"].values[0])
    main = bce(logits["click"], label(row, "click"))
    return rows_with_gradient(model, main)[row_of_sold], rows_with_gradient(model, model.loss(logits, row))[row_of_sold]


def test_one_attention_reads_both_kinds_of_stock_and_unknown_ids_alone_are_made() -> None:
    model, _ = fresh(split=False, warm_known=False, aux_weight=0)
    model.eval()
    assert list(model.encoders) == ["all"]
    row = one([2, 7, 8, 9], item=4)
    s = model.state(row)
    past = model.inputs(row).histories["item"]
    assert torch.equal(s.parts["all"].values, past.values)  # all of these ids are known
    assert torch.equal(s.x.target, model.inputs(row).target)
    new = one([2, 7, 998, 999], item=998)  # even ids, and so limited, but for 999
    changed = (model.state(new).parts["all"].values != model.inputs(new).histories["item"].values).any(1)
    assert changed.tolist() == [False, False, True, False]
    assert not torch.equal(model.state(new).x.target, model.inputs(new).target)
    model.train()
    torch.manual_seed(0)
    drawn = sum(int(model.is_warmed(row)[1].sum()) for _ in range(300)) / 300
    assert drawn == pytest.approx(2 * model.inputs.unknown_ids, abs=0.06)  # of the two limited ones
    model.loss(model(new), new).backward()
    assert model.warm is not None
    assert bool(model.warm.shift.layers[-1].bias.grad.any())


def test_a_sold_thing_learns_through_the_auxiliary_loss_alone() -> None:
    """It stands in a history and gets no attention: the main loss has nothing to say to its row."""
    row = one([2, 8, 3])
    main, total = sold_item(fresh()[0], row)
    assert not main
    assert total
    main, total = sold_item(fresh(aux_weight=0.0)[0], row)
    assert not main
    assert not total


def test_both_losses_teach_the_meta_networks_and_no_deep_id_learns_from_the_auxiliary_one() -> None:
    model, data = fresh()
    logits = model(data)
    assert model.warm is not None
    aux = bce(logits[AUX], label(data, "click"), model.with_aux(data))
    main = bce(logits["click"], label(data, "click"))
    for loss in (main, aux):
        for network in (model.warm.scale, model.warm.shift):
            gradients = torch.autograd.grad(loss, list(network.parameters()), retain_graph=True)
            assert all(float(g.abs().sum()) > 0 for g in gradients)
    learned = rows_with_gradient(model, aux)
    assert not learned[ENCODERS.row("item_id", torch.arange(1, 40, 2))].any()
    assert learned[ENCODERS.row("item_id", torch.arange(0, 40, 2))].all()


def test_mwuf_scales_by_side_information_and_shifts_by_who_clicked() -> None:
    model = build_model(FLAGGED, ENCODERS.sizes(), other("mwuf", cold_count=1_000))
    assert isinstance(model, MWUF)
    data = ENCODERS(flagged(200))
    before = model.state_dict()["clicked"].clone()
    loss = model.loss(model(data), data)
    assert int((model.clicked - before).sum()) == int(data["click"].sum())
    din = [p for n, p in model.named_parameters() if not n.startswith(("scale", "shift"))]
    base = torch.autograd.grad(bce(model(data)["click"], label(data, "click")), din, allow_unused=True)
    both = torch.autograd.grad(loss, din, allow_unused=True)
    assert all(a is b is None or torch.allclose(a, b, atol=1e-7) for a, b in zip(base, both, strict=True))
    assert all(float(p.detach().abs().sum()) > 0 for p in model.shift.layers[-1].parameters() if p.ndim > 1)
    nn.init.normal_(model.shift.layers[-1].weight)
    nn.init.normal_(model.scale.layers[-1].weight)
    clicked = int(data["item_id"][data["click"].bool()][0])
    row = {**slice_batch(data, 0, 1), "item_id": torch.tensor([clicked])}
    here = model.predict(row)["click"]
    with torch.no_grad():
        model.people[clicked] += 1
    moved = model.predict(row)["click"]
    assert not torch.equal(here, moved)
    row["category"] = row["category"] % 5 + 1
    assert not torch.equal(model.predict(row)["click"], moved)


def test_attention_on_limited_history_sums_to_one_however_large_the_deep_embeddings_are() -> None:
    """One softmax over both kinds gives limited clicks nothing where deep embeddings are large."""
    model, data = fresh()
    din = build_model(FLAGGED, ENCODERS.sizes(), SMALL.model_copy(update={"name": "din", "softmax": True}))
    limited_of = data["history_single"].values == LIMITED_ROW
    both = torch.zeros(len(data["item_id"])).index_add(0, data["history_single"].rows, limited_of.float())
    both = (both > 0) & (both < data["history_single"].lengths)

    def mass() -> tuple[torch.Tensor, torch.Tensor]:
        s = model.state(data)
        attention_weights = model.encoders["limited"].weights(s.x.matched["item"], s.parts["limited"])[:, 0]
        per_row = torch.zeros(len(data["item_id"])).index_add(0, s.parts["limited"].rows, attention_weights)
        x = din.inputs(data)
        weights = din.attention["item"].weights(x.matched["item"], x.histories["item"])[:, 0]
        of_din = torch.zeros(len(per_row)).index_add(0, x.histories["item"].rows, weights * limited_of)
        return per_row, of_din

    deep_rows = ENCODERS.row("item_id", torch.arange(1, 40, 2))
    with torch.no_grad():
        ours, theirs = mass()
        for net in (model, din):
            net.inputs.tables.tables["item_id"].weight[deep_rows] *= 500
        ours_after, theirs_after = mass()
    there = ours > 0
    torch.testing.assert_close(ours[there], torch.ones_like(ours[there]))
    torch.testing.assert_close(ours_after, ours)
    assert float(theirs[both].min()) > 0.1
    assert float((theirs_after[both] < 0.01).float().mean()) > 0.2  # DIN hears nothing of them there
