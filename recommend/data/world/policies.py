"""Who chooses what is shown: an organic policy, an ad auction with its own taste model, a uniform slice.

Neither policy sees the truth. The organic one knows the first five eighths of the taste dimensions and likes listings
with many pieces, the ads one knows the last five eighths and orders by bid times its estimate: two selections of one
pool that overlap and differ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommend.data.world.chance import Floats, Ints, logit, sigmoid
from recommend.data.world.config import WorldConfig

NEVER = np.float32(-1e9)
AD_SLOTS = (2, 7)  # 0-based places of the ads on a feed page


def known_dims(config: WorldConfig, policy: str) -> slice:
    """The taste dimensions that a policy's own model knows."""
    part = max(1, config.taste_dims * 5 // 8)
    return slice(config.taste_dims - part, None) if policy == "ads" and config.policies_differ else slice(0, part)


def partial_taste(user: Floats, vectors: Floats, dims: slice) -> Floats:
    """(pages, n) match of users (pages, k) and items (pages, n, k) in some dimensions, about unit variance."""
    u, v = user[:, dims], vectors[:, :, dims]
    return np.einsum("rk,rnk->rn", u, v) / np.float32(np.sqrt(u.shape[1]))


def top(score: Floats, k: int) -> Ints:
    """(pages, k) columns of the k best, best first."""
    best = np.argpartition(-score, k - 1, axis=1)[:, :k]
    inside = np.argsort(-np.take_along_axis(score, best, axis=1), axis=1, kind="stable")
    return np.take_along_axis(best, inside, axis=1)


def noisy_top(rng: np.random.Generator, score: Floats, k: int, temperature: float) -> tuple[Ints, Floats]:
    """Plackett-Luce draw of k of n, with each drawn row's probability to be among the k, given the candidates.

    In exponential-clock form row i rings at Exp(w_i); it is among the first k when it rings before a time t with
    sum_i 1 - exp(-w_i t) = k, which gives the inclusion probability 1 - exp(-w_i t) (exact for many candidates, within
    about a hundredth here). t is found by bisection on its logarithm.
    """
    scaled = score / np.float32(temperature)
    drawn = top(scaled + rng.gumbel(size=score.shape).astype(np.float32), k)
    weight = np.exp(np.clip(scaled - scaled.max(axis=1, keepdims=True), -60, 0))
    weight[score <= NEVER / 2] = 0
    low, high = np.full(len(score), -5.0), np.full(len(score), 25.0)
    for _ in range(16):
        middle = (low + high) / 2
        expected = (1 - np.exp(-weight * np.exp(middle)[:, None])).sum(axis=1)
        low, high = np.where(expected < k, middle, low), np.where(expected < k, high, middle)
    included = 1 - np.exp(-np.take_along_axis(weight, drawn, axis=1) * np.exp(high)[:, None])
    return drawn, np.clip(included, 1e-6, 1).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Auction:
    """(pages, candidates) arrays of a second-price auction by expected revenue, and who was shown."""

    predicted_ctr: Floats
    ecpm: Floats
    rank: Ints
    shown: Ints  # (pages, slots) columns
    propensity: Floats  # (pages, slots)
    uniform: np.ndarray  # (pages,) the page's ads were drawn uniformly
    price_per_click: Floats  # (pages, candidates), 0 for who was not shown


def auction(rng: np.random.Generator, config: WorldConfig, appeal: Floats, bid: Floats, barred: np.ndarray) -> Auction:
    """Order by bid x predicted CTR; some pages show a uniform draw instead (they pay their own bid's floor, 0)."""
    pages, n = appeal.shape
    predicted = sigmoid(logit(config.click_rate) - np.float32(0.5) + np.float32(0.9) * appeal)
    money = predicted * bid if config.policies_differ else predicted
    ecpm = np.where(barred, np.float32(0), 1000 * money).astype(np.float32)
    order = np.argsort(-np.where(barred, -1, ecpm), axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.broadcast_to(np.arange(n), order.shape), axis=1)
    uniform = np.asarray(rng.random(pages) < config.uniform_share)
    slots = len(AD_SLOTS)
    random = top(np.where(barred, NEVER, rng.random((pages, n), dtype=np.float32)), slots)
    shown = np.where(uniform[:, None], random, order[:, :slots])
    chance = config.uniform_share * slots / np.maximum((~barred).sum(axis=1), slots)
    best = np.take_along_axis(rank, shown, axis=1) < slots
    propensity = chance[:, None] + (1 - config.uniform_share) * best
    following = np.take_along_axis(ecpm, order[:, 1 : slots + 1], axis=1)
    own = np.take_along_axis(predicted, order[:, :slots], axis=1)
    price = np.zeros_like(ecpm)
    # What the next in order would have earned, in clicks of the winner's own rate.
    np.put_along_axis(price, order[:, :slots], np.where(uniform[:, None], 0, following / (1000 * own)), axis=1)
    return Auction(predicted, ecpm, rank, shown, propensity.astype(np.float32), uniform, price)
