"""The view of clicks: 13 months of clicks, orders and refunds, without the impressions that they came from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from recommend.research.world.impressions import FEED, ITEM, ORGANIC, Rows
from recommend.research.world.market import ANYWHERE, Market, policy_score, session_picks
from recommend.simulation.chance import gumbel, sigmoid, stream, uniform
from recommend.simulation.config import WorldConfig
from recommend.simulation.items import FOREVER
from recommend.simulation.people import BASE
from recommend.simulation.truth import draw_users, make_truth, moments

CONSIDERED = 12  # things of which one is clicked


class Clicks:
    """The marketplace of clicks; iterate once over ``days()``. Nothing sells out: stock is a matter of impressions."""

    def __init__(self, config: WorldConfig, seed: int) -> None:
        self.truth = make_truth(config, seed, 4 * config.clicks, config.click_days)
        self._sold = np.full(len(self.truth.items.long), FOREVER, dtype=np.float32)
        self._rng = {name: stream(seed, f"clicks/{name}") for name in ("visits", "choice", "orders")}
        self._row = 0

    def days(self) -> Iterator[tuple[int, Rows, Rows]]:
        """(day, rows, truth) in order of time."""
        t, config = self.truth, self.truth.config
        share = np.where(t.calendar.promotion > 0, config.traffic, 1.0)
        for day in range(config.click_days):
            n = max(round(config.clicks * share[day] / share.sum()), 1)
            rng, market = self._rng["visits"], Market.on(t, day, self._sold)
            user, time = draw_users(t, day, n, rng), np.sort(moments(day, n, rng), kind="stable")
            item = self._clicked(day, market, user)
            match = t.match(BASE, user, t.items.vector[item]).max(1)
            now, plain = t.order(user, item, day, match)
            p_order, p_refund = sigmoid(now), t.refund(user, item)
            rng = self._rng["orders"]
            u = uniform(rng, 3, n)
            order = u[0] < p_order
            rows: Rows = {
                "row": (self._row + np.arange(n)).astype(np.int32),
                "user": user,
                "item": item,
                "time": time,
                "click_ms": time,
                "entity": np.full(n, ITEM),
                "channel": np.full(n, FEED),
                "policy": np.full(n, ORGANIC),
                "click": np.ones(n, dtype=bool),
                "order": order,
                "refund": order & (u[1] < p_refund),
                "order_ms": time + t.order_delay(u[2]),
            }
            rows["refund_ms"] = rows["order_ms"] + t.refund_delay(rng, item)
            self._row += n
            yield day, rows, {"p_order": p_order, "p_order_without_promotion": sigmoid(plain), "p_refund": p_refund}

    def _clicked(self, day: int, market: Market, user: np.ndarray) -> np.ndarray:
        """(n,) one of the things considered, with probability in proportion to its odds of a click."""
        t, rng = self.truth, self._rng["choice"]
        picks = session_picks(t, rng, user)[:, np.resize(np.arange(4), CONSIDERED)]
        n_long = round(CONSIDERED * t.config.long_share)
        ids = np.concatenate(
            [market.long.draw(rng, picks[:, :n_long], ANYWHERE), market.short.draw(rng, picks[:, n_long:])], axis=1
        )
        rest = t.item_rest(np.repeat(user, CONSIDERED), ids.ravel(), np.zeros(ids.size, dtype=bool), day)
        score = rest.reshape(ids.shape) + policy_score(t, user, ids) + gumbel(rng, *ids.shape)
        return np.take_along_axis(ids, score.argmax(1)[:, None], axis=1)[:, 0]
