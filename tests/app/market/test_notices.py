"""Notices of sales and messages reach the platform's webhook, signed, each once it answers, and hold nobody up."""

from __future__ import annotations

import hashlib
import hmac
import socket
import threading
import time
from contextlib import suppress
from datetime import timedelta
from itertools import count
from types import SimpleNamespace

import pytest
from sqlalchemy import select, update

from app.settings import Settings, SettingsError
from app.store.tables import OutboxRow, now
from tests.app.support.clients import becomes, published
from tests.app.support.erasing import erase_beside
from tests.app.support.local_servers import Receiver
from tests.app.support.shop import bought
from tests.servers import free_port

pytestmark = pytest.mark.slow

SECRET = "a secret of both"


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def shop(people):
    """Starts a shop of two people whose notices go to an address; gives its services and clients of both."""

    def _shop(url):
        here = people("ann", "bob", notice_webhook=url, notice_secret=SECRET)
        return here.services, here.signed("ann"), here.signed("bob")

    return _shop


def waiting(services):
    with services.store.read() as session:
        return session.scalars(select(OutboxRow).where(OutboxRow.topic == "notice").order_by(OutboxRow.at)).all()


def make_due(services):
    """As if the pause before the next try were over."""
    with services.store.write() as session:
        session.execute(update(OutboxRow).values(due_at=now() - timedelta(seconds=1)))


@pytest.mark.stores
def test_each_side_is_told_once_and_signed(shop, receiver):
    services, ann, bob = shop(receiver.url)
    listing = published(ann)
    wish = {"listing_id": listing["id"], "price": 99}  # of what did not happen nobody is told
    assert bob.post("/v1/orders", json=wish, headers={"Idempotency-Key": "k"}).status_code == 409
    assert bob.post(f"/l/{listing['id']}/ask", data={"text": ""}).status_code == 422
    for _ in range(2):
        bob.post(f"/l/{listing['id']}/ask", data={"text": "Is it warm?"})
    question = services.messages.of_listings([listing["id"]])[listing["id"]][0]
    for _ in range(2):
        services.messages.answer(services.sellers.named("ann").id, question.id, "Very")
    order = bought(bob, listing, buyer="")
    address = f"/v1/orders/{order['id']}"
    for _ in range(2):  # what is repeated is told once
        bought(bob, listing, buyer="")
        bob.post(f"{address}/messages", json={"text": "When? +49 170 1234567"})
    ann.post(f"{address}/messages", json={"text": "Monday"})
    for end in ("complete", "complete", "refund", "refund"):
        ann.post(f"{address}/{end}")
    other = bought(bob, published(ann), "k2", "")
    for who in (bob, ann):
        who.post(f"/v1/orders/{other['id']}/cancel")
    assert services.notices.send() == 9
    assert [(n.kind, n.to["name"]) for n in receiver.got] == [
        ("question", "ann"), ("answer", "bob"), ("ordered", "ann"), ("message", "ann"), ("message", "bob"),
        ("completed", "bob"), ("refunded", "bob"), ("ordered", "ann"), ("cancelled", "ann"),
    ]  # fmt: skip
    assert len({n.id for n in receiver.got}) == 9
    for notice in receiver.got:
        digest = hmac.new(SECRET.encode(), notice.body, hashlib.sha256).hexdigest()
        assert notice.headers["X-IPL-Signature"] == f"sha256={digest}"
        assert b"Monday" not in notice.body  # ids and no words
        assert ann.get(notice.path).status_code == 200
    assert (receiver.got[2].order_id, receiver.got[2].to["id"]) == (order["id"], services.sellers.named("ann").id)
    assert (services.notices.send(), waiting(services), len(receiver.got)) == (0, [], 9)


def test_what_is_not_taken_is_tried_again(shop, receiver):
    services, ann, bob = shop(receiver.url)
    for n in range(3):
        bought(bob, published(ann), f"k{n}", "")
    receiver.answers = [500, 204, 302]  # the first is refused, and no other address is asked
    assert services.notices.send() == 1
    assert len(receiver.got) == 3
    assert [row.tries for row in waiting(services)] == [1, 1]
    assert services.notices.send() == 0  # not before its time
    make_due(services)
    assert services.notices.send() == 2
    assert len({n.id for n in receiver.got}) == 3
    assert waiting(services) == []


def test_notices_go_out_beside_an_event_loop(shop, receiver, run_async):
    services, ann, bob = shop(receiver.url)
    bought(bob, published(ann), "k", "")

    async def in_a_loop() -> int:
        return services.notices.send()

    assert run_async(in_a_loop()) == len(receiver.got) == 1


def test_nothing_is_lost_while_nobody_answers(build, shop, caplog):
    port = free_port()
    services, ann, bob = shop(f"http://127.0.0.1:{port}/notices")
    for n in range(2):
        bought(bob, published(ann), f"k{n}", "")
    for _ in range(2):
        assert services.notices.send() == 0
    assert [row.tries for row in waiting(services)] == [1, 1]  # each round asks once
    assert sum("a notice cannot be sent" in message for message in caplog.messages) == 1
    later = build(notice_webhook=services.settings.notice_webhook,
                  notice_secret=SECRET)  # fmt: skip
    make_due(later)
    receiver = Receiver(port)
    try:
        assert later.notices.send() == 2
    finally:
        receiver.close()
    assert [n.kind for n in receiver.got] == ["ordered"] * 2


def test_a_receiver_that_hangs_holds_up_no_request(shop, receiver, monkeypatch):
    monkeypatch.setattr("app.market.notices.SEND_SECONDS", 100.0)
    receiver.go_on.clear()
    services, ann, bob = shop(receiver.url)
    listings = [published(ann) for _ in range(2)]
    bought(bob, listings[0], "k0", "")
    sending = threading.Thread(target=services.notices.send)
    sending.start()
    assert becomes(lambda: receiver.got)
    bought(bob, listings[1], "k1", "")
    assert sending.is_alive()
    receiver.go_on.set()
    sending.join()
    services.notices.send()
    assert [n.kind for n in receiver.got] == ["ordered"] * 2


def test_a_receiver_without_end_is_left(shop, monkeypatch):
    monkeypatch.setattr("app.market.notices.SEND_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        services, ann, bob = shop(f"http://127.0.0.1:{listener.getsockname()[1]}/notices")
        bought(bob, published(ann), buyer="")
        answering = threading.Thread(target=answer_slowly, args=(listener,), daemon=True)
        answering.start()
        assert services.notices.send() == 0
        answering.join()
    assert [row.tries for row in waiting(services)] == [1]


def test_a_slow_receiver_is_sent_in_rounds(shop, receiver, monkeypatch):
    services, ann, bob = shop(receiver.url)
    listing = published(ann)
    for n in range(5):
        assert bob.post(f"/v1/listings/{listing['id']}/questions", json={"text": f"Is it warm {n}?"}).status_code == 201
    with monkeypatch.context() as patched:  # each look at the clock finds it four seconds later, of a round's ten
        patched.setattr("app.market.notices.time", SimpleNamespace(monotonic=count(0.0, 4.0).__next__))
        assert services.notices.send() == 2  # a server that is told to stop waits no longer
    assert services.notices.send() == 3


@pytest.mark.parametrize(("days", "left"), [(179, 2), (181, 0)])
def test_untaken_notices_go_with_the_logs(shop, days, left):
    services, ann, bob = shop(f"http://127.0.0.1:{free_port()}/notices")
    for n in range(2):
        bought(bob, published(ann), f"k{n}", "")
    with services.store.write() as session:
        session.execute(update(OutboxRow).values(at=now() - timedelta(days=days)))
    services.housekeeping.forget()
    assert len(waiting(services)) == left


def answer_slowly(listener):
    """A header that goes on, a letter after the other, until the other end hangs up."""
    connection, _ = listener.accept()
    with connection, suppress(OSError):
        connection.recv(10_000)
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while True:
            time.sleep(0.1)
            connection.sendall(b"a")


def test_notices_to_the_erased_go_with_them(shop, receiver):
    services, ann, bob = shop(receiver.url)
    address = f"/v1/orders/{bought(bob, published(ann), buyer='')['id']}"
    ann.post(f"{address}/messages", json={"text": "Monday"})
    assert sorted(row.body["kind"] for row in waiting(services)) == ["message", "ordered"]
    assert erase_beside(services, "bob", settle=True).counts["notice"] == 1
    left = [
        (row.body["kind"], row.key) for row in waiting(services)
    ]  # and the other side hears what became of the sale
    assert left == [(kind, services.sellers.named("ann").id) for kind in ("ordered", "refunded")]
    services.notices.send()
    assert ann.get(receiver.got[-1].path).status_code == 200


def test_without_address_or_account_nothing_is_written(build, client, services):
    bought(client, published(client))
    assert (waiting(services), services.notices.send()) == ([], 0)
    told = build(notice_webhook="http://127.0.0.1:9/", notice_secret=SECRET)
    listing = client.get("/v1/listings").json()["listings"][0]
    order = told.orders.mine(told.sellers.named("me").id)[0]
    told.orders.complete(told.sellers.named("me").id, order.id)  # its buyer is no account
    assert (listing["id"], waiting(told)) == (order.listing_id, [])


@pytest.mark.parametrize(("url", "secret"), [("https://x.example/", ""), ("x.example", "s"), ("http://u:p@x/", "s")])
def test_an_unusable_address_is_a_sentence(tmp_path, url, secret):
    with pytest.raises(SettingsError, match="IPL_NOTICE_"):
        Settings(home=tmp_path, notice_webhook=url, notice_secret=secret).checked()
    assert SECRET not in repr(Settings(home=tmp_path, notice_secret=SECRET))
