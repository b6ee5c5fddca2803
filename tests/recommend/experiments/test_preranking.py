"""Measures of pre-ranking: agreement with the ranking stage, what the auction earns, inversions by bids."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recommend.experiments.setups.preranking import Candidates, cascade, consistency, inversions_by_bids
from tests.recommend.ranked_lists import listed_teacher


def test_the_auction_earns_what_the_ranking_stage_lets_it() -> None:
    c = listed_teacher()
    best = np.log(c.revenue)
    assert cascade(c, best, passed=3) == {"revenue": 1, "clicks": 1}
    assert cascade(c, -best, passed=57) == {"revenue": 1, "clicks": 1}
    assert cascade(c, -best)["revenue"] < 0.2
    # By hand: three ads pass; the first pays for a click what the second offers a click of the first's own rate.
    score, bid = np.array([0.2, 0.1, 0.1, 0.4]), np.array([1, 1, 3, 4.0])
    one = Candidates({}, np.zeros(4), np.zeros(4), score, bid, np.full(4, 0.5), score > 1, score > 1)
    pass_three = np.array([3.0, 2.0, 1.0, 0.0])  # the best one, of revenue 1.6, is not among them
    full = 0.5 * 0.3 / 0.4 + 0.5 * 0.2 / 0.1
    assert cascade(one, pass_three, passed=3)["revenue"] == pytest.approx((0.5 * 0.2 / 0.1 + 0.5 * 0.1 / 0.2) / full)


def in_the_ranking_stages_order(c: Candidates) -> Candidates:
    """As a log holds candidates: each request's best first."""
    place = np.lexsort((-c.revenue, c.request))
    return replace(c, score=c.score[place], bid=c.bid[place], truth=c.truth[place])


def test_a_constant_earns_nothing_although_the_log_is_in_the_ranking_stages_order() -> None:
    c = in_the_ranking_stages_order(listed_teacher())
    assert all((np.diff(c.revenue[rows]) < 0).all() for rows in c.lists())
    constant = np.zeros(len(c.score))
    found = consistency(c, constant)
    assert (found["hr"], found["map"], found["inversions"]) == (0, 0, 1)
    assert cascade(c, constant) == cascade(c, -c.revenue)
    # The sixteen best share one value: the twelve worst of them pass, two of the first six among these.
    place = np.tile(np.arange(57), 30)
    assert consistency(c, np.where(place < 16, 1.0, 0.0))["hr"] == pytest.approx(2 / 6)


def test_candidates_of_equal_revenue_have_no_order_to_agree_with() -> None:
    c = listed_teacher(requests=2, n=4)
    c = replace(c, score=np.array([0.4, 0.2, 0.2, 0.1] * 2), bid=np.ones(8))
    assert consistency(c, np.array([4.0, 3.0, 2.0, 1.0] * 2))["inversions"] == 0
    assert consistency(c, np.array([4.0, 2.0, 3.0, 1.0] * 2))["inversions"] == 0
    assert consistency(c, np.array([1.0, 3.0, 2.0, 4.0] * 2))["inversions"] == 1
    assert consistency(c, np.array([3.0, 4.0, 2.0, 1.0] * 2))["inversions"] == pytest.approx(1 / 5)


def test_inversions_by_bids() -> None:
    c = listed_teacher()
    found = inversions_by_bids(c, c.score * 3, np.log(c.revenue))
    assert set(found.values()) == {0.0}
    rng = np.random.default_rng(5)
    p = c.score * np.exp(0.5 * rng.normal(size=len(c.score)))
    found = inversions_by_bids(c, p, np.log(p * c.bid))
    # Errors here do not depend on bids, so matching them changes nothing; far bids decide by themselves.
    assert found["inverted_matched"] == pytest.approx(found["inverted_far"], abs=0.02)
    assert found["inverted_near"] > found["inverted_far"] + 0.05
    alike = replace(c, bid=np.ones(len(p)))
    found = inversions_by_bids(alike, p, np.log(p))
    assert found["inverted_near"] == pytest.approx(consistency(alike, p)["inversions"])
    assert np.isnan([found["inverted_far"], found["inverted_matched"], found["lost_far"]]).all()


def test_the_stake_is_spread_over_all_near_or_far_pairs() -> None:
    """By hand: three near pairs and no far one but those with the last ad; one near and one far pair are inverted."""
    c = replace(listed_teacher(requests=1, n=4), score=np.array([0.4, 0.3, 0.2, 0.1]), bid=np.array([1, 1, 1, 4.0]))
    revenue = np.array([0.4, 0.3, 0.2, 0.4])  # the first and the last earn alike: no pair
    assert c.revenue == pytest.approx(revenue)
    found = inversions_by_bids(c, c.score, np.array([3.0, 4.0, 1.0, 2.0]))
    assert found["inverted_near"] == pytest.approx(1 / 3)
    assert found["lost_near"] == pytest.approx(0.1 / 3 / revenue.mean())
    assert found["inverted_far"] == pytest.approx(1 / 2)
    assert found["lost_far"] == pytest.approx(0.1 / 2 / revenue.mean())
