"""A model's program says what the model says, of any number of candidates and clicks."""

from __future__ import annotations

import logging

import pytest
import torch

from recommend.cascade.program import Program, compiled, pre_ranking, with_program
from recommend.cascade.registry import Loaded
from recommend.data.ragged import Ragged, Repeated
from recommend.features.feature_map import FeatureMap
from recommend.models.registry import build_model, changed
from tests.recommend.support import tiny
from tests.recommend.support.models import LABELS, SMALL, prepared

SERVED = ("copr", "din", "ecad", "esmm", "keep", "mkt", "msnet", "rec4ad", "two_tower")
LONGEST = 8


def loaded(name: str, **changes: object) -> Loaded:
    features: FeatureMap = LABELS.get(name, tiny.FEATURES)
    encoders, _ = prepared(features, 256)
    config = changed(SMALL, [f"name={name}", *(f"{knob}={value}" for knob, value in changes.items())])
    model = build_model(features, encoders.sizes(), config).eval()
    return Loaded("ranking", "0001", model, encoders, {"model": name})


def request(count: int = 64, clicks: int = LONGEST, seed: int = 1) -> dict:
    """Raw columns of one visitor's candidates."""
    data = tiny.columns(count, seed)
    data |= {"post_id": data["item_id"], "entity": torch.ones(count, dtype=torch.int64)}
    data["user_id"] = data["user_id"][:1].expand(count)
    past = torch.arange(clicks) * 7 % 40
    return {**data, "history_item": Repeated(past, count), "history_category": Repeated(past % 5, count)}


def by_row(raw: dict) -> dict:
    """The same columns with each row's history written out."""
    return {n: Ragged(c.values, c.lengths) if isinstance(c, Repeated) else c for n, c in raw.items()}


@pytest.mark.parametrize("name", SERVED)
def test_a_program_says_what_the_model_says(name, caplog):
    caplog.set_level(logging.WARNING)
    plain = loaded(name)
    fast = with_program(plain, request())
    assert not caplog.records  # traced, not asked layer by layer
    for count, clicks, seed in ((1, 0, 2), (3, 1, 3), (200, 30, 4), (64, LONGEST, 5)):
        raw = request(count, clicks, seed)
        right = plain.model.predict(plain.encoders(by_row(raw)))
        for answers in (fast(raw), plain(raw)):
            assert set(answers) == set(right)
            for task, p in right.items():
                torch.testing.assert_close(answers[task], p, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["two_tower", "copr"])
def test_pre_ranking_by_vectors_is_the_models(name, caplog):
    caplog.set_level(logging.WARNING)
    of = loaded(name)
    if name == "copr":  # alpha starts at 1 everywhere
        torch.nn.init.normal_(of.model.relaxation.layers[-1].weight)
    ask = pre_ranking(of, request())
    assert not caplog.records
    for count, clicks in ((5, 0), (300, 20)):
        raw = request(count, clicks)
        encoded = of.encoders(by_row(raw))
        with torch.inference_mode():
            vectors = of.model.item_vector(of.model.inputs(encoded))
            one = {n: Repeated(c.one, 1) if isinstance(c, Repeated) else c[:1] for n, c in raw.items()}
            p, ordered = ask(vectors, one)
            torch.testing.assert_close(p.float(), of.model.predict(encoded)["click"], atol=1e-5, rtol=0)
            if name == "copr":
                rank = of.model.rank_score(encoded, torch.ones(count))
                torch.testing.assert_close(ordered.log().float(), rank, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("name", "changes"), [("bst", {}), ("msnet", {"branch_length": 10})])
def test_a_trace_of_few_clicks_serves_many(name, changes, caplog):
    """A size, or a branch, that hangs on the longest history is seen before it serves."""
    plain = loaded(name, **changes)
    fast = with_program(plain, request())
    assert "layer by layer" in caplog.text
    raw = request(9, 30, 2)
    right = plain.model.predict(plain.encoders(by_row(raw)))["click"]
    torch.testing.assert_close(fast(raw)["click"], right, atol=1e-5, rtol=0)


def test_steps_that_hang_on_data_are_not_traced(caplog):
    plain = loaded("din")

    class Odd(Program):
        def forward(self, *inputs):
            (p,) = super().forward(*inputs)
            return (p * inputs[0].shape[0] if len(inputs[0]) < 10 else p,)

    program = Odd(plain)
    few = request(4)
    call = compiled(program, [program.arguments(request(64)), program.arguments(few)])
    assert call is program
    assert "layer by layer" in caplog.text
    right = plain.model.predict(plain.encoders(by_row(few)))["click"]
    torch.testing.assert_close(call(*program.arguments(few))[0], 4 * right, atol=1e-5, rtol=0)
