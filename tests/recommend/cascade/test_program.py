"""A model's program says what the model says, of any number of candidates and clicks.

Prices of the auction, and the rules by which a page is mixed.
"""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch

from recommend.cascade.page import AD_SLOTS, Exposure
from recommend.cascade.program import Program, compiled, pre_ranking, with_program
from recommend.cascade.registry import Loaded
from recommend.cascade.stages.auction import second_price
from recommend.cascade.stages.mix import mix
from recommend.data.ragged import Ragged, Repeated
from recommend.features.feature_map import FeatureMap
from recommend.models.registry import build_model, changed
from tests.recommend.support import tiny
from tests.recommend.support.tiny import LABELS, SMALL, prepared

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


def test_second_prices_lie_between_reserve_and_bid():
    pctr, bid = np.array([0.1, 0.2, 0.05, 0.3]), np.array([1.0, 0.4, 1.5, 0.01])
    outcome = second_price(pctr, bid, slots=2, reserve=0.02)
    assert outcome.winners.tolist() == [0, 1]
    assert outcome.price == pytest.approx([0.2 * 0.4 / 0.1, 0.05 * 1.5 / 0.2])
    alone = second_price(pctr[:1], bid[:1], slots=2, reserve=0.02)
    assert alone.price.tolist() == [0.02]
    assert len(second_price(np.empty(0), np.empty(0), 2, 0.02).winners) == 0
    rng = np.random.default_rng(0)
    for _ in range(50):
        p, b = rng.random(6), rng.random(6)
        auctioned = second_price(p, b, 3, 0.1)
        assert (auctioned.price >= 0.1).all()
        assert (auctioned.price <= b[auctioned.winners] + 1e-12).all()


def test_a_winners_price_is_not_its_bid():
    """The winner's price does not depend on its own bid while it wins."""
    pctr = np.array([0.1, 0.2])
    prices = [second_price(pctr, np.array([bid, 0.3]), 1, 0.02).price[0] for bid in (0.7, 1.0, 5.0)]
    assert prices == pytest.approx([0.6, 0.6, 0.6])


def mixed(rng, share, *, new=None, impressions=None, seller=None, ads=(), far=None, count=60, **rules):
    """A page of ten of ``count`` candidates, the best first; nothing is new and all sellers differ, unless said."""
    zeros = np.zeros(count, int)
    impressions, new = (zeros if impressions is None else impressions), (zeros > 0 if new is None else new)
    seller = np.arange(count) if seller is None else seller
    return mix(
        np.linspace(1, 0, count), impressions, new, seller, list(ads), 10, Exposure(share=share, **rules), rng, far
    )


def explored(page) -> list[int]:
    return [place.candidate for place in page if place.reason == "exploration"]


def test_exploration_gets_its_share_of_places():
    rng = np.random.default_rng(0)
    new = np.arange(60) >= 40  # by score alone no new thing would ever be shown
    assert np.mean([len(explored(mixed(rng, 0.15, new=new))) for _ in range(400)]) == pytest.approx(1.5, abs=0.1)
    tired = np.where(new, 10, 0)
    tired[50] = 4
    assert explored(mixed(rng, 0.1, new=new, impressions=tired)) == [50]
    assert [p.candidate for p in mixed(rng, 0.0, new=new)] == list(range(10))


def test_half_of_exploration_is_beyond_the_sources():
    rng, new, far = np.random.default_rng(0), np.arange(60) >= 40, np.arange(60) >= 50
    pages = [explored(mixed(rng, 0.4, new=new, far=far)) for _ in range(300)]
    assert np.mean([sum(far[page]) for page in pages]) == pytest.approx(2.0, abs=0.05)
    assert np.mean([sum(~far[page]) for page in pages]) == pytest.approx(2.0, abs=0.05)
    # Where one kind is missing, the other takes its places; without the rule all is as if nothing were beyond.
    for have in (far, new & ~far):
        assert len(explored(mixed(rng, 0.4, new=have, far=far))) == 4
    ways = ((0.0, np.zeros(60, bool)), (0.5, None))
    one, two = (mixed(np.random.default_rng(3), 0.35, new=new, far=mask, beyond=share) for share, mask in ways)
    assert one == two


def test_a_page_has_ads_and_mixed_sellers():
    rng = np.random.default_rng(1)
    seller = np.r_[np.zeros(20, int), np.arange(20)]
    page = mixed(rng, 0, seller=seller, ads=[30, 0], count=40, per_seller=3)
    assert [page[slot].candidate for slot in AD_SLOTS] == [30, 0]
    ids = [p.candidate for p in page]
    assert len(set(ids)) == len(ids) == 10
    assert sum(seller[i] == 0 and p.reason == "ranked" for i, p in zip(ids, page, strict=True)) <= 3
    assert len(mixed(rng, 0, seller=np.zeros(12, int), count=12)) == 10  # one seller alone still fills the page
