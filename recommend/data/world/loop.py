"""The days of the marketplace, tick by tick: who comes, what is on sale, what is shown, what happens, what is left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommend.data.world import outcomes
from recommend.data.world.calendar import HOURS, make_calendar
from recommend.data.world.chance import Ints, from_quantiles, stream
from recommend.data.world.click_model import ClickModel
from recommend.data.world.config import DAY_MS, HOUR_MS, WorldConfig
from recommend.data.world.items import category_vectors, make_items, make_posts
from recommend.data.world.pages import Considered, Market, PageMaker, Pages
from recommend.data.world.stock import UNSOLD, Shelf, Wishes
from recommend.data.world.users import make_users

Rows = dict[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class World:
    """A finished simulation. ``rows`` and the other tables are flat arrays in order of time, row number = id."""

    config: WorldConfig
    seed: int
    truth: ClickModel
    rows: Rows
    candidates: Rows
    auctions: Rows
    orders: Rows  # row, item, time, refunded, refund_time
    lost: Wishes  # wishes that came after the last piece was sold
    sold_ms: Ints  # of each item


def simulate(config: WorldConfig, seed: int) -> World:
    """Run the world; the same configuration and seed give the same arrays."""
    users = make_users(config, seed)
    items = make_items(config, users, seed)
    truth = ClickModel(config, users, items, make_posts(config, users, items, seed), make_calendar(config, seed))
    shelf = Shelf(items.stock, config.sold_leave)
    maker = PageMaker(truth, category_vectors(config, seed), stream(seed, "exposure"))
    run = _Run(truth, shelf, maker, seed)
    for day in range(config.days):
        run.day(day)
    shelf.settle(Wishes(), UNSOLD)
    return run.finish()


class _Run:
    """Collects the tables while the days pass."""

    def __init__(self, truth: ClickModel, shelf: Shelf, maker: PageMaker, seed: int) -> None:
        self.truth, self.shelf, self.maker, self.seed = truth, shelf, maker, seed
        self.rows: list[Rows] = []
        self.candidates: list[Rows] = []
        self.auctions: list[Rows] = []
        self.next_row = self.next_page = 0
        self._considered: Considered | None = None  # ads considered by the feed pages of this tick
        self._visits, self._acts = stream(seed, "visits"), stream(seed, "acts")
        self._moods, self._logging = stream(seed, "moods"), stream(seed, "logging")

    def day(self, day: int) -> None:
        """One day: visits after the hours' curve, then its ticks."""
        config, calendar, users = self.truth.config, self.truth.calendar, self.truth.users
        pages = round(config.pages() * float(calendar.traffic[day] / calendar.traffic.sum()))
        drawn = users.activity * np.exp(config.promotion_buyers * users.buyer * (calendar.kind[day] >= 0))
        share = np.cumsum(drawn, dtype=np.float64)
        user = np.searchsorted(share / share[-1], self._visits.random(pages), side="right")
        hour = np.searchsorted(np.cumsum(HOURS) / HOURS.sum(), self._visits.random(pages), side="right")
        moment = day * DAY_MS + ((hour + self._visits.random(pages)) * HOUR_MS).astype(np.int64)
        order = np.argsort(moment, kind="stable")
        user, moment = np.minimum(user, config.users - 1)[order], moment[order]
        channel = np.searchsorted(
            [config.feed_pages, config.feed_pages + config.search_pages], self._visits.random(pages), side="right"
        )
        edges = day * DAY_MS + np.arange(config.ticks_per_day + 1) * (DAY_MS // config.ticks_per_day)
        cut = np.searchsorted(moment, edges)
        for tick in range(config.ticks_per_day):
            part = slice(cut[tick], cut[tick + 1])
            self._tick(day, int(edges[tick]), int(edges[tick + 1]), user[part], moment[part], channel[part])

    def _tick(self, day: int, start: int, end: int, user: Ints, moment: Ints, channel: Ints) -> None:
        market = self.maker.market(self.shelf.sold_ms, start, end)
        left, parts = self.shelf.left, []
        for kind, make in enumerate((self._feed, self.maker.search, self.maker.video)):
            page = np.flatnonzero(channel == kind)
            if len(page):
                made = make(market, page, user[page])
                parts.append(outcomes.rows_of(self.truth, made, moment, day, left, self._moods))
        self._log(moment, day)
        if parts:
            rows = _join(parts)
            order = np.lexsort((rows["position"], rows["page"]))
            rows = {name: values[order] for name, values in rows.items()}
            wishes = outcomes.act(self.truth, rows, day, self._acts, self.next_row)
            self.next_row += len(rows["user"])
            self.shelf.settle(wishes, end)
            # A page shown after the sale within this tick no longer holds the thing.
            gone = (rows["item"] >= 0) & (rows["entity"] == outcomes.ITEM)
            gone &= self.shelf.sold_ms[rows["item"]] < rows["time"]
            self.shelf.forget(rows["row"][gone])
            rows["page"] = rows["page"] + self.next_page
            rows["day"] = np.full(len(gone), day)
            self.rows.append({name: values[~gone] for name, values in rows.items()})
        else:
            self.shelf.settle(Wishes(), end)
        self.next_page += len(user)

    def _feed(self, market: Market, page: Ints, user: Ints) -> Pages:
        pages, self._considered = self.maker.feed(market, page, user)
        return pages

    def _log(self, moment: Ints, day: int) -> None:
        """Candidates of some feed pages in full, the auction's first five of every feed page."""
        considered, self._considered = self._considered, None
        if considered is None:
            return
        config, truth, result = self.truth.config, self.truth, considered.auction
        rows, columns = np.nonzero((result.rank < 5) & ~considered.barred)
        base = self._facts(considered, moment, day, rows, columns)
        self.auctions.append(base | {"price": result.price_per_click[rows, columns]})
        chosen = self._logging.random(len(considered.page)) < config.candidate_log_share
        rows, columns = np.nonzero(chosen[:, None] & ~considered.barred)
        base = self._facts(considered, moment, day, rows, columns)
        log_odds = truth.item_click(
            base["user"], base["item"], np.ones(len(rows), dtype=bool), np.full(len(rows), 2), day, base["time"]
        )
        self.candidates.append(base | {"p_click_without_page": truth.without_page(log_odds)})

    def _facts(self, considered: Considered, moment: Ints, day: int, rows: Ints, columns: Ints) -> Rows:
        result, n = considered.auction, len(rows)
        item = considered.item[rows, columns]
        page = considered.page[rows]
        order = np.lexsort((result.rank[rows, columns], page))
        facts = {
            "page": page + self.next_page,
            "time": moment[page],
            "day": np.full(n, day),
            "user": considered.user[rows],
            "item": item,
            "bid": self.truth.items.bid[item],
            "score": result.predicted_ctr[rows, columns],
            "ecpm": result.ecpm[rows, columns],
            "rank": result.rank[rows, columns],
            "uniform": result.uniform[rows],
            "shown": (result.shown[rows] == columns[:, None]).any(axis=1),
        }
        # Callers add columns in the order of (rows, columns); np.nonzero and pages are ascending, so sort both here.
        rows[:], columns[:] = rows[order], columns[order]
        return {name: values[order] for name, values in facts.items()}

    def finish(self) -> World:
        """Tables over all days; rows get their final numbers, orders their refunds."""
        rows = _join(self.rows)
        orders = self.shelf.all_orders()
        place = np.searchsorted(rows["row"], orders.row)
        rng = stream(self.seed, "refunds")
        refunded = rng.random(len(place)) < rows["p_refund"][place]
        config = self.truth.config
        delay = from_quantiles(config.refund_delay_d, rng.random(len(place))) * config.fast_delays * DAY_MS
        for name, which in (("order", place), ("refund", place[refunded])):
            rows[name] = np.zeros(len(rows["row"]), dtype=bool)
            rows[name][which] = True
        lost = self.shelf.all_lost()
        at = np.minimum(np.searchsorted(rows["row"], lost.row), len(rows["row"]) - 1)
        kept = rows["row"][at] == lost.row
        lost = Wishes(at[kept], lost.item[kept], lost.time[kept])
        table = {
            "row": place,
            "item": orders.item,
            "time": orders.time,
            "refunded": refunded,
            "refund_time": orders.time + delay.astype(np.int64),
        }
        return World(
            config,
            self.seed,
            self.truth,
            rows,
            _join(self.candidates),
            _join(self.auctions),
            table,
            lost,
            self.shelf.sold_ms,
        )


def _join(parts: list[Rows]) -> Rows:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}
