"""The life of listings against a model, on files and on servers, with kills, restarts and restores in between.

``pytest tests/app/kills/test_life.py --life-steps 2000 -s`` is the long version: so many steps on SQLite with an
embedded Chroma, and as many on PostgreSQL with a Chroma server.
"""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import hypothesis.strategies as st
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from app.settings import Settings
from app.store.backup.archive import back_up
from app.store.backup.restore import restore
from app.store.db import open_engine
from app.store.listing_repo import INDEXED
from listing.request import TONES
from rag_index import build
from tests.app.kills.life import Life
from tests.app.kills.life_server import DraftModel, OneServer, Starter, World
from tests.app.support.clients import add_accounts
from tests.app.support.local_servers import Receiver
from tests.app.support.small_index import SmallEncoders, open_index, titles_in

pytestmark = pytest.mark.slow

LIVES_EACH, STEPS_EACH = 4, 50
FEW_STEPS = 100  # with fewer, two lives a round do
numbers = st.integers(0, 10**6)
prices = st.sampled_from([None, 5.0, 12.5, 40.0])
offers = st.sampled_from([None, None, None, 1.5])
rarely = st.sampled_from([False, False, False, True])
moments = st.floats(0.0, 0.12)  # seconds; most calls take less than that


class Place:
    """Where the homes of the machine's examples lie, and what they stand on."""

    def __init__(self, folder: Path, starter: Starter, databases: object, chroma: object) -> None:
        self.folder, self.starter, self.databases, self.chroma = folder, starter, databases, chroma
        self.examples = self.steps = self.kills = self.restores = self.searched = 0

    @contextmanager
    def stores(self, home: Path) -> Iterator[dict[str, str]]:
        """Variables that name an empty index and an empty store."""
        if self.databases is None:
            yield {"IPL_INDEX": str(home / "index")}
            return
        build([], self.chroma.url, SmallEncoders().info)
        with self.databases.fresh() as url:
            yield {"IPL_INDEX": self.chroma.url, "IPL_STORE": url}


def on(kind: str, **choices):
    """A rule that does something to one of the ``drafts``, ``listings`` or ``orders``; then everything is looked at."""

    def made(act):
        @precondition(lambda self: getattr(self.life.world, kind))
        @rule(number=numbers, **choices)
        def run(self, number, **chosen):
            there = list(getattr(self.life.world, kind).values())
            act(self.life, there[number % len(there)], **chosen)
            self.step()

        return run

    return made


def shuffle_photos(life: Life, draft: DraftModel, data: st.DataObject) -> None:
    """Photos in another order, or without some of them."""
    order = data.draw(st.permutations(range(len(draft.photos))))
    life.set_photos(draft, order[: data.draw(st.integers(0 if len(order) < 2 else 1, len(order)))])


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
        self.stack = ExitStack()
        self.variables = self.stack.enter_context(place.stores(self.home))
        self.stack.callback(shutil.rmtree, self.home, ignore_errors=True)
        self.life = Life(OneServer(place.starter, self.home, self.variables))
        self.life.server.start()

    def teardown(self) -> None:
        """Everything agrees, and nothing is left of what was deleted; then the home goes."""
        if not hasattr(self, "life"):
            return
        try:
            self.life.check()
            self.life.check_photos()
            self.life.check_lines()
            self.life.wait_until_level()
            self.life.server.end(signal.SIGTERM)
            self.search()
        finally:
            self.life.server.end()
            self.life.client.close()
            self.place.kills += self.life.kills
            self.stack.close()
            self.archive.unlink(missing_ok=True)

    def search(self) -> None:
        """The index holds what is listed; neither a file of a deleted photo nor a deleted word is anywhere."""
        world, place = self.life.world, self.place
        index = open_index(self.variables["IPL_INDEX"])
        listed = {x.id: x.title for x in world.listings.values() if x.status in INDEXED}
        indexed, records = titles_in(index), [str(record) for record in index.past.index.records()]
        index.close()
        assert indexed == listed, "the index and the store differ"
        files = [p for p in self.home.rglob("*") if p.is_file()]
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
            self.search_servers(gone, records)

    def search_servers(self, gone: set[str], rows: list[str]) -> None:
        """No column of PostgreSQL and no record of Chroma (``rows``) holds a deleted word."""
        engine = open_engine(self.variables["IPL_STORE"])
        tables = sa.MetaData()
        with engine.connect() as connection:
            tables.reflect(connection)
            rows += [str(row) for table in tables.sorted_tables for row in connection.execute(sa.select(table))]
        engine.dispose()
        text = "\n".join(rows)
        found = [word for word in gone if word in text]
        assert not found, f"the servers hold {found[:3]} of {len(found)} deleted words"

    def step(self) -> None:
        """Count a step; every few, look at everything."""
        self.place.steps += 1
        self.life.check()
        if self.place.steps % 10 == 0:
            self.life.check_photos()
            self.life.check_lines()

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

    write_again = on("drafts", tone=st.sampled_from(TONES), slow=st.booleans())(Life.write_again)
    add_photo = on("drafts")(Life.add_photo)
    set_photos = on("drafts", data=st.data())(shuffle_photos)
    delete_draft = on("drafts")(Life.delete_draft)
    publish = on("drafts", price=prices)(Life.publish)

    # a listing's life

    publish_again = on("listings")(Life.publish_again)
    edit = on("listings", price=prices)(Life.edit)
    set_status = on("listings", status=st.sampled_from(["active", "reserved", "sold", "removed"]))(Life.set_status)
    sell_again = on("listings")(Life.sell_again)
    delete = on("listings")(Life.delete)

    # orders

    order = on("listings", buyer=st.sampled_from(["ann", "ben", "cleo"]), offer=offers)(Life.order)
    refund = on("orders")(Life.refund)
    complete = on("orders")(Life.complete)
    cancel = on("orders")(Life.cancel)
    write = on("orders")(Life.write)

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
        self.home = self.place.folder / f"home-{self.place.examples}-{self.place.restores}"
        self.stack.callback(shutil.rmtree, self.home, ignore_errors=True)
        if self.place.databases is None:
            self.variables["IPL_INDEX"] = str(self.home / "index")
        else:
            self.variables["IPL_STORE"] = self.stack.enter_context(self.place.databases.fresh("template1"))
        restore(self.archive, self.home, self.settings())
        self.life.server.settings |= {"IPL_HOME": str(self.home), **self.variables}
        self.life.world = self.life.world if self.saved is None else self.saved
        self.saved = self.life.snapshot()
        self.life.server.start()
        self.place.restores += 1
        self.step()

    def settings(self) -> Settings:
        """The settings of the server, for commands."""
        return Settings(home=self.home, store=self.variables.get("IPL_STORE", ""), index=self.variables["IPL_INDEX"])


SERVERS = pytest.param("servers", marks=[pytest.mark.postgres, pytest.mark.server])
NIGHTLY_FILES = pytest.param("files", marks=pytest.mark.nightly)
NIGHTLY_SERVERS = pytest.param("servers", marks=[pytest.mark.nightly, pytest.mark.postgres, pytest.mark.server])


@pytest.fixture
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
@pytest.mark.parametrize("place", [NIGHTLY_FILES, SERVERS], indirect=True)
def test_any_life_of_listings_agrees_with_the_model(place, request):
    steps = request.config.getoption("--life-steps")
    began = time.monotonic()
    while place.steps < steps:
        machine = type("Life", (Machine,), {"place": place})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=LIVES_EACH if steps > FEW_STEPS else 2,  # the first is always the shortest there is
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


PASSWORD = "two who trade"


@pytest.mark.parametrize("place", ["files", NIGHTLY_SERVERS], indirect=True)
def test_a_sale_of_two_people_survives_a_kill_in_and_between_any_two_steps(place, tmp_path, request):
    """Asked, bought, written, cancelled, bought again, handed over, blocked: each once, and each told once."""
    home, receiver, dice = tmp_path / "shop", Receiver(), random.Random(7)
    notices = {"IPL_NOTICE_WEBHOOK": receiver.url, "IPL_NOTICE_SECRET": "secret"}
    receiver.answers = [500, 503]
    with place.stores(home) as stores:
        settings = {**notices, **stores}
        add_accounts(stores.get("IPL_STORE") or Settings(home=home).store_url, ("ann", "bob"), PASSWORD)
        life = Life(OneServer(place.starter, home, settings))
        life.server.start()
        try:
            play_a_sale(life, dice, 1.0 if request.config.getoption("nightly") else 0.3)
            life.kill()  # whatever is not sent yet is sent by the next server
            told = {notice.id: (notice.kind, notice.to["name"]) for notice in receiver.got}
            until = time.monotonic() + 60
            while len(told) < len(TOLD) and time.monotonic() < until:
                time.sleep(0.2)
                told = {notice.id: (notice.kind, notice.to["name"]) for notice in receiver.got}
            assert Counter(told.values()) == Counter(TOLD)
        finally:
            life.server.end()
            life.client.close()
            receiver.close()


TOLD = [
    ("question", "ann"), ("ordered", "ann"), ("message", "ann"), ("message", "bob"), ("cancelled", "ann"),
    ("ordered", "ann"), ("completed", "bob"),
]  # fmt: skip


def play_a_sale(life: Life, dice: random.Random, between: float) -> None:
    """Each call's server is killed somewhere in it, and the call repeated; then, so often, it is killed once more."""

    def sign_in(name: str) -> dict[str, str]:
        form = {"name": name, "password": PASSWORD}
        return {"Cookie": f"ipl_session={httpx.post(f'{life.server.url}/sign-in', data=form).cookies['ipl_session']}"}

    def step(who: dict[str, str], method: str, path: str, status: int, **body: object) -> httpx.Response:
        life.kill_after = dice.uniform(0, 0.06)
        answer = life.expect(life.ask(method, path, headers={**who, **body.pop("headers", {})}, **body), status)
        if dice.random() < between:
            life.kill()
        return answer

    ann, bob = sign_in("ann"), sign_in("bob")
    draft = life.ask("POST", "/v1/drafts", headers=ann, files=[("photos", life.photo())]).json()["id"]
    listing = step(ann, "POST", "/v1/listings", 201, json={"draft_id": draft, "price": 5}).json()["id"]
    step(bob, "POST", f"/l/{listing}/ask", 200, data={"text": "Is it warm?"})
    for n, end in enumerate(("cancel", "complete")):
        wish = {"json": {"listing_id": listing, "price": 5}, "headers": {"Idempotency-Key": f"k{n}"}}
        order = step(bob, "POST", "/v1/orders", 201, **wish).json()["id"]
        if end == "cancel":
            step(bob, "POST", f"/v1/orders/{order}/messages", 201, json={"text": "When?"})
            step(ann, "POST", f"/v1/orders/{order}/messages", 201, json={"text": "Monday. +49 170 1234567"})
            step(bob, "POST", f"/v1/orders/{order}/cancel", 200)
            lines = life.ask("GET", f"/v1/orders/{order}/messages", headers=ann).json()["messages"]
            assert [(x["sender"], x["text"]) for x in lines] == [
                ("buyer", "When?"), ("seller", "Monday. [removed]"), ("buyer", "cancelled")]  # fmt: skip
            step(ann, "PATCH", f"/v1/listings/{listing}", 200, json={"status": "active", "stock": 1})
        else:
            step(ann, "POST", f"/v1/orders/{order}/complete", 200)
            step(bob, "POST", f"/v1/orders/{order}/cancel", 409)
            step(ann, "PUT", f"/v1/orders/{order}/block", 204)
            step(bob, "POST", f"/v1/orders/{order}/messages", 403, json={"text": "Why?"})
    orders = life.ask("GET", "/v1/orders", headers=bob).json()["orders"]
    assert [o["state"] for o in orders] == ["completed", "cancelled"]
    assert life.ask("GET", f"/v1/listings/{listing}", headers=ann).json()["stock"] == 0
