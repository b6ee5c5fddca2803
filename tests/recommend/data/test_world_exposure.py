"""The world's mechanisms of exposure: pages, entities, channels, policies, auctions, candidates."""

from __future__ import annotations

import numpy as np
import pytest

from recommend.data.schema import CHANNELS, POLICIES
from recommend.data.world import World, make_config, simulate
from recommend.data.world.pages import ITEM, POST
from recommend.data.world.policies import known_dims, noisy_top
from recommend.data.world.users import ADS, BASE, POSTS

SIZES = {"impressions": 60_000, "users": 254, "new_items_per_day": 1_200, "many_items": 300, "posts_per_day": 45}


def small_world(seed: int = 3, **knobs: object) -> World:
    return simulate(make_config("full", SIZES | knobs), seed)


@pytest.fixture(scope="module")
def world() -> World:
    return small_world()


def channel(world: World, name: str) -> np.ndarray:
    return world.rows["channel"] == CHANNELS.index(name)


def policy(world: World, name: str) -> np.ndarray:
    return world.rows["policy"] == POLICIES.index(name)


def test_pages_are_lists_of_up_to_ten_different_things_at_one_moment(world: World) -> None:
    rows = world.rows
    _, first, size = np.unique(rows["page"], return_index=True, return_counts=True)
    assert size.max() == 10
    assert size.mean() > 9.9
    assert (np.diff(rows["page"]) >= 0).all()
    for name in ("time", "user"):
        assert (rows[name] == np.repeat(rows[name][first], size)).all()
    shown = np.stack([rows["page"], rows["entity"], rows["shown_id"]], axis=1)
    assert len(np.unique(shown, axis=0)) == len(shown)
    place = np.stack([rows["page"], rows["position"]], axis=1)
    assert len(np.unique(place, axis=0)) == len(place)


def test_the_rest_of_the_page_moves_clicks_and_privileged_features_show_it(world: World) -> None:
    rows = world.rows
    residual = rows["click"] - rows["p_click_without_page"]
    mood = rows["privileged"][:, 3]
    assert np.corrcoef(residual, mood)[0, 1] > 0.05
    assert np.corrcoef(residual, rows["privileged"][:, 1])[0, 1] < -0.01  # appealing rivals take clicks away


def test_without_the_page_effect_privileged_features_are_noise() -> None:
    rows = small_world(page_effect=0.0).rows
    np.testing.assert_allclose(rows["p_click"], rows["p_click_without_page"], rtol=1e-5)
    residual = rows["click"] - rows["p_click"]
    noise = 4 / np.sqrt(len(residual))
    assert np.abs([np.corrcoef(residual, c)[0, 1] for c in rows["privileged"].T if c.std() > 0]).max() < noise


def test_posts_are_an_entity_of_their_own(world: World) -> None:
    rows, posts = world.rows, world.truth.posts
    video = channel(world, "video")
    assert (rows["entity"][video] == POST).all()
    assert (rows["entity"][~video] == ITEM).all()
    assert (rows["post"][video] >= 0).all()
    assert (rows["post"][~video] == -1).all()
    assert not rows["order"][video].any()
    assert 0.3 < (posts.item >= 0).mean() < 0.5
    # what only posts have moves clicks on posts
    liked = world.truth.users.topic_taste[rows["user"], posts.topic[rows["post"]]][video] > 1
    assert rows["click"][video][liked].mean() > 1.3 * rows["click"][video][~liked].mean()


@pytest.mark.parametrize(
    ("knob", "row"), [("entity_taste_corr", POSTS), ("channel_taste_corr", ADS)], ids=["entities", "channels"]
)
@pytest.mark.parametrize("wanted", [0.0, 0.7])
def test_taste_elsewhere_correlates_as_the_knob_says(knob: str, row: int, wanted: float) -> None:
    taste = small_world(**{knob: wanted, "impressions": 2_000}).truth.users.taste
    assert np.corrcoef(taste[BASE].ravel(), taste[row].ravel())[0, 1] == pytest.approx(wanted, abs=0.05)


def test_ads_are_an_eighth_of_the_super_domain(world: World) -> None:
    assert channel(world, "ads").mean() == pytest.approx(0.12, abs=0.01)
    assert channel(world, "video").mean() == pytest.approx(0.10, abs=0.015)
    assert (channel(world, "ads") == world.rows["ad"]).all()
    per_user = len(world.rows["user"]) / world.config.users
    assert per_user == pytest.approx(236, rel=0.02)


def selected_taste(world: World, row: np.ndarray, dims: slice, taste: int) -> float:
    rows, truth = world.rows, world.truth
    user, vector = truth.users.taste[taste][rows["user"][row]], truth.items.vector[rows["item"][row]]
    return float((user[:, dims] * vector[:, dims]).mean())


def test_the_two_policies_select_by_different_parts_of_taste(world: World) -> None:
    organic_only, ads_only = slice(0, 6), slice(10, 16)
    assert known_dims(world.config, "organic") != known_dims(world.config, "ads")
    ads, feed = policy(world, "ads"), channel(world, "feed")
    assert selected_taste(world, ads, ads_only, ADS) > 3 * selected_taste(
        world, policy(world, "uniform"), ads_only, ADS
    )
    assert selected_taste(world, ads, ads_only, ADS) > 2 * selected_taste(world, feed, ads_only, ADS)
    assert selected_taste(world, feed, organic_only, BASE) > 2 * selected_taste(world, ads, organic_only, BASE)


def test_one_selector_for_both_when_the_knob_is_off() -> None:
    same = small_world(policies_differ=False)
    assert known_dims(same.config, "organic") == known_dims(same.config, "ads")
    ads, feed = policy(same, "ads"), channel(same, "feed")
    hidden = slice(10, 16)
    assert selected_taste(same, ads, hidden, BASE) == pytest.approx(selected_taste(same, feed, hidden, BASE), abs=0.04)


def test_propensity_of_the_organic_draw_is_the_frequency_of_being_shown() -> None:
    rng = np.random.default_rng(0)
    score = rng.normal(size=(1, 40)).astype(np.float32)
    drawn, propensity = noisy_top(rng, np.repeat(score, 20_000, axis=0), 8, 0.5)
    frequency = np.bincount(drawn.ravel(), minlength=40) / 20_000
    # Given the draw, the estimate is one number per candidate: compare where it was drawn.
    estimate = np.full(40, np.nan)
    estimate[drawn.ravel()] = propensity.ravel()
    seen = frequency > 0
    np.testing.assert_allclose(estimate[seen], frequency[seen], atol=0.03)


def test_uniform_pages_show_each_candidate_alike(world: World) -> None:
    uniform = policy(world, "uniform")
    share = uniform.sum() / channel(world, "ads").sum()
    assert share == pytest.approx(world.config.uniform_share, abs=0.01)
    log = world.candidates
    chosen = log["shown"] & log["uniform"]
    ranks = log["rank"][chosen]
    assert abs(ranks.mean() - log["rank"][log["uniform"]].mean()) < 4 * 17 / np.sqrt(chosen.sum())
    assert world.rows["propensity"][policy(world, "ads")].min() > 0.9


def test_the_auction_goes_to_the_highest_expected_revenue_at_the_second_price(world: World) -> None:
    log = world.auctions
    usual = ~log["uniform"]
    np.testing.assert_allclose(log["ecpm"], 1000 * log["bid"] * log["score"], rtol=1e-4)
    assert (log["shown"][usual] == (log["rank"][usual] < 2)).all()
    first = log["rank"] == 0
    second = np.flatnonzero(first) + 1
    assert (log["page"][second] == log["page"][first]).all()
    assert (log["ecpm"][first] >= log["ecpm"][second]).all()
    won = log["shown"] & usual
    assert (log["price"][won] <= log["bid"][won] * (1 + 1e-4)).all()
    np.testing.assert_allclose(
        log["price"][first & won], (log["ecpm"][second] / (1000 * log["score"][first]))[usual[first]], rtol=1e-4
    )


def test_bids_spread_as_real_bidders_do(world: World) -> None:
    bid = world.truth.items.bid[world.truth.items.ad]
    assert np.log(bid).std() == pytest.approx(world.config.bid_log_sd, rel=0.05)


def test_all_ranking_candidates_are_logged_not_only_the_shown_ones(world: World) -> None:
    log, rows = world.candidates, world.rows
    page, size = np.unique(log["page"], return_counts=True)
    assert size.mean() > 40
    shown = log["shown"]
    assert np.bincount(np.searchsorted(page, log["page"]), weights=shown).max() == 2
    impressions = set(zip(rows["page"][rows["ad"]].tolist(), rows["item"][rows["ad"]].tolist(), strict=True))
    logged = set(zip(log["page"][shown].tolist(), log["item"][shown].tolist(), strict=True))
    assert len(logged - impressions) < 0.01 * len(logged)  # those sold before the page came up are not shown
    for i in page[:50]:
        ranks = log["rank"][log["page"] == i]
        assert (np.diff(ranks) > 0).all()
        assert ranks[0] == 0
