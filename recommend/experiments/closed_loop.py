"""The live cascade in the simulated marketplace: what it shows decides what is clicked, bought, and still there later.

The models learn from the log of the first days, which the world's old policy made. From then on every page is the
cascade's own, on the same people and things, for the remaining days. Outcomes follow the world's true probabilities.
Whether a visitor takes to a thing at the n-th meeting is drawn once for visitor, thing and n, so that two ways of
ranking meet the same luck.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np

from recommend.cascade.catalog import NEVER, Item
from recommend.cascade.feed import Feed
from recommend.cascade.request import DAY_MS, HOUR_MS, Moment
from recommend.data.world.chance import sigmoid
from recommend.data.world.truth import Truth


@dataclass(frozen=True)
class Loop:
    """How much of the world takes part, and for how long.

    Attributes:
        first, last: days that are simulated, both included.
        share: of people, things and pages that take part; supply and demand keep their proportion.
        size: places of a page.
    """

    first: int = 16
    last: int = 29
    share: float = 0.25
    size: int = 10


@dataclass
class Tally:
    """What happened."""

    pages: int = 0
    shown: int = 0
    clicks: int = 0
    orders: int = 0
    late: int = 0
    refunds: int = 0
    delight: float = 0.0  # sum over lasting orders of how well the thing matches its buyer's taste
    goods: float = 0.0  # money of lasting orders
    ads: float = 0.0  # money of clicks on ads
    p_shown: float = 0.0  # true click probabilities of what was shown
    met: Counter[tuple[int, int]] = field(default_factory=Counter)


class Simulation:
    """One way of ranking in one world.

    Args:
        truth: the world's; only the outcomes use it.
        feed: what makes the pages; ``ranked`` by itself.
        seed: of visits and luck, the same for every way of ranking.
    """

    def __init__(self, truth: Truth, feed: Feed, loop: Loop, seed: int) -> None:
        self.truth, self.feed, self.loop, self.seed = truth, feed, loop, seed
        rng = np.random.default_rng([seed, 1])
        config, items = truth.config, truth.items
        self.people = np.sort(rng.choice(config.users, max(int(config.users * loop.share), 1), replace=False))
        taking_part = rng.random(len(items.listed_ms)) < loop.share
        horizon = (loop.last + 1) * DAY_MS
        self.items = np.flatnonzero(taking_part & (items.leaves_ms > loop.first * DAY_MS) & (items.listed_ms < horizon))
        self.tally = Tally()
        self.first_click: dict[int, int] = {}
        self.first_seen: dict[int, int] = {}
        self.sold: dict[int, int] = {}

    def moment(self, time_ms: int) -> Moment:
        """With what the calendar announces."""
        day, calendar = time_ms // DAY_MS, self.truth.calendar
        return Moment(int(time_ms), int(calendar.promotion[day]), int(calendar.days_to_promotion[day]))

    def run(self) -> dict[str, float]:
        """Measures of the whole run."""
        items = self.truth.items
        start = self.loop.first * DAY_MS
        comes = sorted(self.items, key=lambda i: items.listed_ms[i])
        leaves = sorted(self.items, key=lambda i: items.leaves_ms[i])
        came = left = 0
        for time_ms, user in self._visits():
            moment = self.moment(time_ms)
            while came < len(comes) and items.listed_ms[comes[came]] <= time_ms:
                if items.leaves_ms[comes[came]] > time_ms:
                    self.feed.put(self._item(int(comes[came])), moment)
                came += 1
            while left < len(leaves) and items.leaves_ms[leaves[left]] <= time_ms:
                self.feed.remove(int(leaves[left]))
                left += 1
            if self.feed.pre_ranker.age_s(moment) > 4 * HOUR_MS / 1000:
                self.feed.pre_ranker.rebuild(moment)
            self._visit(int(user), moment)
        return self._measures(start)

    def _visits(self) -> list[tuple[int, int]]:
        from recommend.data.world.calendar import HOURS

        rng = np.random.default_rng([self.seed, 2])
        config, calendar = self.truth.config, self.truth.calendar
        weight = self.truth.people.activity[self.people].astype(np.float64)
        out: list[tuple[int, int]] = []
        for day in range(self.loop.first, self.loop.last + 1):
            share = config.feed_pages * self.loop.share * float(calendar.traffic[day] / calendar.traffic.sum())
            pages = round(config.pages() * share)
            user = self.people[rng.choice(len(self.people), pages, p=weight / weight.sum())]
            hour = rng.choice(24, pages, p=HOURS / HOURS.sum()) + rng.random(pages)
            out += zip((day * DAY_MS + hour * HOUR_MS).astype(np.int64).tolist(), user.tolist(), strict=True)
        return sorted(out)

    def _item(self, item: int) -> Item:
        items = self.truth.items
        day = max(int(items.listed_ms[item]) // DAY_MS, 0)
        price = float(items.price[item]) * (1 - float(self.truth.discount(np.array([item]), day)[0]))
        return Item(
            item_id=item,
            seller_id=int(items.seller[item]),
            category=int(items.category[item]),
            condition=int(items.condition[item]),
            price=price,
            price_bucket=int(items.price_bucket[item]),
            stock=int(items.stock[item]),
            single=bool(items.single[item]),
            listed_ms=int(items.listed_ms[item]),
            content=items.content[item],
            bid=float(items.bid[item]),
        )

    def _visit(self, user: int, moment: Moment) -> None:
        slate = self.feed.slate(user, moment, self.loop.size)
        if not slate.page:
            return
        tally, truth, day = self.tally, self.truth, moment.day
        ids = np.array([s.item_id for s in slate.page])
        people = np.full(len(ids), user)
        ad = np.array([s.reason == "ad" for s in slate.page])
        odds = truth.item_click(people, ids, ad, np.arange(len(ids)), day, np.full(len(ids), moment.time_ms))
        p_click = truth.without_page(odds)
        p_order, p_refund = truth.order(people, ids, day), truth.refund(ids, day)
        taste = truth.match(people, truth.items.vector[ids], 0)
        tally.pages += 1
        tally.shown += len(ids)
        tally.p_shown += float(p_click.sum())
        for n, item in enumerate(ids.tolist()):
            self.first_seen.setdefault(item, moment.time_ms)
            luck = self._luck(user, item)
            if luck[0] >= p_click[n]:
                continue
            tally.clicks += 1
            self.first_click.setdefault(item, moment.time_ms)
            tally.ads += slate.page[n].price_per_click or 0.0
            self.feed.clicked(user, item, moment)
            if luck[1] >= p_order[n]:
                continue
            if not self.feed.take(item):
                tally.late += 1
                continue
            tally.orders += 1
            self.sold.setdefault(item, moment.time_ms)
            if luck[2] < p_refund[n]:
                tally.refunds += 1
            else:
                tally.delight += float(sigmoid(taste[n]))
                tally.goods += float(truth.items.price[item])
        self.feed.shown(ids.tolist(), moment)

    def _luck(self, user: int, item: int) -> np.ndarray:
        """Three draws that depend on visitor, thing and how often they met, and on nothing else."""
        self.tally.met[user, item] += 1
        return np.random.default_rng([self.seed, user, item, self.tally.met[user, item]]).random(3)

    def _measures(self, start: int) -> dict[str, float]:
        items, tally = self.truth.items, self.tally
        listed = items.listed_ms[self.items]
        # Things that came in the simulated days and could be followed for a day at least.
        new = self.items[items.single[self.items] & (listed >= start) & (listed < self.loop.last * DAY_MS)]
        waited = [(self.first_click.get(int(i), NEVER), int(items.listed_ms[i])) for i in new]
        hours = np.array([(at - came) / HOUR_MS if at != NEVER else np.inf for at, came in waited])
        seen = np.array([self.first_seen.get(int(i), np.inf) for i in new]) - items.listed_ms[new]
        return {
            "sold_share": float(np.mean([int(i) in self.sold for i in new])),
            "clicked_in_6h": float(np.mean(hours <= 6)),
            "seen_in_1h": float(np.mean(seen <= HOUR_MS)),
            "never_seen": float(np.mean(~np.isfinite(seen))),
            "delight": tally.delight,
            "orders": float(tally.orders),
            "goods_money": tally.goods,
            "ads_money": tally.ads,
            "click_rate": tally.clicks / max(tally.shown, 1),
            "refund_rate": tally.refunds / max(tally.orders, 1),
            "pages": float(tally.pages),
        }


def preload(feed: Feed, truth: Truth, clicks: list[tuple[int, int, int]]) -> None:
    """Give visitors the clicks of the log's days: (user, item, time in ms), in the order of time."""
    from recommend.cascade.visitors import Past

    items = truth.items
    for user, item, time_ms in clicks:
        past = Past(item, int(items.category[item]), bool(items.single[item]), time_ms, items.content[item])
        feed.visitors.get(user).history.append(past)


def with_exposure(feed: Feed, share: float) -> Feed:
    """The feed with another exploration share."""
    feed.config = replace(feed.config, exposure=replace(feed.config.exposure, share=share))
    return feed
