"""People of the world before other things: rates as asked, and what moves a click."""

from __future__ import annotations

import numpy as np
import pytest

from recommend.simulation.live import Live, Offers

N, PEOPLE, DAYS = 600, 100, 20


def live(seed: int = 1, tops: tuple[int, ...] = (12, 6, 5, 8)) -> Live:
    rng = np.random.default_rng(0)
    offers = Offers(*(rng.integers(0, top, N) for top in tops), rng.normal(size=N).astype(np.float32))
    return Live(offers, PEOPLE, DAYS, seed, 0.05, 0.1, 0.2)


def ask(
    world: Live, user: np.ndarray, item: np.ndarray, place: int = 0, age: float = 0, ad: bool = False
) -> np.ndarray:
    many = len(user)
    return world.clicks(user, item, np.full(many, ad), np.full(many, place), np.full(many, age), 3)


def pairs() -> tuple[np.ndarray, np.ndarray]:
    return np.repeat(np.arange(PEOPLE), N), np.tile(np.arange(N), PEOPLE)


def test_rates_are_as_asked() -> None:
    world, (user, item) = live(), pairs()
    order, cart = world.orders(user, item, 3)
    assert ask(world, user, item).mean() == pytest.approx(0.05, rel=0.25)
    assert order.mean() == pytest.approx(0.1, rel=0.25)
    assert (cart > order).all()
    assert world.truth.refund(user, item).mean() == pytest.approx(0.2, rel=0.25)


def test_place_age_price_and_kind_move_clicks() -> None:
    world, (user, item) = live(), pairs()
    first = ask(world, user, item)
    assert (ask(world, user, item, place=5) < first).all()
    assert (ask(world, user, item, age=7) < first).all()
    alike = live(tops=(1, 1, 1, 1))
    price = alike.truth.items.price_z[item]
    of_price = ask(alike, user, item)
    assert of_price[price < -1].mean() > 1.1 * of_price[price > 1].mean()
    grid = first.reshape(PEOPLE, N)
    of_kind = np.stack([grid[:, world.truth.items.category[:N] == c].mean(1) for c in range(12)], 1)
    assert np.median(of_kind.max(1) / np.median(of_kind, axis=1)) > 4
    assert not np.array_equal(ask(world, user, item, ad=True), first)
