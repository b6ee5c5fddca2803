"""Marginals of real logs from which rates of the simulated world were set; ``world_calibration`` prints them beside it.

Read from ``IPL_DATA`` (default ``../shared/data``).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from recommend.data.schema import POLICIES
from recommend.imports.maps import data_root, log_files, read_map
from recommend.research.events import read_events
from recommend.simulation.config import DAY_MS, HOUR_MS

Figures = dict[str, float]


def quantiles(name: str, values: np.ndarray, at: tuple[int, ...]) -> Figures:
    """``name, q %`` for each q."""
    return {f"{name}, {q} %": float(np.percentile(values, q)) for q in at}


def taobao() -> Figures:
    """Delays, carts, new items, activity, hours of the Taobao UserBehavior sample (UTC+8 days)."""
    log = pd.DataFrame(read_events("taobao"))
    day = log.day - (log.day.max() - 8)  # the sample's whole days are 0..8
    view, cart, buy = "click", "cart", "order"
    clicks, buys = log[log.behaviour == view], log[log.behaviour == buy]
    pair = ["user_id", "item_id"]
    first = clicks.groupby(pair).time_ms.min().rename("first").reset_index()
    bought = buys.merge(first, on=pair).query("time_ms >= first")
    hours = (bought.time_ms - bought["first"]) / HOUR_MS
    # Slow orders of late clicks fall outside the sample: only its first two days can be followed for a week.
    followed = hours[bought["first"] < log.time_ms.max() - 7 * DAY_MS]
    kinds = log.groupby(pair).behaviour.agg(set)
    kinds = kinds[[(view in k) for k in kinds]]
    has = {name: np.array([code in k for k in kinds]) for name, code in (("buy", buy), ("cart", cart))}
    late = day >= 7
    earlier_items = log.item_id[~late].unique()
    count = log.groupby("item_id").size()
    per_user = log.groupby("user_id").size()
    per_day = log.groupby(day).size()
    hour = np.bincount(log.time_ms % DAY_MS // HOUR_MS, minlength=24) / len(log)
    return {
        **quantiles("click to order, hours", followed.to_numpy(), (50, 75, 90)),
        **{f"(truncated) {k}": v for k, v in quantiles("click to order, hours", hours.to_numpy(), (50, 90)).items()},
        "orders per click": float(has["buy"].mean()),
        "carts per click": float(has["cart"].mean()),
        "orders per cart": float(has["buy"][has["cart"]].mean()),
        "events of the last 2 days on unseen items": float(1 - log.item_id[late].isin(earlier_items).mean()),
        "items with one event": float((count == 1).mean()),
        "items with 3 events or fewer": float((count <= 3).mean()),
        "activity, 90 % over 50 %": float(per_user.quantile(0.9) / per_user.quantile(0.5)),
        "busy days' traffic over others'": float(per_day.loc[7:8].mean() / per_day.loc[0:6].mean()),
        "busiest hour's share": float(hour.max()),
    }


def retail() -> Figures:
    """Cancellations and reduced prices of Online Retail."""
    log = pd.DataFrame(read_events("online_retail"))
    orders, back = log[log.behaviour == "order"], log[log.behaviour == "refund"].sort_values("time_ms")
    joined = pd.merge_asof(
        back, orders.assign(of=orders.time_ms).sort_values("time_ms"), on="time_ms", by=["user_id", "item_id"]
    )
    days = ((joined.time_ms - joined["of"]).dropna() / DAY_MS).to_numpy()
    lines = pd.read_parquet(log_files(read_map("online_retail")[0])[0])  # those without a customer as well
    lines = lines[~lines.is_cancel & (lines.UnitPrice > 0)]
    share = (lines.UnitPrice / lines.groupby("StockCode").UnitPrice.transform("median")).to_numpy()
    return {
        "refunds per order": len(days) / len(orders),
        **quantiles("order to refund, days", days, (10, 25, 50, 75, 90)),
        "orders reduced by 20 % or more": float((share <= 0.8).mean()),
        "reduction there, median": float(np.median(1 - share[share <= 0.8])),
    }


def ebay() -> Figures:
    """Spread of bidders and prices in single-lot auctions."""
    log = pd.read_parquet(data_root() / "ebay_auction_bids/bids.parquet")
    best = np.log(log.groupby(["auction_id", "bidder"]).bid.max())
    lots = log.groupby("auction_id").agg(price=("price", "first"), item=("item", "first"), n=("bidder", "nunique"))
    return {
        "bids, sd of the logarithm": float(best.groupby("auction_id").std().median()),
        "prices of one kind, sd of the logarithm": float(np.log(lots.price).groupby(lots["item"]).std().median()),
        "people who want a single item that sells": float(lots.n.mean()),
    }


def bandit() -> Figures:
    """Click rates of Open Bandit, by policy."""
    n = read_events("open_bandit")
    uniform, selected = (n["click"][n["policy"] == POLICIES.index(p)].mean() for p in ("uniform", "organic"))
    return {
        "click rate": float(n["click"].mean()),
        "selected rows' click rate over uniform": float(selected / uniform),
    }


LOGS: dict[str, Callable[[], Figures]] = {
    "Taobao UserBehavior sample": taobao,
    "Online Retail (UCI)": retail,
    "eBay single-lot auctions": ebay,
    "Open Bandit, 60,000 rows": bandit,
}
