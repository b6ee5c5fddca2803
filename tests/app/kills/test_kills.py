"""``kill -9`` of the server, of Chroma and of PostgreSQL while people publish, edit, withdraw and buy through the API.

After each kill and start again: store, index and feed agree, and everything that anybody was told is true.
``pytest tests/app/kills/test_kills.py --kills 50 -s`` runs the long version and prints its figures.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass

import httpx
import pytest
from sqlalchemy import func, select

from app.store import listing_repo
from app.store.db import Store, open_engine
from app.store.tables import DraftRow, KeyRow, ListingRow, NumberRow, OrderRow, OutboxRow, PhotoRow
from tests.app.kills.kill_people import GIVE_UP_SECONDS, Buyer, Promises, Seller
from tests.app.kills.life_server import TARGETS, Stack
from tests.app.support.leftovers import wait_until
from tests.app.support.small_index import open_index, titles_in

pytestmark = [pytest.mark.postgres, pytest.mark.server, pytest.mark.timeout(3600)]
SELLERS, BUYERS = 3, 4
CAUGHT_UP_SECONDS = 120.0
DRAFT_SECONDS = 120.0  # the server of these tests stops a draft that nobody writes after six


@dataclass
class Round:
    """How long it took until the server was ready again, and until feed and index had caught up after that."""

    ready: float
    caught_up: float


class Truth:
    """What store, index, feed and media folder hold, each looked at from outside the server."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.store = Store(open_engine(stack.postgres.url()))
        self.index = open_index(stack.chroma.url)

    def close(self) -> None:
        self.index.close()
        self.store.engine.dispose()

    def level(self) -> bool:
        """Whether nothing waits for the index and every server's feed has followed."""
        with self.store.read() as session:
            return not listing_repo.count_waiting(session) and self.feeds_hold(session)

    def feeds_hold(self, session) -> bool:
        """Whether the feed of every server has what is on sale, at its price and bid."""
        bids = dict(session.execute(select(ListingRow.id, ListingRow.bid).where(ListingRow.bid.is_not(None))).all())
        rows = session.scalars(select(ListingRow).where(ListingRow.status == "active", ListingRow.stock > 0))
        on_sale = {row.id: {"price": row.price, "bid": pytest.approx(bids.get(row.id, 0.0))} for row in rows}
        return all(httpx.get(f"{url}/catalogue").json() == on_sale for url in self.stack.urls)

    def unfinished(self) -> int:
        with self.store.read() as session:
            return session.scalar(select(func.count()).where(DraftRow.state.in_(("queued", "working")))) or 0

    def check_agreement(self) -> None:
        """Index = feed = photos = store."""
        with self.store.read() as session:
            listings = {row.id: row for row in session.scalars(select(ListingRow))}
            photos = {p.id: p.listing_id for p in session.scalars(select(PhotoRow))}
            assert session.scalars(select(OutboxRow).where(OutboxRow.topic == "index")).all() == []
            assert self.feeds_hold(session), "the feed and the store differ"
            numbers = session.execute(select(NumberRow.kind, NumberRow.key)).all()
            drafts = list(session.scalars(select(ListingRow.draft_id)))
            keys = list(session.scalars(select(KeyRow.listing_id)))
        indexed = {i: row.title for i, row in listings.items() if row.status in listing_repo.INDEXED}
        assert titles_in(self.index) == indexed, "the index and the store differ"
        assert len(set(numbers)) == len(numbers), "the feed gave two numbers"
        assert len(set(drafts)) == len(drafts), "a draft was published twice"
        assert set(keys) == set(listings), "a key leads nowhere, or a listing has none"
        files = {path.stem for path in (self.stack.home / "media").glob("??/*.jpg")}
        assert set(photos) <= files, "a photo's file is lost"
        assert {i for i in photos.values() if i} == set(listings), "a listing lost its photo"

    def check_promises(self, promises: Promises) -> None:
        """Each seller and each buyer was told the truth."""
        assert promises.wrong == []
        with self.store.read() as session:
            listings = {row.id: row for row in session.scalars(select(ListingRow))}
            orders = {(row.buyer, row.key): row for row in session.scalars(select(OrderRow))}
            keys = {row.key: row.listing_id for row in session.scalars(select(KeyRow))}
        assert set(listings) <= set(promises.offers), "there is a listing that nobody was told of"
        sold = Counter(row.listing_id for row in orders.values())
        for offer in promises.offers.values():
            row = listings.get(offer.id)
            if offer.off == "deleted":
                assert row is None, "a deleted listing is back"
                assert sold[offer.id] <= offer.stock
                continue
            assert row is not None, "a published listing is lost"
            assert (row.title, row.price, keys[offer.key]) == (offer.title, offer.price, offer.id)
            assert sold[offer.id] + row.stock == offer.stock, "pieces were lost or sold twice"
            assert row.status == (offer.off or ("active" if row.stock else "sold"))
        assert {wish: row.id for wish, row in orders.items()} == {w: order for w, (order, _) in promises.orders.items()}
        assert not promises.refused & set(orders), "who was refused has bought"


def pytest_generate_tests(metafunc):
    """Each is killed once, in one story of two servers; with ``--kills N`` each N times, in a story of its own."""
    if "targets" in metafunc.fixturenames:
        kills = metafunc.config.getoption("--kills")
        stories = [[target] * kills for target in TARGETS] if kills else [list(TARGETS)]
        metafunc.parametrize("targets", stories, ids=TARGETS if kills else ["each"])


def test_kills_lose_double_and_oversell_nothing(targets, tmp_path, request):
    kills = request.config.getoption("--kills")
    play(targets, Stack(tmp_path, fsync=bool(kills), servers=1 if kills else 2))


@pytest.mark.nightly
def test_of_two_servers_each_is_killed_and_the_other_goes_on(tmp_path, request):
    kills = request.config.getoption("--kills")
    play(["server"] * (kills or 2), Stack(tmp_path, fsync=bool(kills), servers=2))


def play(targets, servers):
    """People use the servers while each target is killed and started again."""
    dice, promises, rounds = random.Random(7), Promises(), []
    with servers as stack:
        truth = Truth(stack)
        for turn, target in enumerate(targets):
            people = [Seller(stack.urls, f"s{n}", promises, 1000 * turn + n) for n in range(SELLERS)]
            people += [Buyer(stack.urls, f"b{n}", promises, 1000 * turn + 100 + n) for n in range(BUYERS)]
            for person in people:
                person.start()
            time.sleep(dice.uniform(0.3, 1.5))
            stack.kill(target)
            time.sleep(dice.uniform(0, 1))
            began = time.monotonic()
            stack.start(target)
            ready = time.monotonic() - began
            time.sleep(dice.uniform(0, 0.5))
            for person in people:
                person.leave.set()
            for person in people:
                person.join(GIVE_UP_SECONDS)
                assert not person.is_alive(), "somebody never got a last answer"
            rounds.append(Round(ready, wait_until(truth.level, CAUGHT_UP_SECONDS)))
            truth.check_agreement()
            truth.check_promises(promises)
        wait_until(lambda: truth.unfinished() == 0, DRAFT_SECONDS)
        truth.close()
    say(targets[0] if len(set(targets)) == 1 else "each", rounds, promises)
    assert promises.wrong == []
    assert promises.counts["published"] >= len(targets)
    assert promises.counts["ordered"] >= len(targets) / 2
    assert promises.counts["no connection"] or "server" not in targets
    assert promises.counts["503"] or "postgresql" not in targets


def say(target: str, rounds: list[Round], promises: Promises) -> None:
    """The figures of a run."""
    ready, caught_up = (sorted(getattr(r, name) for r in rounds) for name in ("ready", "caught_up"))
    middle = len(rounds) // 2
    counts = ", ".join(f"{name} {n}" for name, n in sorted(promises.counts.items()))
    print(
        f"\n{target}: {len(rounds)} kills; ready after {ready[middle]:.1f} s (median), {ready[-1]:.1f} s at most; "
        f"feed and index level after another {caught_up[middle]:.2f} s, {caught_up[-1]:.1f} s at most; slowest answer "
        f"{promises.slowest:.1f} s; {counts}"
    )
