"""What users do with the pages: flat rows with their true probabilities, clicks, and what follows a click."""

from __future__ import annotations

import numpy as np

from recommend.data.world.chance import Floats, Ints, from_quantiles, normal, sigmoid
from recommend.data.world.click_model import ClickModel
from recommend.data.world.config import HOUR_MS
from recommend.data.world.pages import AD_CHANNEL, ITEM, ROWS, Pages
from recommend.data.world.stock import Wishes

Rows = dict[str, np.ndarray]
PRIVILEGED = ("price against the page", "appeal of the rivals", "share of its category", "noisy mood of the page")
_USUAL_APPEAL, _USUAL_SHARE = 0.13, 0.10  # means in the default world: the signals are centred
_CLICK_SECONDS = 12.0  # mean time from the page to the click


def rows_of(truth: ClickModel, pages: Pages, moment: Ints, day: int, left: Ints, mood_rng: np.random.Generator) -> Rows:
    """Flat rows of some pages, with everything a click depends on and its true probability.

    Args:
        moment: (pages of the tick,) ms, indexed by ``pages.page``.
        left: pieces left of each item when the tick began.
    """
    n = len(pages.user)
    flat: Rows = {
        "page": np.repeat(pages.page, ROWS),
        "user": np.repeat(pages.user, ROWS),
        "shown_id": pages.shown_id.ravel(),
        "channel": pages.channel.ravel().astype(np.int64),
        "policy": pages.policy.ravel().astype(np.int64),
        "propensity": pages.propensity.ravel(),
        "position": np.tile(np.arange(ROWS), n),
        "entity": np.full(n * ROWS, pages.entity),
    }
    flat["time"] = moment[flat["page"]]
    flat["ad"] = flat["channel"] == AD_CHANNEL
    shown_id = flat["shown_id"]
    if pages.entity == ITEM:
        items = truth.items
        z = truth.price_z(shown_id, day)
        log_odds = truth.item_click(flat["user"], shown_id, flat["ad"], flat["position"], day, flat["time"])
        quality, category = items.quality[shown_id], items.category[shown_id]
        flat["price"] = (items.price[shown_id] * (1 - truth.discount(shown_id, day))).round(2)
        flat["stock"] = left[shown_id]
        flat["item"], flat["post"] = shown_id, np.full(len(shown_id), -1)
    else:
        posts = truth.posts
        z = np.zeros(len(shown_id), dtype=np.float32)
        log_odds = truth.post_click(flat["user"], shown_id, flat["position"], day)
        quality, category = posts.quality[shown_id], posts.category[shown_id]
        flat["price"], flat["stock"] = np.zeros(len(shown_id), dtype=np.float32), np.full(len(shown_id), -1)
        flat["item"], flat["post"] = posts.item[shown_id], shown_id
    flat["category"] = category
    mood = np.repeat(normal(mood_rng, n), ROWS)
    flat["privileged"] = _page_context(z, quality, category, mood, n, mood_rng)
    flat["p_click_without_page"] = truth.without_page(log_odds)
    flat["p_click"] = sigmoid(log_odds + truth.page(flat["privileged"], mood))
    keep = pages.valid.ravel()
    return {name: values[keep] for name, values in flat.items()}


def _page_context(
    z: Floats, quality: Floats, category: Ints, mood: Floats, pages: int, rng: np.random.Generator
) -> Floats:
    """(rows, 4) privileged signals, centred: known only once the whole page is made up. See ``PRIVILEGED``."""
    price, appeal = z.reshape(pages, ROWS), quality.reshape(pages, ROWS)
    others = (appeal.sum(axis=1, keepdims=True) - appeal) / (ROWS - 1)
    kind = category.reshape(pages, ROWS)
    same = ((kind[:, :, None] == kind[:, None, :]).sum(axis=2) - 1) / (ROWS - 1)
    noisy_mood = mood + 0.5 * normal(rng, len(mood))
    return np.column_stack(
        [
            (price - price.mean(axis=1, keepdims=True)).ravel(),
            2 * (others.ravel() - _USUAL_APPEAL),
            2 * np.where(same == 1, 0, same - _USUAL_SHARE).ravel(),  # a page of one category compares nothing
            noisy_mood,
        ]
    ).astype(np.float32)


def act(truth: ClickModel, rows: Rows, day: int, rng: np.random.Generator, first_row: int) -> Wishes:
    """Draw clicks and, for items, carts and wishes to buy; adds their columns to ``rows`` and returns the wishes.

    Draws do not depend on how many rows clicked, so that one changed outcome leaves the others as they are.
    """
    n = len(rows["user"])
    u = rng.random((6, n), dtype=np.float32)
    e = normal(rng, n)
    click = u[0] < rows["p_click"]
    sold = (rows["entity"] == ITEM) & (rows["item"] >= 0)
    at = np.flatnonzero(sold)
    for name, of in (("p_cart", truth.cart), ("p_order", truth.order)):
        rows[name] = np.zeros(n, dtype=np.float32)
        rows[name][at] = of(rows["user"][at], rows["item"][at], day)
    rows["p_refund"] = np.zeros(n, dtype=np.float32)
    rows["p_refund"][at] = truth.refund(rows["item"][at], day)
    # Half of the time one roll decides both, so that who buys has often used the cart; each stays true to its own rate.
    second = np.where(u[2] < 0.5, u[1], u[3])
    cart, wish = click & (u[1] < rows["p_cart"]), click & (second < rows["p_order"])
    rows["click"], rows["cart"] = click, cart
    rows["click_ms"] = rows["time"] + 1000 + (-np.log1p(-u[4]) * _CLICK_SECONDS * 1000).astype(np.int64)
    slow = truth.config.fast_delays * HOUR_MS
    cart_delay = from_quantiles(truth.config.cart_delay_h, u[5]) * slow
    rows["cart_ms"] = rows["click_ms"] + cart_delay.astype(np.int64)
    interest = 0.5 * np.log(np.maximum(rows["p_order"], 0.005) / 0.06)
    rows["dwell"] = np.where(click, np.exp(3 + interest + 0.8 * e), 0).astype(np.float32)
    rows["row"] = first_row + np.arange(n)
    which = np.flatnonzero(wish)
    delay = from_quantiles(truth.config.order_delay_h, rng.random(n)[which]) * slow
    return Wishes(rows["row"][which], rows["item"][which], rows["click_ms"][which] + delay.astype(np.int64))
