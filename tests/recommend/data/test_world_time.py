"""The world's mechanisms in time: stock, new things, promotions, delays, histories."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from recommend.data.world import World, make_config, simulate
from recommend.data.world.chance import from_quantiles
from recommend.data.world.config import DAY_MS, HOUR_MS, WorldConfig
from recommend.data.world.pages import ITEM
from recommend.data.world.stock import UNSOLD, Shelf, Wishes

SIZES = {"impressions": 60_000, "users": 254, "new_items_per_day": 1_200, "many_items": 300, "posts_per_day": 45}


def small_world(**knobs: object) -> World:
    return simulate(make_config("full", SIZES | knobs), 4)


@pytest.fixture(scope="module")
def eager() -> World:
    """Many orders and refunds, so that stock and delays show."""
    return small_world(order_rate=0.3, refund_rate=0.3)


@pytest.fixture(scope="module")
def plain() -> World:
    return simulate(make_config("small"), 5)


def test_the_shelf_serves_in_order_of_time_and_remembers_the_last_piece() -> None:
    shelf = Shelf(np.array([1, 2]), sold_leave=True)
    wishes = Wishes(np.arange(5), np.array([0, 0, 1, 1, 1]), np.array([50, 40, 10, 30, 99]))
    shelf.settle(wishes, 45)
    assert shelf.all_orders().row.tolist() == [2, 3, 1]
    assert shelf.sold_ms.tolist() == [40, 30]
    shelf.settle(Wishes(), 1_000)
    assert shelf.all_lost().row.tolist() == [0, 4]


def test_a_single_thing_leaves_when_it_is_sold(eager: World) -> None:
    rows, items = eager.rows, eager.truth.items
    shown = rows["entity"] == ITEM
    assert (rows["time"][shown] <= eager.sold_ms[rows["item"][shown]]).all()
    singles = eager.orders["item"][items.single[eager.orders["item"]]]
    assert len(singles) > 100
    assert len(np.unique(singles)) == len(singles)
    sold = eager.sold_ms < UNSOLD
    assert (eager.sold_ms[singles] == eager.orders["time"][items.single[eager.orders["item"]]]).all()
    assert set(np.flatnonzero(sold & items.single)) == set(singles)
    assert len(eager.lost.row) > 0
    assert (eager.lost.time >= eager.sold_ms[eager.lost.item]).all()


def test_nothing_sells_out_when_the_knob_is_off() -> None:
    stays = small_world(order_rate=0.3, sold_leave=False)
    assert (stays.sold_ms == UNSOLD).all()
    assert len(stays.lost.row) == 0
    singles = stays.orders["item"][stays.truth.items.single[stays.orders["item"]]]
    assert len(np.unique(singles)) < len(singles)


def test_things_are_shown_only_between_listing_and_leaving(eager: World) -> None:
    rows, items, posts = eager.rows, eager.truth.items, eager.truth.posts
    item = rows["entity"] == ITEM
    assert (rows["time"][item] >= items.listed_ms[rows["item"][item]]).all()
    assert (rows["time"][item] <= items.leaves_ms[rows["item"][item]]).all()
    assert (rows["time"][~item] >= posts.created_ms[rows["post"][~item]]).all()
    stock = rows["stock"][item]
    assert (stock[items.single[rows["item"][item]]] == 1).all()
    assert (stock > 0).all()


def test_the_single_flag_is_known_at_listing_and_not_read_off_the_future(plain: World) -> None:
    items = plain.truth.items
    assert (items.single == (items.stock == 1)).all()
    shown = np.bincount(plain.rows["item"][plain.rows["entity"] == ITEM], minlength=len(items.single))
    assert (shown[items.single] > 10).any()  # popular singles exist: the flag is not a popularity count
    clicked = plain.rows["click"] & (plain.rows["entity"] == ITEM)
    assert 0.6 < items.single[plain.rows["item"][clicked]].mean() < 0.85


def test_most_late_clicks_are_on_things_not_seen_before(plain: World) -> None:
    rows = plain.rows
    key = np.where(rows["entity"] == ITEM, rows["item"], -1 - rows["post"])
    clicked, late = rows["click"], rows["day"] >= plain.config.days - 2
    unseen = ~np.isin(key[clicked & late], key[clicked & ~late])
    assert unseen.mean() == pytest.approx(0.72, abs=0.05)


def cvr(world: World, which: np.ndarray) -> float:
    clicked = world.rows["click"] & (world.rows["entity"] == ITEM) & which[world.rows["day"]]
    return float(world.rows["p_order"][clicked].mean())


def test_promotions_lift_orders_and_the_day_before_waits(plain: World) -> None:
    calendar = plain.truth.calendar
    on, before = calendar.promotion > 0, calendar.days_to_promotion == 1
    usual = ~on & ~before
    assert cvr(plain, on) > 1.6 * cvr(plain, usual)
    assert cvr(plain, before) < 0.8 * cvr(plain, usual)
    pages = np.bincount(plain.rows["day"], minlength=plain.config.days)
    assert pages[on].mean() / pages[~on].mean() == pytest.approx(plain.config.promotion_traffic, abs=0.05)
    kinds = [calendar.kind[calendar.promotion == n][0] for n in range(1, calendar.promotion.max() + 1)]
    assert kinds == [i % 2 for i in range(len(kinds))]
    assert len(kinds) >= 3
    assert not on[-5:].any()  # the test days are ordinary


def test_promotions_reduce_prices_of_their_kind_of_category(plain: World) -> None:
    calendar, truth, rows = plain.truth.calendar, plain.truth, plain.rows
    item = rows["entity"] == ITEM
    asked = truth.items.price[rows["item"][item]]
    reduced = rows["price"][item] < 0.99 * asked
    kind = calendar.kind[rows["day"][item]]
    assert not reduced[kind < 0].any()
    assert (truth.items.category[rows["item"][item]][reduced] % 2 == kind[reduced]).all()
    assert reduced[kind >= 0].mean() > 0.02


def test_buyers_come_on_promotion_days(plain: World) -> None:
    on = plain.truth.calendar.promotion[plain.rows["day"]] > 0
    buyer = plain.truth.users.buyer[plain.rows["user"]]
    assert buyer[on].mean() > buyer[~on].mean() + 0.1


def test_no_promotion_and_no_drift_when_the_knobs_are_off() -> None:
    calm = small_world(promotion_days=0, click_drift=0, order_drift=0, impressions=3_000).truth.calendar
    assert not calm.promotion.any()
    assert not calm.order_shift.any()
    assert not calm.click_shift.any()
    assert (calm.traffic == 1).all()


def test_drift_walks_by_the_step_of_the_knob() -> None:
    shift = small_world(promotion_days=0, order_drift=0.2, impressions=3_000).truth.calendar.order_shift
    assert np.diff(shift, axis=0).std() == pytest.approx(0.2, rel=0.1)


@pytest.mark.parametrize(
    ("table", "points"),
    [
        (WorldConfig().order_delay_h, {0.5: 4.2, 0.75: 33, 0.9: 96}),
        (WorldConfig().refund_delay_d, {0.25: 4.1, 0.5: 9.4, 0.9: 66}),
    ],
    ids=["order", "refund"],
)
def test_delay_tables_hold_the_real_quantiles(table: tuple, points: dict[float, float]) -> None:
    u = np.random.default_rng(0).random(200_000)
    for share, value in points.items():
        assert np.quantile(from_quantiles(table, u), share) == pytest.approx(value, rel=0.06)


def test_orders_come_after_clicks_and_refunds_after_orders_with_the_logs_delays(eager: World) -> None:
    rows, orders = eager.rows, eager.orders
    assert rows["click"][orders["row"]].all()
    wait = (orders["time"] - rows["click_ms"][orders["row"]]) / HOUR_MS
    assert wait.min() > 0
    # Things in demand go to the quick, so served waits are a little shorter than wished ones.
    assert 2.5 < np.median(wait) < 5
    assert 60 < np.quantile(wait, 0.9) < 110
    back = orders["refunded"]
    days = (orders["refund_time"] - orders["time"])[back] / DAY_MS
    assert days.min() > 0
    assert np.median(days) == pytest.approx(9.4, rel=0.3)
    assert orders["time"].max() > eager.config.days * DAY_MS  # the log goes on after the last page


def test_refund_rate_follows_its_knob(eager: World, plain: World) -> None:
    ordered = plain.rows["order"]
    assert plain.rows["p_refund"][ordered].mean() == pytest.approx(0.019, abs=0.005)
    assert eager.orders["refunded"].mean() == pytest.approx(
        eager.rows["p_refund"][eager.rows["order"]].mean(), abs=0.05
    )
    assert eager.orders["refunded"].mean() > 0.2


@pytest.fixture(scope="module")
def histories(plain: World) -> Callable[[int], dict[str, list]]:
    from recommend.data.world.tables import day_tables

    columns = ("user_id", "time_ms", "request_id", "history_item", "history_age_h", "history_post", "history_single")
    table = next(data for table, day, data in day_tables(plain) if table == "impression" and day == 20)
    lists = {name: table[name].to_pylist() if name.startswith("history") else table[name] for name in columns}
    return lambda i: {name: values[i] for name, values in lists.items()}


def test_histories_hold_the_earlier_clicks_and_nothing_later(
    plain: World, histories: Callable[[int], dict[str, list]]
) -> None:
    rows, single = plain.rows, plain.truth.items.single
    for i in range(0, 5_000, 97):
        got = histories(i)
        mine = rows["click"] & (rows["user"] == got["user_id"]) & (rows["click_ms"] < got["time_ms"])
        for kind, column, name in ((ITEM, "item", "history_item"), (1, "post", "history_post")):
            at = np.flatnonzero(mine & (rows["entity"] == kind))
            at = at[np.argsort(rows["click_ms"][at], kind="stable")][-50:]
            assert got[name] == rows[column][at].tolist()
            if kind == ITEM:
                assert got["history_single"] == single[rows["item"][at]].astype(int).tolist()
                expected = (got["time_ms"] - rows["click_ms"][at]) / HOUR_MS
                np.testing.assert_allclose(got["history_age_h"], expected, rtol=1e-5)
