"""The life of listings against a model, on files and on servers, with kills, restarts and restores in between.

``pytest tests/app/kills/test_life.py --life-steps 2000 -s`` is the long version: so many steps on SQLite with an
embedded Chroma, and as many on PostgreSQL with a Chroma server.
"""

from __future__ import annotations

import shutil
import signal
import time
from pathlib import Path

import hypothesis.strategies as st
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from app.settings import Settings
from app.store.backup.archive import back_up
from app.store.backup.restore import restore
from app.store.db import open_engine
from rag_index import build
from tests.app.kills.life import Life, World
from tests.app.kills.life_server import OneServer, Starter
from tests.app.support.small_index import SmallEncoders, open_index

ASIDE = "before-restore"  # what a restore moved aside is kept until somebody deletes it
LIVES_EACH, STEPS_EACH = 4, 50
numbers = st.integers(0, 10**6)
prices = st.sampled_from([None, 5.0, 12.5, 40.0])
rarely = st.sampled_from([False, False, False, True])
moments = st.floats(0.0, 0.12)  # seconds; most calls take less than that


class Place:
    """Where the homes of the machine's examples lie, and what they stand on."""

    def __init__(self, folder: Path, starter: Starter, databases: object, chroma: object) -> None:
        self.folder, self.starter, self.databases, self.chroma = folder, starter, databases, chroma
        self.examples = self.steps = self.kills = self.restores = self.searched = 0


class Machine(RuleBasedStateMachine):
    """One life of a server."""

    place: Place

    @initialize()
    def begin(self) -> None:
        """An empty home, an empty store, a server."""
        place = self.place
        place.examples += 1
        self.home = place.folder / f"home-{place.examples}"
        self.archive = place.folder / "backup.tar"
        self.saved: World | None = None
        self.fresh = None
        variables = {"IPL_INDEX": str(self.home / "index")}
        if place.databases is not None:
            build([], place.chroma.url, SmallEncoders().info)
            self.fresh = place.databases.fresh()
            variables = {"IPL_INDEX": place.chroma.url, "IPL_STORE": self.fresh.__enter__()}
        self.variables = variables
        self.life = Life(OneServer(place.starter, self.home, variables))
        self.life.server.start()

    def teardown(self) -> None:
        """Everything agrees, and nothing is left of what was deleted; then the home goes."""
        if not hasattr(self, "life"):
            return
        try:
            self.life.check()
            self.life.check_photos()
            self.life.wait_until_level()
            self.life.server.end(signal.SIGTERM)
            self.search()
        finally:
            self.life.server.end()
            self.life.client.close()
            self.place.kills += self.life.kills
            if self.fresh is not None:
                self.fresh.__exit__(None, None, None)
            shutil.rmtree(self.home, ignore_errors=True)
            self.archive.unlink(missing_ok=True)

    def search(self) -> None:
        """Neither a file of a deleted photo nor a word of anything deleted is anywhere."""
        world, place = self.life.world, self.place
        files = [
            p
            for p in self.home.rglob("*")
            if p.is_file() and not p.relative_to(self.home).parts[0].startswith("before-restore")
        ]
        left = {p.name[:32] for p in files} & world.gone_photos
        assert not left, f"files of deleted photos are left: {left}"
        living = {w for x in (*world.drafts.values(), *world.listings.values()) for w in x.words}
        gone = world.gone_words - living - self.life.orphaned
        for path in files:
            data = path.read_bytes()
            found = [word for word in gone if word.encode() in data]
            assert not found, f"{path.relative_to(self.home)} holds {found[:3]} of {len(found)} deleted words"
        place.searched += len(gone)
        if place.databases is not None:
            self.search_servers(gone)

    def search_servers(self, gone: set[str]) -> None:
        """No column of PostgreSQL and no record of Chroma holds a deleted word."""
        engine = open_engine(self.variables["IPL_STORE"])
        tables = sa.MetaData()
        with engine.connect() as connection:
            tables.reflect(connection)
            rows = [str(row) for table in tables.sorted_tables for row in connection.execute(sa.select(table))]
        engine.dispose()
        index = open_index(self.variables["IPL_INDEX"])
        rows += [str(record) for record in index.past.index.records()]
        index.close()
        text = "\n".join(rows)
        found = [word for word in gone if word in text]
        assert not found, f"the servers hold {found[:3]} of {len(found)} deleted words"

    # choices

    def _draft(self, number: int):
        drafts = list(self.life.world.drafts.values())
        return drafts[number % len(drafts)]

    def _listing(self, number: int):
        listings = list(self.life.world.listings.values())
        return listings[number % len(listings)]

    def _order(self, number: int):
        orders = list(self.life.world.orders.values())
        return orders[number % len(orders)]

    def step(self) -> None:
        """Count a step; every few, look at everything."""
        self.place.steps += 1
        self.life.check()
        if self.place.steps % 10 == 0:
            self.life.check_photos()

    # a draft's life

    @precondition(lambda self: len(self.life.world.drafts) < 4)
    @rule(photos=st.integers(1, 3), slow=st.booleans())
    def new_draft(self, photos, slow):
        self.life.new_draft(photos, slow)
        self.step()

    @precondition(lambda self: len(self.life.world.drafts) < 4)
    @rule(photos=st.integers(1, 2))
    def hang_up(self, photos):
        self.life.hang_up(photos)
        self.step()

    @precondition(lambda self: self.life.world.drafts)
    @rule(n=numbers, tone=st.sampled_from(["plain", "shorter", "warmer"]), slow=st.booleans())
    def write_again(self, n, tone, slow):
        self.life.write_again(self._draft(n), tone, slow)
        self.step()

    @precondition(lambda self: self.life.world.drafts)
    @rule(n=numbers)
    def add_photo(self, n):
        self.life.add_photo(self._draft(n))
        self.step()

    @precondition(lambda self: self.life.world.drafts)
    @rule(n=numbers, data=st.data())
    def set_photos(self, n, data):
        draft = self._draft(n)
        order = data.draw(st.permutations(range(len(draft.photos))))
        self.life.set_photos(draft, order[: data.draw(st.integers(0 if len(order) < 2 else 1, len(order)))])
        self.step()

    @precondition(lambda self: self.life.world.drafts)
    @rule(n=numbers)
    def delete_draft(self, n):
        self.life.delete_draft(self._draft(n))
        self.step()

    @precondition(lambda self: self.life.world.drafts)
    @rule(n=numbers, price=prices)
    def publish(self, n, price):
        self.life.publish(self._draft(n), price)
        self.step()

    # a listing's life

    @precondition(lambda self: self.life.world.listings)
    @rule(n=numbers)
    def publish_again(self, n):
        self.life.publish_again(self._listing(n))
        self.step()

    @precondition(lambda self: self.life.world.listings)
    @rule(n=numbers, price=prices)
    def edit(self, n, price):
        self.life.edit(self._listing(n), price)
        self.step()

    @precondition(lambda self: self.life.world.listings)
    @rule(n=numbers, status=st.sampled_from(["active", "reserved", "sold", "removed"]))
    def set_status(self, n, status):
        self.life.set_status(self._listing(n), status)
        self.step()

    @precondition(lambda self: self.life.world.listings)
    @rule(n=numbers)
    def sell_again(self, n):
        self.life.sell_again(self._listing(n))
        self.step()

    @precondition(lambda self: self.life.world.listings)
    @rule(n=numbers)
    def delete(self, n):
        self.life.delete(self._listing(n))
        self.step()

    # orders

    @precondition(lambda self: self.life.world.listings)
    @rule(n=numbers, buyer=st.sampled_from(["ann", "ben", "cleo"]), offer=st.sampled_from([None, None, None, 1.5]))
    def order(self, n, buyer, offer):
        self.life.order(self._listing(n), buyer, offer)
        self.step()

    @precondition(lambda self: self.life.world.orders)
    @rule(n=numbers)
    def refund(self, n):
        self.life.refund(self._order(n))
        self.step()

    @precondition(lambda self: self.life.world.orders)
    @rule(n=numbers)
    def complete(self, n):
        self.life.complete(self._order(n))
        self.step()

    # the server's life

    @rule(after=moments)
    def kill_in_the_next_call(self, after):
        self.life.kill_after = after

    @rule(gently=st.booleans(), rare=rarely)
    def restart(self, gently, rare):
        if not rare:
            return
        if gently:
            self.life.server.end(signal.SIGTERM)
            self.life.server.start()
        else:
            self.life.kill()
        self.step()

    @rule(rare=rarely)
    def save(self, rare):
        if not rare:
            return
        back_up(self.settings(), self.archive, force=True)
        self.saved = self.life.snapshot()
        self.step()

    @precondition(lambda self: self.saved is not None)
    @rule(rare=st.booleans())
    def bring_back(self, rare):
        if not rare:
            return
        self.life.server.end(signal.SIGTERM)
        restore(self.archive, self.settings(), force=True)
        self.life.world = self.life.world if self.saved is None else self.saved
        self.saved = self.life.snapshot()
        self.life.server.start()
        self.place.restores += 1
        self.step()

    def settings(self) -> Settings:
        """The settings of the server, for commands."""
        return Settings(home=self.home, store=self.variables.get("IPL_STORE", ""), index=self.variables["IPL_INDEX"])


@pytest.fixture(params=["files", pytest.param("servers", marks=[pytest.mark.postgres, pytest.mark.server])])
def place(request, tmp_path):
    """Where the machine runs."""
    servers = request.param == "servers"
    with Starter(tmp_path / "server.log") as starter:
        yield Place(
            tmp_path,
            starter,
            request.getfixturevalue("databases") if servers else None,
            request.getfixturevalue("chroma") if servers else None,
        )


@pytest.mark.timeout(7200)
def test_nothing_is_lost_kept_or_sold_twice_in_any_life(place, request):
    steps = request.config.getoption("--life-steps")
    began = time.monotonic()
    while place.steps < steps:
        machine = type("Life", (Machine,), {"place": place})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=LIVES_EACH,  # the first is always the shortest there is
                stateful_step_count=min(STEPS_EACH, steps),
                deadline=None,
                phases=(Phase.generate,),
                suppress_health_check=list(HealthCheck),
                database=None,
                print_blob=False,
            ),
        )
    print(
        f"\n{place.steps} steps in {place.examples} lives, {place.kills} kills, {place.restores} restores, "
        f"{place.searched} deleted words searched for, {time.monotonic() - began:.0f} s"
    )
