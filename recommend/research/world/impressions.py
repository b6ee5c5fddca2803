"""The view of impressions: sessions, pages of three channels, clicks and what follows, day by day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from recommend.data.schema import CHANNELS, ENTITIES, POLICIES
from recommend.research.world.market import NEVER, Market, chosen, organic, repeated, session_picks
from recommend.simulation.chance import Floats, Ints, Times, gumbel, normal, sigmoid, stream, uniform
from recommend.simulation.config import DAY_MS, WorldConfig
from recommend.simulation.items import FOREVER
from recommend.simulation.people import ADS, BASE, POSTS
from recommend.simulation.truth import (
    FLOOR,
    PAGE_VARIANCE,
    PRIVILEGED,
    averaged,
    draw_users,
    make_truth,
    moments,
    page_signals,
)

Rows = dict[str, np.ndarray]
ROWS, AD_SLOTS = 10, (2, 7)
ITEM, POST = ENTITIES.index("item"), ENTITIES.index("post")
FEED, SEARCH, AD_CHANNEL, VIDEO = (CHANNELS.index(name) for name in ("feed", "search", "ads", "video"))
ORGANIC, ADS_POLICY, UNIFORM = (POLICIES.index(name) for name in ("organic", "ads", "uniform"))


@dataclass(frozen=True, slots=True)
class Pages:
    """Pages of a day, in order of time: (n,) arrays."""

    user: Ints
    time: Times
    depth: Ints  # pages of the session before it
    picks: Ints  # (n, PICKS)


class Impressions:
    """The marketplace of impressions; iterate once over ``days()``."""

    def __init__(self, config: WorldConfig, seed: int) -> None:
        items = round(config.impressions * (1 - config.video_pages))
        self.truth = make_truth(config, seed, items, config.days)
        self.sold = np.full(len(self.truth.items.long), FOREVER, dtype=np.float32)
        self._rng = {name: stream(seed, name) for name in ("visits", "exposure", "ads", "page", "acts", "orders")}
        self._page = self._row = self._order = 0

    def days(self) -> Iterator[tuple[int, Rows, Rows]]:
        """(day, rows, truth): what is logged, in order of time, and what only the oracle knows of the same rows."""
        config, on = self.truth.config, self.truth.calendar.promotion > 0
        share = np.where(on, config.traffic, 1.0)
        for day in range(config.days):
            pages = self._visits(day, max(round(config.pages() * share[day] / share.sum()), 1))
            rows = self._displayed(day, pages)
            truth = self._act(day, rows)
            yield day, rows, truth

    def _visits(self, day: int, n: int) -> Pages:
        """Sessions of geometric length, cut off at ``n`` pages."""
        rng, mean = self._rng["visits"], self.truth.config.session_pages
        sessions = round(n / mean * 1.2) + 20
        length = rng.geometric(1 / mean, sessions)
        user, start = draw_users(self.truth, day, sessions, rng), moments(day, sessions, rng)
        picks = session_picks(self.truth, rng, user)
        of = np.repeat(np.arange(sessions), length)[:n]
        depth = np.arange(len(of)) - np.searchsorted(of, of)
        time = np.minimum(start[of] + (depth * (60_000 + 60_000 * uniform(rng, len(of)))).astype(np.int64),
                          (day + 1) * DAY_MS - 1)  # fmt: skip
        order = np.argsort(time, kind="stable")
        return Pages(user[of][order], time[order], depth[order].astype(np.int32), picks[of][order])

    def _displayed(self, day: int, pages: Pages) -> Rows:
        """Rows of all channels, in order of time and place."""
        config, market = self.truth.config, Market.on(self.truth, day, self.sold)
        edges = [config.feed_pages, config.feed_pages + config.search_pages]
        kind = np.searchsorted(edges, uniform(self._rng["visits"], len(pages.user)), side="right")
        parts = []
        for number, make in enumerate((self._feed, self._search, self._video)):
            at = np.flatnonzero(kind == number)
            if len(at):
                grid, valid = make(market, pages.user[at], pages.picks[at])
                grid |= {"page": np.broadcast_to(at[:, None], (len(at), ROWS))}
                grid |= {"position": np.broadcast_to(np.arange(ROWS), (len(at), ROWS))}
                grid |= self._signals(grid)
                parts.append({name: values[valid] for name, values in grid.items()})
        rows = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        order = np.argsort(rows["page"] * ROWS + rows["position"], kind="stable")
        rows = {name: values[order] for name, values in rows.items()}
        for name in ("user", "time", "depth"):
            rows[name] = getattr(pages, name)[rows["page"]]
        rows["request"] = (rows.pop("page") + self._page).astype(np.int32)
        self._page += len(pages.user)
        return rows

    def _feed(self, market: Market, user: Ints, picks: Ints) -> tuple[Rows, np.ndarray]:
        """Eight organic rows and two ads, which never repeat one of them."""
        config, n, rng = self.truth.config, len(user), self._rng["ads"]
        k = ROWS - len(AD_SLOTS)
        organic_items, first = organic(self.truth, self._rng["exposure"], market, user, picks, 24, k)
        picks_of_ads = np.resize(np.arange(picks.shape[1]), 20)
        ads = market.ads.draw(rng, picks[:, picks_of_ads])
        intent = self.truth.intent_sd[self.truth.items.category[ads]] * normal(rng, *ads.shape)
        noise, at_random = gumbel(rng, *ads.shape), uniform(rng, n) < config.uniform_share
        worth = intent + np.log(self.truth.items.bid[ads])
        score = np.where(at_random[:, None], 0, config.selection * worth).astype(np.float32) + noise
        barred = repeated(np.concatenate([organic_items, ads], axis=1))[:, k:]
        score = np.where(barred, NEVER, score)
        best = np.argpartition(-score, 1, axis=1)[:, :2]
        is_ad = np.isin(np.arange(ROWS), AD_SLOTS)
        grid = self._grid(n, ITEM, FEED)
        valid = np.ones((n, ROWS), dtype=bool)
        grid["item"][:, ~is_ad], grid["item"][:, is_ad] = organic_items, np.take_along_axis(ads, best, axis=1)
        valid[:, ~is_ad], valid[:, is_ad] = first, np.take_along_axis(score, best, axis=1) > NEVER / 2
        grid["channel"][:, is_ad] = AD_CHANNEL
        grid["policy"][:, is_ad] = np.where(at_random, UNIFORM, ADS_POLICY)[:, None]
        grid["intent"][:, is_ad] = np.take_along_axis(intent, best, axis=1)
        return grid, valid

    def _search(self, market: Market, user: Ints, picks: Ints) -> tuple[Rows, np.ndarray]:
        """Ten rows of one category."""
        grid = self._grid(len(user), ITEM, SEARCH)
        grid["item"], first = organic(self.truth, self._rng["exposure"], market, user, picks[:, :1], 24, ROWS)
        return grid, first

    def _video(self, market: Market, user: Ints, picks: Ints) -> tuple[Rows, np.ndarray]:
        """Ten posts."""
        rng, grid = self._rng["exposure"], self._grid(len(user), POST, VIDEO)
        ids = market.posts.draw(rng, picks[:, np.resize(np.arange(picks.shape[1]), 20)])
        score = (0.3 * self.truth.posts.quality[ids] + gumbel(rng, *ids.shape)).astype(np.float32)
        grid["post"], first = chosen(ids, score, ROWS)
        return grid, first

    @staticmethod
    def _grid(n: int, entity: int, channel: int) -> Rows:
        def full(value: int) -> np.ndarray:
            return np.full((n, ROWS), value, dtype=np.int32)

        ids = {"item": full(-1), "post": full(-1), "entity": full(entity)}
        codes = {"channel": full(channel), "policy": full(ORGANIC)}
        return {**ids, **codes, "intent": np.zeros((n, ROWS), dtype=np.float32)}

    def _signals(self, grid: Rows) -> Rows:
        items, posts = self.truth.items, self.truth.posts
        of_item = bool((grid["entity"][:1] == ITEM).all())
        ids = grid["item"] if of_item else grid["post"]
        category = (items if of_item else posts).category[ids]
        quality = items.quality[BASE][ids] if of_item else posts.quality[ids]
        return {"category": category, "page_signal": page_signals(quality, self._rng["page"])}

    def _act(self, day: int, rows: Rows) -> Rows:
        """Adds clicks, carts, orders and refunds to the rows; returns the truth."""
        n = len(rows["user"])
        rows["row"] = (self._row + np.arange(n)).astype(np.int32)
        self._row += n
        truth = self._click_truth(day, rows)
        rng = self._rng["acts"]
        u, delay = uniform(rng, 4, n), rng.standard_exponential(n)
        rows["click"] = u[0] < truth["p_click"]
        rows["click_ms"] = rows["time"] + 1_000 + (delay * 40_000).astype(np.int64)
        signal = rows.pop("page_signal")
        # The first signal is seen with an error, the fourth tells of the row's appeal or nothing.
        noise, config = normal(rng, n, 2), self.truth.config
        tells = config.signal_taste * min(config.page_effect, 1)
        appeal = standardised(truth.pop("appeal"))
        fourth = np.float32(tells) * appeal + np.float32(np.sqrt(1 - tells**2)) * noise[:, 1]
        rows["privileged"] = np.column_stack([signal[:, :1] + 0.3 * noise[:, :1], signal[:, 1:], fourth])
        dwell = np.exp(2.5 + 1.2 * truth.pop("match") + 0.8 * noise[:, 1])
        rows["dwell"] = np.where(rows["click"], dwell, 0).astype(np.float32)
        rows["cart"] = rows["click"] & (u[1] < truth["p_cart"])
        self._orders(day, rows, truth, np.where(u[2] < 0.5, u[1], u[3]))
        return truth

    def _click_truth(self, day: int, rows: Rows) -> Rows:
        """True probabilities of the rows; see ``docs/world.md`` for each."""
        t, c, n = self.truth, self.truth.config, len(rows["user"])
        user, repeats = rows["user"], np.zeros(len(rows["user"]), dtype=np.float32)
        rest = np.zeros(n, dtype=np.float32)
        match, shared, side = (np.full(n, FLOOR, dtype=np.float32) for _ in range(3))
        item_at = np.flatnonzero(rows["entity"] == ITEM)
        ads = rows["channel"] == AD_CHANNEL
        repeats[item_at] = _repeats(user[item_at], rows["item"][item_at])
        rest[item_at] = t.item_rest(user[item_at], rows["item"][item_at], ads[item_at], day)
        for channel, at in ((BASE, item_at[~ads[item_at]]), (ADS, item_at[ads[item_at]])):
            item = rows["item"][at]
            matches = t.match(channel, user[at], t.items.vector[item])
            match[at], shared[at] = matches.max(1), t.shared_match(channel, user[at], matches)
            side[at] = match[at]
            short = ~t.items.long[item]  # their ids are too rare for their own part to be learned
            side[at[short]] = t.match(channel, user[at][short], t.items.side[item[short]]).max(1)
        at = np.flatnonzero(rows["entity"] == POST)
        rest[at] = t.post_rest(user[at], rows["post"][at])
        matches = t.match(POSTS, user[at], t.posts.vector[rows["post"][at]])
        match[at], shared[at] = matches.max(1), t.shared_match(POSTS, user[at], matches)
        side[at] = match[at]
        rest += c.position_effect * rows["position"] + c.fatigue * rows.pop("depth") + c.repeat * repeats
        intent, intent_variance = rows.pop("intent"), np.where(ads, t.intent_sd[rows["category"]] ** 2, 0)
        page = c.page_effect * (rows["page_signal"] @ PRIVILEGED)
        variance = c.page_effect**2 * PAGE_VARIANCE + intent_variance
        visible = (rest + c.taste * (match - FLOOR)).astype(np.float32)
        p_order, p_base, p_cart, p_refund = np.zeros((4, n), dtype=np.float32)
        now, plain = t.order(user[item_at], rows["item"][item_at], day, match[item_at])
        p_order[item_at], p_base[item_at] = sigmoid(now), sigmoid(plain)
        p_cart[item_at] = sigmoid(now - c.order_offset + c.cart_offset)
        p_refund[item_at] = t.refund(user[item_at], rows["item"][item_at])
        return {
            "p_click": sigmoid((visible + page + intent).astype(np.float32)),
            "p_click_without_page": averaged(visible, variance),  # what can be known when the page is made
            "p_click_with_page": averaged((visible + page).astype(np.float32), intent_variance),
            "p_click_without_taste": averaged(rest, variance),
            "p_click_shared_taste": averaged((rest + c.taste * (shared - FLOOR)).astype(np.float32), variance),
            "p_click_without_id": averaged((rest + c.taste * (side - FLOOR)).astype(np.float32), variance),
            "intent": intent,
            "p_order": p_order,
            "p_order_without_promotion": p_base,
            "p_cart": p_cart,
            "p_refund": p_refund,
            "match": match,
            "appeal": visible,
        }

    def _orders(self, day: int, rows: Rows, truth: Rows, u: Floats) -> None:
        """Orders: the first wish gets the piece; a thing with one piece leaves on the day after its sale."""
        t, rng, n = self.truth, self._rng["orders"], len(u)
        delay, back = t.order_delay(uniform(rng, n)), uniform(rng, n)
        rows["order_ms"] = rows["click_ms"] + delay
        wish = rows["click"] & (u < truth["p_order"])
        at = np.flatnonzero(wish)
        at = at[np.argsort(rows["order_ms"][at], kind="stable")]
        item = rows["item"][at]
        _, first = np.unique(item, return_index=True)
        served = t.items.long[item] | (np.isin(np.arange(len(at)), first) & (self.sold[item] >= FOREVER))
        at = at[served]
        one = at[~t.items.long[rows["item"][at]]]
        self.sold[rows["item"][one]] = np.floor(rows["order_ms"][one] / DAY_MS + 1)
        rows["order"] = np.zeros(n, dtype=bool)
        rows["order"][at] = True
        rows["refund"] = rows["order"] & (back < truth["p_refund"])
        rows["refund_ms"] = rows["order_ms"] + t.refund_delay(rng, np.maximum(rows["item"], 0))


def standardised(values: Floats) -> Floats:
    """(n,) of mean 0 and variance 1."""
    return (values - values.mean()) / max(float(values.std()), 1e-6)


def _repeats(user: Ints, item: Ints) -> Floats:
    """(n,) how often the user has seen the thing before on that day; rows are in order of time."""
    key = user.astype(np.int64) << 32 | item
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    before = np.arange(len(key)) - np.searchsorted(ordered, ordered)
    out = np.empty(len(key), dtype=np.float32)
    out[order] = before
    return out
