"""Days and hours: promotions of two kinds, traffic over the day, drifting appetite."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommend.data.world.chance import Floats, Ints, normal, stream
from recommend.data.world.config import WorldConfig

# Share of events by hour of the day, Taobao UserBehavior sample (benchmarks/recommend/world_marginals.py prints it).
HOURS = np.array(
    [35, 16, 8, 4, 5, 7, 16, 26, 33, 40, 45, 46, 40, 51, 50, 55, 54, 46, 49, 65, 78, 88, 79, 61], dtype=np.float64
)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Arrays over days. Kind 0 (A) reduces even categories, kind 1 (B) odd ones."""

    promotion: Ints  # 0 none, else 1, 2, ... in order
    days_to_promotion: Ints
    kind: Ints  # -1 without promotion
    traffic: Floats
    click_shift: Floats  # (days, categories), log-odds
    order_shift: Floats  # (days, categories), log-odds


def make_calendar(config: WorldConfig, seed: int) -> Calendar:
    """Promotions by rule (no chance in it), drift by a seeded random walk that starts at 0."""
    days = np.arange(config.days)
    since = days - config.promotion_first
    number = np.where(since >= 0, since // config.promotion_every + 1, 0)
    on = (since >= 0) & (since % config.promotion_every < config.promotion_days)
    wait = np.where(since < 0, -since, -since % config.promotion_every)
    never = config.promotion_days == 0
    promotion = np.where(on, number, 0)
    kind = np.where(on, (number - 1) % 2, -1)
    days_to = np.where(on, 0, config.days if never else wait)
    categories = np.arange(config.categories)
    reduced = on[:, None] & (categories[None] % 2 == kind[:, None])
    rng = stream(seed, "drift")
    click = _walk(rng, config.days, config.categories, config.click_drift) + 0.3 * reduced
    order = _walk(rng, config.days, config.categories, config.order_drift) + 0.3 * reduced
    order += (config.promotion_appetite * on + config.promotion_wait * (days_to == 1))[:, None]
    return Calendar(
        promotion=promotion,
        days_to_promotion=days_to,
        kind=kind,
        traffic=np.where(on, config.promotion_traffic, 1.0).astype(np.float32),
        click_shift=click.astype(np.float32),
        order_shift=order.astype(np.float32),
    )


def _walk(rng: np.random.Generator, days: int, categories: int, step: float) -> Floats:
    steps = step * normal(rng, days, categories)
    steps[0] = 0
    return np.cumsum(steps, axis=0)
