"""The page of an order, for its buyer and for its seller, and the counts in the heads of the pages."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from app.seller.renderer import PageRenderer
from app.seller.session import SellerSession
from tests.app.buyer.test_buying import form, said
from tests.app.buyer.test_purchases import rows
from tests.app.support.clients import client_of, code, draft, published


@pytest.fixture
def sale(people):
    """Browsers of seller, buyer and somebody else, the services, and the address of an order."""
    here = people("ann", "bob", "eve")
    ann, bob, eve = map(here.browser, ("ann", "bob", "eve"))
    listing = ann.post(
        "/v1/listings", json={"draft_id": draft(ann).json()["id"], "title": "Hoodie", "price": 10}
    ).json()
    bob.post(f"/l/{listing['id']}/buy", data=form(bob.get(f"/l/{listing['id']}")))
    address = re.findall(r'href="(/feed/orders/\w+)"', bob.get("/feed/purchases").text)[0]
    assert address in bob.get(f"/l/{listing['id']}").text
    return ann, bob, eve, here.services, address


def head(answer):
    """The counts in the head of a page."""
    return [int(n) for n in re.findall(r'class="news">(\d+)', answer.text.split("<main>")[0])]


def states(*browsers):
    return [rows(browser.get("/feed/purchases")) for browser in browsers]


def test_both_write_and_each_sees_what_is_new(sale):
    ann, bob, _, _, address = sale
    assert head(ann.get("/feed")) == [1]  # to hand over
    assert bob.post(f"{address}/write", data={"text": "When can I come?"}).status_code == 303
    assert head(ann.get("/feed")) == [2]
    page = ann.get(address)
    assert head(page) == [1]
    assert "The buyer, " in page.text
    assert "<b>new</b>" in page.text
    assert "<b>new</b>" not in ann.get(address).text
    answer = ann.post(f"{address}/write", data={"text": "On Monday. Call me: +49 170 1234567"})
    assert said(answer)[0].startswith("It was sent. Contact data was taken out of it: “+49 170 1234567”")
    assert head(bob.get("/feed")) == [1]
    assert "1 new" in bob.get("/feed/purchases").text
    page = bob.get(address)
    assert "On Monday." in page.text
    assert "1234567" not in page.text
    assert head(bob.get("/feed")) == []
    long = bob.post(f"{address}/write", data={"text": "x" * 501})
    assert (long.status_code, "501 characters" in said(long)[0], "x" * 501 in long.text) == (422, True, True)


def test_the_buyer_cancels_and_the_seller_sees_it(sale):
    ann, bob, _, services, address = sale
    assert "Cancel the sale" in bob.get(address).text
    for _ in range(2):
        assert bob.post(f"{address}/cancel").status_code == 303
    assert states(bob) == [[("Hoodie", "Cancelled")]]
    assert "Cancel the sale" not in bob.get(address).text
    seller = services.sellers.named("ann").id
    mine = PageRenderer(services).mine(SellerSession(), seller)
    assert "The sale was cancelled" in mine
    assert address in mine
    assert "Sell again" in mine
    page = ann.get(address)
    assert "The buyer cancelled the sale." in page.text
    assert "“Sell again” under My listings" in page.text
    assert "The sale was cancelled" not in PageRenderer(services).mine(SellerSession(), seller)
    refused = ann.post(f"{address}/handed")
    assert (refused.status_code, said(refused)) == (409, ["This order was cancelled; it cannot be completed any more."])


def test_the_seller_hands_it_over_here_as_well(sale):
    ann, bob, _, _, address = sale
    assert bob.post(f"{address}/handed").status_code == 404
    assert "Handed over</button>" not in bob.get(address).text
    assert ann.post(f"{address}/handed").status_code == 303
    assert head(ann.get("/feed")) == []
    assert head(bob.get("/feed")) == [1]
    assert "The seller handed it over." in bob.get(address).text
    late = bob.post(f"{address}/cancel")
    assert (late.status_code, said(late)) == (409, ["This was handed over, so it cannot be cancelled any more."])
    assert states(bob) == [[("Hoodie", "Handed over")]]


def test_either_blocks_and_reports(sale):
    ann, bob, _, services, address = sale
    bob.post(f"{address}/write", data={"text": "I only pay outside"})
    assert ann.post(f"{address}/block").status_code == 303
    assert "You blocked the buyer" in ann.get(address).text
    assert "You cannot write to the seller any more." in bob.get(address).text
    refused = bob.post(f"{address}/write", data={"text": "Why?"})
    assert (refused.status_code, said(refused)[0].startswith("One of you has blocked")) == (403, True)
    assert said(ann.post(f"{address}/report", data={"text": "Rude"}))[0].startswith("Thank you.")
    assert "I only pay outside" in services.messages.reports()[0].text
    assert ann.post(f"{address}/block", data={"blocked": "no"}).status_code == 303
    assert bob.post(f"{address}/write", data={"text": "Thanks"}).status_code == 303


def test_nobody_else_sees_it(sale):
    _, bob, eve, _, address = sale
    for do in ("write", "cancel", "handed", "block", "report"):
        assert eve.post(f"{address}/{do}", data={"text": "Hello"}).status_code == 404
        foreign = bob.post(f"{address}/{do}", data={"text": "x"}, headers={"Origin": "https://evil.example"})
        assert code(foreign) == (403, "bad_origin")
    assert eve.get(address).status_code == 404
    assert "Hoodie" not in eve.get(address).text
    assert states(bob) == [[("Hoodie", "Waiting for the seller")]]


def test_strangers_are_led_to_the_form_and_back(people):
    nobody = people("ann").browser(None)
    moved = nobody.get("/feed/orders/0a1b")
    assert (moved.status_code, moved.headers["location"]) == (303, "/sign-in?then=/feed/orders/0a1b")
    form = {"name": "ann", "password": "long enough", "then": "/feed/orders/0a1b"}
    assert nobody.post("/sign-in", data=form).headers["location"] == "/feed/orders/0a1b"
    assert nobody.get("/feed/orders/0a1b").status_code == 404


def test_where_strangers_see_nothing_a_link_leads_through_the_form_as_well(people):
    nobody = people("ann", visitors=False).browser(None)
    for address in ("/feed/orders/0a1b", "/feed/purchases", "/l/ipl-0a1b", "/feed"):
        moved = nobody.get(address)
        assert (moved.status_code, moved.headers["location"]) == (303, f"/sign-in?then={quote(address, safe='')}")


def test_where_nobody_signs_in_each_browser_buys_and_the_one_person_sells(services, client):
    listing = published(client, price=5)
    with client_of(services) as buyer, client_of(services) as seller:
        for each in (buyer, seller):
            each.get("/feed")
        buyer.post(f"/l/{listing['id']}/buy", data=form(buyer.get(f"/l/{listing['id']}")))
        address = re.findall(r'href="(/feed/orders/\w+)"', buyer.get("/feed/purchases").text)[0]
        buyer.post(f"{address}/write", data={"text": "When?"})
        assert "You and the seller" in buyer.get(address).text
        assert "You and the buyer" in seller.get(address).text
        seller.post(f"{address}/write", data={"text": "Monday"})
        assert head(buyer.get("/feed")) == [1, 1]  # this browser's purchase, and what the one person has to hand over
        assert "Monday" in buyer.get(address).text


def test_an_answer_is_new_until_its_page_was_seen(people):
    here = people("ann", "bob")
    ann, bob = here.browser("ann"), here.browser("bob")
    listing = ann.post("/v1/listings", json={"draft_id": draft(ann).json()["id"], "price": 10}).json()
    bob.post(f"/l/{listing['id']}/ask", data={"text": "Is it warm?"})
    question = here.services.messages.of_listings([listing["id"]])[listing["id"]][0]
    assert head(bob.get("/feed")) == []
    here.services.messages.answer(here.services.sellers.named("ann").id, question.id, "Very")
    assert head(bob.get("/feed")) == [1]
    bob.get(f"/l/{listing['id']}")
    assert head(bob.get("/feed")) == []
