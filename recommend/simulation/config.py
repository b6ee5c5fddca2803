"""Every knob of World 2 with its default; ``docs/world.md`` says which have a source."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import yaml

from recommend.errors import RecommendError

WORLD_VERSION = "2.0.0"  # frozen: a changed default or mechanism needs a new version
JUDGES = 9_000  # seeds from here on judge: nothing is tuned or calibrated on them
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

# (share, value) points of an inverse distribution function; between them the logarithm of the value is linear.
Quantiles = tuple[tuple[float, float], ...]


class KnobError(RecommendError, ValueError):
    """A knob does not exist or has a value outside its range."""


@dataclass(frozen=True, slots=True)
class WorldConfig:
    """Sizes, rates and mechanisms. Rates are shares; effects are log-odds of a standard deviation unless said."""

    # sizes
    impressions: int = 1_000_000
    clicks: int = 1_000_000  # of the view of clicks
    requests: int = 1_000  # of the view of candidates
    candidates: int = 500
    days: int = 30  # of impressions
    click_days: int = 395  # of the view of clicks: 13 months
    user_rows: int = 236  # impressions a user
    categories: int = 30
    brands: int = 40
    topics: int = 12
    dims: int = 16  # of taste
    interests: int = 3  # a user
    segments: int = 3
    new_users: float = 0.4  # share that comes while the log runs

    # things on sale
    long_share: float = 0.65  # share of the candidates that are listings with many pieces
    long_rows: int = 2_500  # impressions a long listing
    zipf: float = 0.6  # exponent of the popularity of long listings, independent of what they are
    single_rows: float = 1.0  # impressions a short-lived listing: rarity of ids (one epoch)
    stock_tells: float = 1.0  # how far the stock flag tells the short-lived from the long-lived (MSNet); 0: a coin
    life_days: float = 14.0  # mean until an unsold short-lived thing is withdrawn
    sold_elsewhere: float = 0.3  # share of short-lived things that people outside this log buy
    post_rows: float = 100.0
    id_signal: float = 0.12  # share of a thing's taste vector that no other field tells
    content_signal: float = 0.5  # share of the content vector that is the taste vector
    price_log_sd: float = 0.5
    ad_share: float = 0.3
    bid_log_sd: float = 0.48  # within a category; studies sweep .3 to 1.5
    bid_category_sd: float = 0.3

    # what is shown
    feed_pages: float = 0.6  # 8 organic rows and 2 ads
    search_pages: float = 0.3  # 10 rows
    video_pages: float = 0.1  # 10 posts
    session_pages: float = 3.0
    organic_noise: float = 1.0
    selection: float = 1.5  # of ads, by what no log holds and by bids (Rec4Ad); 0: at random
    uniform_share: float = 0.25  # feed pages whose ads are drawn at random
    intent_effect: float = 1.5  # what the ads' policy knows and no log holds; from none to twice that by category
    traffic: float = 1.3  # on promotion days

    # clicks
    click_offset: float = -5.7
    post_offset: float = -5.3
    taste: float = 7.0  # log-odds a unit of match, about 0.2 .. 1
    interest_noise: float = 0.3  # length of an interest's own part beside its category's vector of length 1
    profile: float = 2.4  # how much age and city tell of interests
    channel_corr: float = 0.6  # share of tastes that ads and the other channels have in common (KEEP)
    entity_corr: float = 0.6  # share of interests that posts and items have in common (MKT)
    cross: float = 0.4  # city x brand, which is no product of short vectors (COPR)
    quality_effect: float = 0.2
    clicky_sd: float = 0.15
    thrift_mean: float = -0.15
    thrift_sd: float = 0.2
    ad_effect: tuple[float, ...] = (-0.8, -0.4, 0.2)  # of each segment
    position_effect: float = -0.07  # a place
    fatigue: float = -0.05  # a page of the session
    repeat: float = -0.2  # each time it was seen before on that day
    click_drift: float = 0.15  # of categories, around their mean
    page_effect: float = 1.0  # what the rest of the page does to a click (CLID)
    signal_taste: float = 0.0  # correlation of a privileged signal with a row's appeal, at page_effect >= 1

    # orders and refunds
    order_offset: float = -3.3
    cart_offset: float = -2.2
    buyer_sd: float = 0.4
    order_category_sd: float = 0.65
    order_price: float = -0.45
    order_taste: float = 0.8
    order_drift: float = 0.1
    refund_rate: float = 0.25  # of orders (ECAD)
    refund_user_sd: float = 0.7
    refund_category_sd: float = 0.9
    refund_hours: float = 6.0  # median
    promotion_every: int = 40
    promotion_days: int = 3
    promotion_first: int = 20
    kinds: int = 3
    uplift: float = 0.5  # of an order's log-odds on promotion days, mean
    uplift_spread: float = 0.5  # its standard deviation over category x price x segment (HDR)
    wait: float = -0.3  # on the two days before
    # fmt: off
    order_delay_h: Quantiles = (
        (0.0, 0.005), (0.1, 0.08), (0.25, 0.4), (0.5, 4.2), (0.75, 33.0), (0.9, 96.0), (1.0, 216.0))
    # fmt: on

    def pages(self) -> int:
        """Pages of ten rows."""
        return self.impressions // 10

    def users(self) -> int:
        """People in the log."""
        return max(self.impressions // self.user_rows, 200)


@dataclass(frozen=True, slots=True)
class Knob:
    """The knob of a phenomenon: ``off`` turns it off; ``doses`` are five strengths, the default among them."""

    name: str
    off: float
    doses: tuple[float, ...]
    view: str  # impressions, clicks or candidates


KNOBS: dict[str, Knob] = {
    "msnet": Knob("stock_tells", 0.0, (0.2, 0.4, 0.6, 0.8, 1.0), "impressions"),
    "mkt": Knob("entity_corr", 0.0, (0.2, 0.4, 0.6, 0.75, 0.9), "impressions"),
    "keep": Knob("channel_corr", 0.0, (0.3, 0.45, 0.6, 0.75, 0.9), "impressions"),
    "clid": Knob("page_effect", 0.0, (0.25, 0.5, 0.75, 1.0, 1.5), "impressions"),
    "one_epoch": Knob("single_rows", 300.0, (20.0, 8.0, 4.0, 2.0, 1.0), "impressions"),
    "ecad": Knob("refund_rate", 0.0, (0.02, 0.1, 0.25, 0.35, 0.5), "clicks"),
    "hdr": Knob("uplift_spread", 0.0, (0.15, 0.3, 0.5, 0.7, 0.9), "clicks"),
    "copr": Knob("cross", 0.0, (0.2, 0.4, 0.6, 0.8, 1.0), "candidates"),
    "rec4ad": Knob("selection", 0.0, (0.5, 1.0, 1.5, 2.0, 3.0), "impressions"),
}

# Ads at random, and mostly of the same taste: what a pre-ranker loses shall be due to its size (COPR), not to selection
# (Rec4Ad) or to another channel (KEEP).
VIEWS: dict[str, dict[str, float]] = {
    "impressions": {}, "clicks": {}, "candidates": {"selection": 0.0, "channel_corr": 0.9}}  # fmt: skip

_SHARES = (
    "new_users", "long_share", "stock_tells", "sold_elsewhere", "id_signal", "content_signal", "ad_share",
    "uniform_share", "signal_taste", "channel_corr", "entity_corr", "refund_rate")  # fmt: skip


def _numbers(value: Any) -> Any:
    """Numbers as floats, lists of them as tuples, to any depth."""
    return tuple(map(_numbers, value)) if isinstance(value, list | tuple) else float(value)


def make_config(knobs: Mapping[str, Any] | None = None) -> WorldConfig:
    """The defaults with some knobs set otherwise; text is converted to the knob's type.

    Raises:
        KnobError: unknown knob (the nearest valid name is given), or a value outside its range.
    """
    default, values = WorldConfig(), dict(knobs or {})
    names = [f.name for f in fields(WorldConfig)]
    for name, value in values.items():
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1, cutoff=0)
            raise KnobError(f"the world has no knob '{name}'; the nearest is '{near[0]}'.")
        kind = type(getattr(default, name))
        try:
            read = yaml.safe_load(value) if kind is tuple and isinstance(value, str) else value
            values[name] = _numbers(read) if kind is tuple else kind(read)
        except (TypeError, ValueError, yaml.YAMLError) as error:
            raise KnobError(f"knob '{name}' needs a value like {getattr(default, name)!r}, not {value!r}.") from error
    config = replace(default, **values)
    for name in _SHARES:
        if not 0 <= getattr(config, name) <= 1:
            raise KnobError(f"knob '{name}' is a share: choose a value from 0 to 1.")
    for field in fields(WorldConfig):
        if isinstance(getattr(default, field.name), int) and getattr(config, field.name) <= 0:
            raise KnobError(f"knob '{field.name}' must be above 0.")
    if abs(config.feed_pages + config.search_pages + config.video_pages - 1) > 1e-6:
        raise KnobError("feed_pages, search_pages and video_pages must add up to 1.")
    return config
