"""MSNet splits by stock, warms limited IDs and reaches what was sold; its rivals keep their promises."""

from __future__ import annotations

import torch
from torch import nn

from recommend.data.ragged import Ragged, slice_batch
from recommend.features.encoders import Encoders
from recommend.features.feature_map import Feature, FeatureMap
from recommend.losses.pointwise import bce
from recommend.models.base import label
from recommend.models.msnet import AUX, MSNet
from recommend.models.registry import build_model
from tests.recommend.support import tiny

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


def test_one_stock_type_never_changes_the_others_interest() -> None:
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


def test_an_idle_warm_up_is_plain_attention() -> None:
    model, data = fresh()
    nn.init.zeros_(model.warm.scale.layers[-1].weight)
    nn.init.zeros_(model.warm.shift.layers[-1].weight)
    s, x = model.state(data), model.inputs(data)
    limited = x.histories["item"].keep(model.is_limited(data)[1]).last(model.config.branch_length)
    torch.testing.assert_close(s.parts["limited"].values, limited.values)
    direct = model.encoders["limited"](x.matched["item"], limited)
    there = limited.lengths > 0
    torch.testing.assert_close(interests(model, data)[0][there, :-1], direct[there])


def test_a_new_thing_is_scored_by_its_facts() -> None:
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


def test_a_sold_thing_learns_by_the_auxiliary_loss() -> None:
    """It stands in a history and gets no attention: the main loss has nothing to say to its row."""
    row = one([2, 8, 3])
    main, total = sold_item(fresh()[0], row)
    assert not main
    assert total
    main, total = sold_item(fresh(aux_weight=0.0)[0], row)
    assert not main
    assert not total


def test_both_losses_teach_the_meta_networks() -> None:
    model, data = fresh()
    logits = model(data)
    aux = bce(logits[AUX], label(data, "click"), model.with_aux(data))
    main = bce(logits["click"], label(data, "click"))
    for loss in (main, aux):
        for network in (model.warm.scale, model.warm.shift):
            gradients = torch.autograd.grad(loss, list(network.parameters()), retain_graph=True)
            assert all(float(g.abs().sum()) > 0 for g in gradients)
    learned = rows_with_gradient(model, aux)
    assert not learned[ENCODERS.row("item_id", torch.arange(1, 40, 2))].any()
    assert learned[ENCODERS.row("item_id", torch.arange(0, 40, 2))].all()


def test_deep_embeddings_take_no_attention_from_limited() -> None:
    """One softmax over both kinds would give limited clicks nothing where deep embeddings are large."""
    model, data = fresh()

    def mass() -> torch.Tensor:
        s = model.state(data)
        weights = model.encoders["limited"].weights(s.x.matched["item"], s.parts["limited"])[:, 0]
        return torch.zeros(len(s.x.target)).index_add(0, s.parts["limited"].rows, weights)

    with torch.no_grad():
        before = mass()
        model.inputs.tables.tables["item_id"].weight[ENCODERS.row("item_id", torch.arange(1, 40, 2))] *= 500
        torch.testing.assert_close(mass(), before)
    torch.testing.assert_close(before[before > 0], torch.ones_like(before[before > 0]))
    assert bool((before > 0).any())
