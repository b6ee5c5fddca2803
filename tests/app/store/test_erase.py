"""``ipl erase NAME``: a person is gone from store, photos, index and feed, beside a running server and without one;
what others need for their accounts stays, without a trace of who it was."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from app.cli.main import main
from app.store import listing_repo
from app.store.tables import Base, ListingRow, OrderRow, PostRow, SellerRow
from app.views import AppError
from app.web.server import create_app
from tests.app.support.leftovers import files_with, marked_jpeg, publish_marked, rows_with, wait_until_gone
from tests.app.support.shop import buy, posted, report, seen

pytestmark = pytest.mark.slow

WORD = "quuxzebrine"  # the person's name, and what all their texts hold


@pytest.fixture
def people(build, backend, monkeypatch):
    """Services with two people, and a client for each; the command line uses the same home."""
    services = build(sellers=(WORD, "bob"), feed_per_second=1e6)
    for name, value in {"home": services.settings.home, **backend.settings}.items():
        monkeypatch.setenv(f"IPL_{name.upper()}", str(value))
    if backend.location is not None:
        monkeypatch.setenv("IPL_INDEX", str(backend.location))
    app = create_app(services, page=False)

    def signed(name):
        token = services.sellers.new_token(services.sellers.named(name), label=f"laptop of {name}")
        return TestClient(app, base_url="http://localhost", headers={"Authorization": f"Bearer {token}"})

    with signed("bob") as bob:
        yield services, signed(WORD), bob


def live(services, person, bob, *, ended=True):
    """Everything that a person leaves: listings, drafts, posts, pages, events, orders as buyer and as seller, an ad."""
    mine, sold = publish_marked(person, WORD, (90, 60, 60)), publish_marked(person, f"{WORD} two", (90, 90, 60))
    other = publish_marked(bob, "plain", (20, 60, 60))
    photo = ("photos", (f"{WORD}.jpg", marked_jpeg(WORD, (9, 9, 60)), "image/jpeg"))
    assert person.post("/v1/drafts", files=[photo], data={"note": WORD}).status_code == 201
    post = posted(person, title=f"About {WORD}", text=f"{WORD} " * 9, key=f"post {WORD}")
    person.put(f"/v1/listings/{mine['id']}/ad", json={"bid": 0.2})
    me, him = (services.sellers.named(name).id for name in (WORD, "bob"))
    page = seen(person, me)
    for place in page["places"]:
        report(person, "", page, "impression", place)
    report(person, "", page, "click", page["places"][0])
    seen(bob, him)
    person.post(f"/l/{other['id']}/ask", data={"text": f"{WORD} asks"})
    bob.post(f"/l/{mine['id']}/ask", data={"text": "How long is it?"})
    bob.post(f"/l/{mine['id']}/report", data={"text": WORD})
    bought = buy(person, other, "", f"wish {WORD}", page_id=page["id"]).json()
    given = buy(bob, sold, "", "wish of bob").json()
    assert bob.post(f"/v1/orders/{bought['id']}/messages", json={"text": f"Dear {WORD}"}).status_code == 201
    assert bob.put(f"/v1/orders/{bought['id']}/block").status_code == 204
    if ended:
        assert bob.post(f"/v1/orders/{bought['id']}/refund").status_code == 200
        assert person.post(f"/v1/orders/{given['id']}/refund").status_code == 200
    return {"me": me, "bob": him, "mine": mine, "other": other, "post": post, "bought": bought, "given": given}


def left_of(services, person_id):
    """Where the person's words stand, or their id in the store or in the index's files."""
    rows = [place for word in (WORD, person_id) for place in rows_with(services.store.engine, word)]
    return rows + files_with(services.settings.home, WORD) + files_with(services.settings.home / "index", person_id)


@pytest.mark.stores(both=True)
def test_a_person_is_gone_beside_a_running_server(people, capsys):
    services, person, bob = people
    was = live(services, person, bob)
    photos = {p["id"] for p in was["other"]["photos"]}
    assert main(["erase", WORD, "--yes"]) == 0
    index = services.settings.home / "index"
    assert files_with(index, WORD) + files_with(index, was["me"]) == [], "it is called done when it is"
    said = capsys.readouterr().out
    for words in (
        "2 listings",
        "1 draft",
        "1 post",
        "4 photos",
        "1 token",
        "2 orders",
        "4 messages",
        "1 block",
        "backup",
        "restored from one",
        "within seconds",
    ):
        assert words in said, said
    assert services.sellers.accounts() == [("bob", False)]
    wait_until_gone(lambda: left_of(services, was["me"]))
    assert services.index.ids() == {was["other"]["id"]}
    assert set(services.media.ids()) == photos
    wait_until_gone(lambda: [p for p in seen(bob, was["bob"])["places"] if p["post"] or p["listing"]])
    with services.store.read() as session:
        orders = {order.id: order for order in session.scalars(select(OrderRow))}
        assert {order.amount for order in orders.values()} == {12.0}
        assert orders[was["given"]["id"]].buyer == was["bob"]
        assert orders[was["bought"]["id"]].listing_id == was["other"]["id"]
        assert session.scalars(select(SellerRow.name)).all() == ["bob"]
    # Others go on: bob's listing, his order of another piece.
    assert bob.patch(f"/v1/listings/{was['other']['id']}", json={"status": "active", "stock": 1}).status_code == 200
    assert [p["listing"]["id"] for p in seen(bob, was["bob"])["places"]] == [was["other"]["id"]]


@pytest.mark.stores(both=True)
def test_a_person_is_gone_without_a_server(people, capsys):
    services, person, bob = people
    was = live(services, person, bob)
    bob.__exit__(None, None, None)
    services.close()
    assert main(["erase", WORD, "--yes"]) == 0
    assert "nothing of it" in capsys.readouterr().out
    assert left_of(services, was["me"]) == []
    assert [p for p in services.media.ids() if p not in {x["id"] for x in was["other"]["photos"]}] == []
    bob.__enter__()


def test_numbers_of_an_erased_person_are_not_reused(people):
    services, person, bob = people
    was = live(services, person, bob)
    with services.store.engine.connect() as connection:
        numbers = Base.metadata.tables["feed_numbers"]
        before = set(connection.execute(select(numbers.c.id)).scalars())
    assert main(["erase", WORD, "--yes"]) == 0
    seen(bob, was["bob"])
    publish_marked(bob, "later", (20, 160, 60))
    with services.store.engine.connect() as connection:
        after = {row.id: row.key for row in connection.execute(select(numbers))}
    assert before <= after.keys()
    assert was["me"] not in after.values()


@pytest.mark.stores
def test_what_a_server_read_or_let_in_before_an_erasure_brings_nobody_back(people):
    services, person, bob = people
    was = live(services, person, bob)
    with services.store.read() as session:
        rows, posts = session.scalars(select(ListingRow)).all(), session.scalars(select(PostRow)).all()
        listings = listing_repo.to_listings(session, rows)
    assert {x.seller_id for x in listings} == {was["me"], was["bob"]}
    assert main(["erase", WORD, "--yes"]) == 0
    services.feed.listings.put([x.model_copy(update={"status": "active", "stock": 1}) for x in listings])
    services.feed.posts._put(posts)
    me, other = was["me"], was["other"]["id"]
    assert bob.patch(f"/v1/listings/{other}", json={"status": "active", "stock": 1}).status_code == 200
    for late in (
        lambda: services.feed.page(me, 5),
        lambda: services.feed.events(me, [("click", "p", other, "")]),
        lambda: services.orders.buy(me, other, "wish", price=12.0),
        lambda: services.messages.ask(me, other, "How long is it?"),
        lambda: services.likes.turn(me, other),
    ):
        with pytest.raises(AppError, match="sign in"):
            late()
    wait_until_gone(lambda: left_of(services, me))


def test_open_orders_refuse_an_erasure_until_settled(people, capsys):
    services, person, bob = people
    was = live(services, person, bob, ended=False)
    assert main(["erase", WORD, "--yes"]) == 1
    said = capsys.readouterr().err
    assert was["bought"]["id"] in said
    assert was["given"]["id"] in said
    assert "--settle" in said
    assert person.get(f"/v1/listings/{was['mine']['id']}").status_code == 200  # nothing has happened
    assert main(["erase", WORD, "--yes", "--settle"]) == 0
    with services.store.read() as session:
        assert all(order.refunded_at for order in session.scalars(select(OrderRow)))


def test_an_unknown_name_is_status_2(people, capsys):
    assert main(["erase", "nobody", "--yes"]) == 2
    assert capsys.readouterr().err == "ipl: There is nobody called nobody in this store; nothing was deleted.\n"


def test_without_a_yes_nothing_is_deleted(people, capsys, monkeypatch):
    services, person, _ = people
    listing = publish_marked(person, WORD, (90, 60, 60))
    assert main(["erase", WORD]) == 2  # no terminal, and nobody to ask
    assert "--yes" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda prompt="": "no")
    assert main(["erase", WORD]) == 1
    assert person.get(f"/v1/listings/{listing['id']}").status_code == 200
    monkeypatch.setattr("builtins.input", lambda prompt="": WORD)
    assert main(["erase", WORD]) == 0
    with services.store.read() as session:
        assert session.scalars(select(SellerRow.name)).all() == ["bob"]


def test_the_one_person_here_is_called_me(build, monkeypatch, capsys):
    services = build()
    monkeypatch.setenv("IPL_HOME", str(services.settings.home))
    with TestClient(create_app(services, page=False), base_url="http://localhost") as client:
        publish_marked(client, WORD, (90, 60, 60))
        assert main(["erase", "me", "--yes"]) == 0
        wait_until_gone(lambda: rows_with(services.store.engine, WORD) + files_with(services.settings.home, WORD))
        assert client.get("/v1/listings").json() == {"listings": []}
        assert list(services.media.ids()) == []


def test_a_missing_store_is_not_made(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("IPL_HOME", str(tmp_path / "none"))
    assert main(["erase", "me", "--yes"]) == 2
    assert "nothing was deleted" in capsys.readouterr().err
    assert not (tmp_path / "none" / "store.sqlite").exists()


@pytest.mark.parametrize("where", ["_leave_index", "_forget_name"])
def test_an_erasure_that_was_cut_off_goes_on(people, monkeypatch, where):
    services, person, bob = people
    was = live(services, person, bob)

    def fail(*_):
        raise RuntimeError("cut off")

    with monkeypatch.context() as cut:
        cut.setattr(f"app.accounts.erase.{where}", fail)
        assert main(["erase", WORD, "--yes"]) == 1
    assert main(["erase", WORD, "--yes"]) == 0
    assert set(services.media.ids()) == {p["id"] for p in was["other"]["photos"]}
    wait_until_gone(lambda: left_of(services, was["me"]))


def test_beside_another_media_folder_nothing_is_deleted(people, monkeypatch, tmp_path, capsys):
    _, person, _ = people
    listing = publish_marked(person, WORD, (90, 60, 60))
    monkeypatch.setenv("IPL_MEDIA", str(tmp_path / "elsewhere"))
    assert main(["erase", WORD, "--yes"]) == 1
    assert "IPL_MEDIA" in capsys.readouterr().err
    assert person.get(f"/v1/listings/{listing['id']}").status_code == 200


def test_the_last_account_is_not_erased(people, capsys):
    services, _, _ = people
    assert main(["erase", WORD, "--yes"]) == 0
    assert main(["erase", "bob", "--yes"]) == 2
    assert "last account" in capsys.readouterr().err
    assert [name for name, _ in services.sellers.accounts()] == ["bob"]
