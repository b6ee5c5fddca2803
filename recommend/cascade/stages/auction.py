"""Ads: a reserve and the second price, by expected revenue for a thousand impressions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from recommend.cascade.page import AD_SLOTS, FeedConfig, Outcome, PageState


class Auction:
    """Ads among the ranked items that bid at least the reserve."""

    name = "auction"

    def __init__(self, config: FeedConfig, rng: np.random.Generator) -> None:
        self.config, self.rng = config, rng

    def __call__(self, page: PageState) -> None:
        """Fill ``page.outcome``."""
        config, bid = self.config, page.bid[page.bidding]
        slots = len([slot for slot in AD_SLOTS if slot < page.size])
        page.outcome = auction(page.ads.values, bid, slots, config.reserve, config.uniform_ads, self.rng)


def second_price(pctr: np.ndarray, bid: np.ndarray, slots: int, reserve: float) -> Outcome:
    """The ``slots`` candidates of highest eCPM win; each pays, for a click, what the next one would have earned.

    Args:
        pctr: (n,) click probabilities, calibrated: prices are wrong by as much as they are.
        bid: (n,) for a click, at least 0.
        reserve: lowest price for a click; bids below it do not take part.

    Returns:
        Prices lie between the reserve and the winner's own bid.
    """
    ecpm = 1000 * pctr * bid
    able = np.flatnonzero((bid >= reserve) & (bid > 0))
    order = able[np.argsort(-ecpm[able], kind="stable")]
    winners = order[:slots]
    following = np.append(ecpm[order[1 : slots + 1]], 0.0)[: len(winners)]
    fair = following / (1000 * np.maximum(pctr[winners], 1e-9))
    return Outcome(winners, np.clip(fair, reserve, bid[winners]), ecpm, np.ones(len(winners)))


def auction(
    pctr: np.ndarray, bid: np.ndarray, slots: int, reserve: float, uniform: float, rng: np.random.Generator
) -> Outcome:
    """``second_price``, but for a share ``uniform`` of the pages, whose ads are drawn from all that could take part.

    These pages are the unbiased sample that models of ads are judged by. Who is drawn pays the reserve.
    """
    outcome = second_price(pctr, bid, slots, reserve)
    if uniform <= 0:
        return outcome
    able = np.flatnonzero((bid >= reserve) & (bid > 0))
    count = min(slots, len(able))
    chance = uniform * count / max(len(able), 1)
    if rng.random() >= uniform:
        return replace(outcome, propensity=np.full(len(outcome.winners), 1 - uniform + chance))
    drawn = rng.permutation(able)[:count]
    propensity = chance + (1 - uniform) * np.isin(drawn, outcome.winners)
    return Outcome(drawn, np.full(count, reserve), outcome.ecpm, propensity, uniform=True)
