"""After an order: cancelled by either side, written about, reported, blocked; what is new is counted."""

from __future__ import annotations

import re
from functools import partial

import pytest

from app.market.messages import MAX_UNREAD
from tests.app.support.clients import at_once, code, published
from tests.app.support.shop import bought, order, orders, pieces

pytestmark = [pytest.mark.stores, pytest.mark.slow]
CONTACT = "Call me: +49 170 1234567, or anna@example.org"


@pytest.fixture
def sale(two):
    """Seller, buyer, what was bought and the address of the order."""
    ann, bob, _ = two
    listing = published(ann, title="Umbro hoodie")
    taken = bought(bob, listing, buyer="")
    return ann, bob, listing, f"/v1/orders/{taken['id']}"


def lines(client, address, **query):
    answer = client.get(f"{address}/messages", params=query)
    assert answer.status_code == 200, answer.text
    return [(line["sender"], line["kind"], line["text"], line["new"]) for line in answer.json()["messages"]]


def write(client, address, text="When?"):
    return client.post(f"{address}/messages", json={"text": text})


def news(client):
    return tuple(client.get("/v1/news").json()[side] for side in ("selling", "buying"))


@pytest.mark.parametrize("by", ["buyer", "seller"])
def test_either_side_cancels_until_it_is_handed_over(sale, by):
    ann, bob, listing, address = sale
    who, other = (bob, ann) if by == "buyer" else (ann, bob)
    off = who.post(f"{address}/cancel")
    assert (off.status_code, off.json()["state"], off.json()["cancelled_by"]) == (200, "cancelled", by)
    assert off.json()["refunded_at"]
    for again in (who, other):  # whoever was later changes nothing
        same = again.post(f"{address}/cancel").json()
        assert (same["cancelled_by"], same["refunded_at"]) == (by, off.json()["refunded_at"])
    assert code(ann.post(f"{address}/complete")) == (409, "cancelled")
    assert ann.post(f"{address}/refund").json()["state"] == "cancelled"
    assert lines(other, address) == [(by, "event", "cancelled", True)]
    assert pieces(ann, listing) == 1  # once, however often it was cancelled
    assert ann.get(f"/v1/listings/{listing['id']}").json()["status"] == "active"
    bought(bob, listing, "k2", "")


@pytest.mark.parametrize(("before", "stock", "after"), [("removed", 1, "removed"), ("active", 2, "active")])
def test_what_the_seller_did_meanwhile_stays_when_a_sale_is_cancelled(two, before, stock, after):
    ann, bob, _ = two
    listing = published(ann)
    ann.patch(f"/v1/listings/{listing['id']}", json={"stock": stock})
    address = f"/v1/orders/{bought(bob, listing, buyer='')['id']}"
    ann.patch(f"/v1/listings/{listing['id']}", json={"status": before})
    assert bob.post(f"{address}/cancel").status_code == 200
    now = ann.get(f"/v1/listings/{listing['id']}").json()
    assert (now["status"], now["stock"]) == (after, stock)


def test_where_and_when_passes_between_the_two_and_how_else_to_reach_or_pay_does_not(sale):
    ann, bob, _, address = sale
    for text in (
        "Come to 12 Baker Street, London NW1 6XE, on Friday at 18:30 and ask for Anna Miller.",
        "Bergstraße 12, 10115 Berlin, Klingel Schmidt, ab 17 Uhr",
        "Calle Mayor 7, 2º B, 28013 Madrid, el lunes a las 5",
        "I am Anna Berg. Ich heiße Jörg, and this is Peter Schmidt.",
    ):
        sent = write(bob, address, text).json()
        assert (sent["text"], sent["taken_out"]) == (text, [])
        assert lines(ann, address)[-1][2] == text
    for text, gone in {
        "Ich wohne in der Bergstr. 12, 017644322109": "017644322109",
        "12 Baker Street, or mail anna@example.org": "anna@example.org",
        "Look at https://example.org/pay?me=1 first": "https://example.org/pay?me=1",
        "Pay to DE89370400440532013000 please": "DE89370400440532013000",
        "My card is 4111 1111 1111 1111, thanks": "4111 1111 1111 1111",
        "I have PayPal annamiller77": "annamiller77",
        "I am Annaberg on Insta": "Annaberg",
    }.items():
        sent = write(bob, address, text).json()
        assert sent["text"] == text.replace(gone, "[removed]")
        assert sent["taken_out"] == [gone]
        assert gone not in str(lines(ann, address))


def test_what_was_handed_over_is_not_cancelled(sale):
    ann, bob, _, address = sale
    assert ann.post(f"{address}/complete").status_code == 200
    for who in (ann, bob):
        assert code(who.post(f"{address}/cancel")) == (409, "completed")
    assert orders(bob)[0]["state"] == "completed"
    assert ann.post(f"{address}/refund").json()["state"] == "refunded"
    assert lines(bob, address) == [("seller", "event", "completed", True), ("seller", "event", "refunded", True)]


def test_cancel_and_handover_at_once_have_one_outcome(two):
    ann, bob, _ = two
    for n in range(4):
        listing = published(ann)
        address = f"/v1/orders/{bought(bob, listing, f'k{n}', '')['id']}"
        ends = [(ann, "complete"), (bob, "cancel"), (ann, "cancel")] * 3
        given = at_once([partial(who.post, f"{address}/{end}") for who, end in ends])
        state = ann.get(address).json()["state"]
        lost = {"completed": "cancel", "cancelled": "complete"}[state]
        for (_, end), answer in zip(ends, given, strict=True):
            expected = (409, state) if end == lost else 200
            assert (code(answer) if answer.status_code == 409 else answer.status_code) == expected
        assert [line[2] for line in lines(bob, address)] == [state]  # told once
        assert pieces(ann, listing) == (state == "cancelled")


def test_both_sides_write_and_contacts_are_taken_out(sale):
    ann, bob, listing, address = sale
    assert write(bob, address, "When can I come?").status_code == 201
    first = write(ann, address, CONTACT)
    assert first.json()["taken_out"] == ["+49 170 1234567", "anna@example.org"]
    assert write(ann, address, CONTACT).json()["id"] == first.json()["id"]  # the same again is the same message
    seen = lines(bob, address)
    assert [line[:2] for line in seen] == [("buyer", "message"), ("seller", "message")]
    assert not any(part in str(seen) for part in ("1234567", "anna@", "example.org"))
    unsent = {"cocaine for sale, 50 a gram": "prohibited", "": "empty", "x" * 501: "too_long", "a@b.de": "empty"}
    for text, why in unsent.items():
        assert code(write(bob, address, text)) == (422, why), text
    assert len(lines(ann, address)) == 2
    assert ann.delete(f"/v1/listings/{listing['id']}").status_code == 409
    bob.post(f"{address}/cancel")
    assert ann.delete(f"/v1/listings/{listing['id']}").status_code == 204
    assert lines(bob, address) == []  # the conversation goes with the listing
    assert code(write(bob, address)) == (404, "not_found")


def test_nobody_else_reads_writes_or_cancels(people):
    ann, bob, cora = map(people("ann", "bob", "cora").signed, ("ann", "bob", "cora"))
    address = f"/v1/orders/{bought(bob, published(ann), buyer='')['id']}"
    write(bob, address, "A secret")
    for call in (
        cora.get(f"{address}/messages"), write(cora, address), cora.post(f"{address}/cancel"),
        cora.put(f"{address}/block"), cora.post(f"{address}/report", json={"text": "x"}),
    ):  # fmt: skip
        assert code(call) == (404, "not_found")
    assert orders(bob)[0]["state"] == "open"
    assert news(cora) == (0, 0)


def test_unread_messages_are_bounded(sale):
    ann, bob, _, address = sale
    answers = [write(bob, address, f"Hello {n}") for n in range(MAX_UNREAD + 1)]
    assert [a.status_code for a in answers] == [201] * MAX_UNREAD + [429]
    assert lines(ann, address, read=False)[0][3]
    assert code(write(bob, address, "Still there?")) == (429, "too_many")
    lines(ann, address)
    assert write(bob, address, "Still there?").status_code == 201


def test_news_is_counted_until_it_was_read(sale):
    ann, bob, _, address = sale
    assert (news(ann), news(bob)) == ((1, 0), (0, 0))  # to hand over
    write(bob, address)
    write(ann, address, "On Monday.")
    assert (news(ann), news(bob)) == ((2, 0), (0, 1))
    assert [line[3] for line in lines(bob, address)] == [False, True]
    assert [line[3] for line in lines(bob, address)] == [False, False]
    lines(ann, address)
    assert (news(ann), news(bob)) == ((1, 0), (0, 0))
    ann.post(f"{address}/complete")
    assert (news(ann), news(bob)) == ((0, 0), (0, 1))
    lines(bob, address)
    assert news(bob) == (0, 0)


def test_a_block_stops_words_questions_and_orders(sale):
    ann, bob, _, address = sale
    other = published(ann, title="Cap")
    for blocker in (ann, bob):
        for _ in range(2):
            assert blocker.put(f"{address}/block").status_code == 204
        assert blocker.get(f"{address}/messages").json()["blocked_by_me"]
        for who in (ann, bob):
            assert code(write(who, address)) == (403, "blocked")
        assert code(order(bob, other, "k2", price=10)) == (403, "blocked")
        assert bob.post(f"/l/{other['id']}/ask", data={"text": "Is it warm?"}).status_code == 403
        assert order(bob, other, "k1").json()["error"]["code"] == "key_reused"
        for _ in range(2):
            assert blocker.delete(f"{address}/block").status_code == 204
    assert write(bob, address).status_code == 201
    bob.put(f"{address}/block")
    assert ann.post(f"{address}/complete").status_code == 200  # the sale can end all the same
    assert not ann.get(f"{address}/messages").json()["blocked_by_me"]


@pytest.mark.parametrize("by", ["buyer", "seller"])
def test_a_block_hides_news_of_answers(sale, by):
    ann, bob, listing, address = sale
    asked = bob.post(f"/v1/listings/{listing['id']}/questions", json={"text": "Is it warm?"}).json()
    assert (bob if by == "buyer" else ann).put(f"{address}/block").status_code == 204
    for text in ("You fool", "You fool again"):
        assert ann.put(f"/v1/questions/{asked['id']}/answer", json={"text": text}).status_code == 200
        assert news(bob) == (0, 0)
    assert news(ann) == (1, 0)  # to hand over; the question waits no more


def test_reports_of_the_other_side_reach_operators(people):
    here = people("ann", "bob", operators="ann")
    ann, bob = here.signed("ann"), here.signed("bob")
    address = f"/v1/orders/{bought(bob, published(ann), buyer='')['id']}"
    write(bob, address, "I only pay outside, you fool")
    for _ in range(2):
        assert ann.post(f"{address}/report", json={"text": "Rude. +49 170 1234567"}).status_code == 204
    assert bob.post(f"{address}/report", json={"text": "Never came"}).status_code == 204
    reports = [row["report"] for row in here.browser("ann").get("/ops/export/reports.json").json()]
    assert reports == [
        "About the buyer: Rude. [removed] Their last message: “I only pay outside, you fool”",
        "About the seller: Never came",
    ]
    assert len(lines(bob, address)) == 1  # the other side reads no report


def test_operators_close_the_reports_of_a_sale(people):
    here = people("ann", "bob", operators="ann")
    ann, bob = here.signed("ann"), here.signed("bob")
    listing = published(ann)
    report = f"/v1/orders/{bought(bob, listing, buyer='')['id']}/report"
    assert bob.post(report, json={"text": "Never came"}).status_code == 204
    address, operator = f"/v1/reviews/{listing['id']}", here.browser("ann")
    assert code(ann.post(f"{address}/hold")) == (404, "not_found")  # it is sold
    assert code(bob.delete(f"{address}/reports")) == (403, "no_operator")
    assert code(ann.delete(f"{address}/reports", params={"until": "2020-01-01T00:00:00Z"})) == (404, "not_found")
    page = operator.get(f"/ops/?review={listing['id']}").text
    until = re.search(r'name="until" value="([^"]+)"', page)[1]
    assert bob.post(report, json={"text": "Still nothing"}).status_code == 204  # after the page was made
    close = {"do": "close", "listing": listing["id"], "until": until}
    assert "Its reports are closed." in operator.post("/ops/reviews", data=close).text
    left = operator.get("/ops/export/reports.json").json()
    assert [row["report"] for row in left] == ["About the seller: Still nothing"]
    assert ann.delete(f"{address}/reports").status_code == 204
    assert operator.get("/ops/export/reports.json").json() == []
    assert code(ann.delete(f"{address}/reports")) == (404, "not_found")


def test_a_question_is_asked_and_answered(people):
    ann, bob, cora = map(people("ann", "bob", "cora").signed, ("ann", "bob", "cora"))
    address = f"/v1/listings/{published(ann)['id']}/questions"

    def seen(client):
        return [(q["text"], q["answer"], q["mine"]) for q in client.get(address).json()["questions"]]

    asked = bob.post(address, json={"text": "Is it warm? +49 170 1234567"})
    assert (asked.status_code, asked.json()["taken_out"]) == (201, ["+49 170 1234567"])
    assert bob.post(address, json={"text": "Is it warm? +49 170 1234567"}).json()["id"] == asked.json()["id"]
    assert "sender" not in asked.json()
    assert (seen(ann), seen(bob), seen(cora)) == (
        [("Is it warm? [removed]", None, False)], [("Is it warm? [removed]", None, True)], [])  # fmt: skip
    assert news(ann) == (1, 0)
    answer = f"/v1/questions/{asked.json()['id']}/answer"
    for who in (bob, cora):
        assert code(who.put(answer, json={"text": "No"})) == (404, "not_found")
    for _ in range(2):
        assert ann.put(answer, json={"text": "Very"}).status_code == 200
    assert (news(ann), news(bob), news(cora)) == ((0, 0), (0, 1), (0, 0))
    assert seen(cora) == [("Is it warm? [removed]", "Very", False)]
    assert seen(bob) == [("Is it warm? [removed]", "Very", True)]
    assert news(bob) == (0, 0)
    assert code(ann.post(address, json={"text": "Mine?"})) == (422, "own")
    assert code(bob.get("/v1/listings/ipl-0/questions")) == (404, "not_found")


def test_a_sale_ends_while_its_listing_is_deleted(two):
    ann, bob, _ = two
    for n in range(4):
        listing = published(ann)
        address = f"/v1/orders/{bought(bob, listing, f'k{n}', '')['id']}"
        ann.post(f"{address}/complete")
        calls = [partial(ann.post, f"{address}/refund"), partial(write, bob, address), partial(write, ann, address)]
        given = at_once([*calls, partial(ann.delete, f"/v1/listings/{listing['id']}")] * 2)
        assert {answer.status_code for answer in given} <= {200, 201, 204, 404}
        assert ann.get(address).json()["state"] == "refunded"
        assert lines(bob, address) == []
