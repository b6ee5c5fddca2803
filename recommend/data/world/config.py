"""Every knob of the world with its frozen default. ``docs/recommender.md`` says which log each rate was set from."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from recommend.errors import RecommendError

WORLD_VERSION = "1.1.0"  # stands in every result; a changed default or mechanism needs a new version and new verdicts

Scale = Literal["small", "full"]
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

# (share, value) points of an inverse distribution function; between them the logarithm of the value is linear.
Quantiles = tuple[tuple[float, float], ...]


class KnobError(RecommendError, ValueError):
    """A knob does not exist or has a value outside its range."""


@dataclass(frozen=True, slots=True)
class WorldConfig:
    """Sizes, rates and mechanisms. Rates are shares, delays hours or days as the name says."""

    # sizes: those of scale "full"
    impressions: int = 1_000_000
    users: int = 4_240  # 236 impressions a user and month
    days: int = 30
    new_items_per_day: int = 20_000  # things listed with one piece
    many_items: int = 5_000  # listings with many pieces, there from the start
    posts_per_day: int = 750
    categories: int = 60
    topics: int = 12
    taste_dims: int = 16
    ticks_per_day: int = 6  # stock is looked at exactly; new listings appear at the next tick

    # pages and channels
    feed_pages: float = 0.6  # 8 organic rows and 2 ads: ads are 12 % of the rows
    search_pages: float = 0.3  # 10 rows of one category
    video_pages: float = 0.1  # 10 posts
    organic_candidates: int = 40
    ad_candidates: int = 60
    many_share: float = 0.15  # share of candidates that are listings with many pieces
    uniform_share: float = 0.1  # feed pages whose ads are drawn uniformly from the candidates
    candidate_log_share: float = 0.1  # feed pages whose ranking candidates are logged
    organic_noise: float = 0.5  # temperature of the organic policy
    policies_differ: bool = True  # off: ads are chosen by the organic rule, without bids

    # things on sale
    life_days: float = 1.5  # mean time until an unsold thing is withdrawn
    post_life_days: float = 2.0
    sold_leave: bool = True  # off: nothing ever sells out
    ad_share: float = 0.2
    bid_log_sd: float = 0.48
    price_log_sd: float = 0.5
    side_signal: float = 0.6  # share of an item's taste vector that category and seller explain
    content_signal: float = 0.5  # share of the content vector that is the taste vector

    # appetite
    click_rate: float = 0.08
    order_rate: float = 0.06  # of clicks on items
    cart_rate: float = 0.12  # of clicks on items
    refund_rate: float = 0.019  # of orders
    activity_log_sd: float = 0.65
    taste_strength: float = 1.2
    channel_taste_corr: float = 0.85  # taste inside ads with taste elsewhere
    entity_taste_corr: float = 0.7  # taste for posts with taste for items
    ad_effect: float = -0.4  # log-odds of a click because it is an ad
    page_effect: float = 1.0  # what the rest of the page does to a click; 0 makes privileged features noise

    # time
    click_drift: float = 0.03  # daily step of each category's click log-odds
    order_drift: float = 0.05  # daily step of each category's order log-odds
    promotion_first: int = 4  # first day of the first promotion
    promotion_every: int = 9  # days between starts; kinds A and B alternate
    promotion_days: int = 2  # 0: no promotion ever
    promotion_traffic: float = 1.3
    promotion_appetite: float = 0.7  # order log-odds on promotion days, all categories
    promotion_wait: float = -0.5  # order log-odds on the day before
    promotion_buyers: float = 0.5  # how much promotion days draw people who buy anyway
    promotion_join: float = 0.07  # share of the kind's things that are reduced
    order_delay_h: Quantiles = (
        (0.0, 0.005),
        (0.1, 0.08),
        (0.25, 0.4),
        (0.5, 4.2),
        (0.75, 33.0),
        (0.9, 96.0),
        (1.0, 216.0),
    )
    refund_delay_d: Quantiles = (
        (0.0, 0.02),
        (0.1, 0.13),
        (0.25, 4.1),
        (0.5, 9.4),
        (0.75, 24.0),
        (0.9, 66.0),
        (1.0, 90.0),
    )
    cart_delay_h: Quantiles = ((0.0, 0.003), (0.5, 0.1), (0.9, 12.0), (1.0, 72.0))
    fast_delays: float = 1.0  # all delays are multiplied by it

    def pages(self) -> int:
        """Number of result pages, ten rows each."""
        return self.impressions // 10


SCALES: dict[str, dict[str, Any]] = {
    "full": {},
    "small": {
        "impressions": 200_000,
        "users": 848,
        "new_items_per_day": 4_000,
        "many_items": 1_000,
        "posts_per_day": 150,
    },
}
_SHARES = (
    "feed_pages",
    "search_pages",
    "video_pages",
    "many_share",
    "uniform_share",
    "candidate_log_share",
    "ad_share",
    "side_signal",
    "content_signal",
    "click_rate",
    "order_rate",
    "cart_rate",
    "refund_rate",
    "channel_taste_corr",
    "entity_taste_corr",
    "promotion_join",
)
_POSITIVE = (
    "impressions",
    "users",
    "days",
    "new_items_per_day",
    "many_items",
    "posts_per_day",
    "categories",
    "topics",
    "taste_dims",
    "ticks_per_day",
    "organic_candidates",
    "ad_candidates",
    "life_days",
    "post_life_days",
    "organic_noise",
    "promotion_every",
    "fast_delays",
)


def make_config(scale: Scale = "full", knobs: Mapping[str, Any] | None = None) -> WorldConfig:
    """The defaults of a scale with some knobs set otherwise.

    Args:
        scale: ``full`` (1 M impressions) or ``small`` (a fifth of everything that has a size).
        knobs: field name of ``WorldConfig`` to value; text is converted to the field's type.

    Raises:
        KnobError: unknown scale or knob (the nearest valid name is given), or a value outside its range.
    """
    if scale not in get_args(Scale):
        raise KnobError(f"there is no scale '{scale}'; use one of {', '.join(get_args(Scale))}.")
    defaults = WorldConfig()
    values = dict(SCALES[scale])
    for name, value in (knobs or {}).items():
        values[name] = _convert(name, value, defaults)
    config = WorldConfig(**values)
    _check(config)
    return config


def _convert(name: str, value: Any, defaults: WorldConfig) -> Any:
    names = [f.name for f in fields(WorldConfig)]
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1, cutoff=0)
        raise KnobError(f"the world has no knob '{name}'; the nearest is '{near[0]}'.")
    kind = type(getattr(defaults, name))
    if kind is tuple:
        return tuple((float(share), float(delay)) for share, delay in value)
    if kind is bool and isinstance(value, str):
        if value.lower() not in ("true", "false", "1", "0", "on", "off"):
            raise KnobError(f"knob '{name}' is a switch: write true or false, not '{value}'.")
        return value.lower() in ("true", "1", "on")
    try:
        return kind(value)
    except (TypeError, ValueError) as error:
        raise KnobError(f"knob '{name}' needs a value like {getattr(defaults, name)!r}, not {value!r}.") from error


def _check(config: WorldConfig) -> None:
    for name in _SHARES:
        if not 0 <= getattr(config, name) <= 1:
            raise KnobError(f"knob '{name}' is a share: choose a value from 0 to 1.")
    for name in _POSITIVE:
        if getattr(config, name) <= 0:
            raise KnobError(f"knob '{name}' must be above 0.")
    for name in ("click_rate", "order_rate", "cart_rate", "refund_rate"):
        if not 0 < getattr(config, name) < 1:
            raise KnobError(f"knob '{name}' is a rate between 0 and 1, both excluded.")
    if abs(config.feed_pages + config.search_pages + config.video_pages - 1) > 1e-6:
        raise KnobError("feed_pages, search_pages and video_pages must add up to 1.")
    if config.organic_candidates < 10 or config.ad_candidates < 5:
        raise KnobError("a page needs at least 10 organic candidates and 5 ads to choose from.")
    if 24 % config.ticks_per_day:
        raise KnobError("ticks_per_day must divide 24.")
    if config.promotion_days > config.promotion_every:
        raise KnobError("promotion_days must not exceed promotion_every.")
