"""Prices of the auction, and the rules by which a page is mixed."""

from __future__ import annotations

import numpy as np
import pytest

from recommend.cascade.page import AD_SLOTS, Exposure
from recommend.cascade.stages.auction import second_price
from recommend.cascade.stages.mix import mix


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
