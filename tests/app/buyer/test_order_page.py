"""The page of an order and what a buyer ordered, for both sides; the counts in the heads of the pages."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from app.seller.renderer import PageRenderer
from app.seller.session import SellerSession
from tests.app.support.clients import client_of, code, published
from tests.app.support.shop import bought, buy_on_page, form, head, purchases, question_on, refused, said, shown
from tests.app.support.tabs import Tab

pytestmark = pytest.mark.slow


@pytest.fixture
def sale(people):
    """Browsers of seller, buyer and somebody else, the services, and the address of an order."""
    here = people("ann", "bob", "eve")
    ann, bob, eve = map(here.browser, ("ann", "bob", "eve"))
    listing = published(ann, title="Hoodie")
    buy_on_page(bob, listing)
    address = re.findall(r'href="(/feed/orders/\w+)"', bob.get("/feed/purchases").text)[0]
    assert address in bob.get(f"/l/{listing['id']}").text
    return ann, bob, eve, here.services, address


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
    assert said(answer)[0].startswith("It was sent. This was taken out of it: “+49 170 1234567”")
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
    assert purchases(bob) == [("Hoodie", "Cancelled")]
    assert "Cancel the sale" not in bob.get(address).text
    seller = services.sellers.named("ann").id
    mine = PageRenderer(services).mine(SellerSession(), seller)
    assert "The sale was cancelled" in mine
    assert address in mine
    assert "Sell again" not in mine
    page = ann.get(address)
    assert "The buyer cancelled the sale." in page.text
    listing = re.findall(r'href="/l/([\w-]+)"', page.text)[0]
    for browser in (ann, bob):  # on sale again: for both, in the feed and in a search
        assert "The sale is off. It is on sale again." in browser.get(address).text
        assert listing in shown(browser.get("/feed"))
        assert listing in shown(browser.get("/feed?q=hoodie"))
    assert "Order it now" in bob.get(f"/l/{listing}").text
    assert listing in services.index.ids()
    assert "The sale was cancelled" not in PageRenderer(services).mine(SellerSession(), seller)
    late = (409, "This order was cancelled; it cannot be completed any more.")
    assert refused(ann.post(f"{address}/handed")) == late


def test_the_seller_hands_it_over_here(sale):
    ann, bob, _, _, address = sale
    assert bob.post(f"{address}/handed").status_code == 404
    assert "Handed over</button>" not in bob.get(address).text
    assert ann.post(f"{address}/handed").status_code == 303
    assert (head(ann.get("/feed")), head(bob.get("/feed"))) == ([], [1])
    assert "The seller handed it over." in bob.get(address).text
    assert refused(bob.post(f"{address}/cancel")) == (
        409, "This was handed over, so it cannot be cancelled any more.")  # fmt: skip
    assert purchases(bob) == [("Hoodie", "Handed over")]


def test_the_page_says_what_passes(sale):
    ann, bob, _, _, address = sale
    for browser in (ann, bob):
        assert "An address, a name and a time may stand here; phone numbers" in browser.get(address).text
    street = "Ring at Miller, 12 Baker Street, London NW1 6XE, at 18:30"
    bob.post(f"{address}/write", data={"text": street})
    assert street in ann.get(address).text


def test_either_blocks_and_reports(sale):
    ann, bob, _, services, address = sale
    bob.post(f"{address}/write", data={"text": "I only pay outside"})
    assert ann.post(f"{address}/block").status_code == 303
    assert "You blocked the buyer" in ann.get(address).text
    assert "You cannot write to the seller any more." in bob.get(address).text
    status, sentence = refused(bob.post(f"{address}/write", data={"text": "Why?"}))
    assert (status, sentence[:23]) == (403, "One of you has blocked "[:23])
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
    assert purchases(bob) == [("Hoodie", "Waiting for the seller")]


def test_strangers_are_led_to_the_form_and_back(people):
    here = people("ann", "bob")
    ann, bob, nobody = map(here.browser, ("ann", "bob", None))
    for address in ("/feed/orders/0a1b", "/feed/purchases"):
        moved = nobody.get(address)
        assert (moved.status_code, moved.headers["location"]) == (303, f"/sign-in?then={address}")
    assert "/feed/purchases" not in nobody.get("/feed").text
    credentials = {"name": "bob", "password": "long enough", "then": "/feed/orders/0a1b"}
    assert nobody.post("/sign-in", data=credentials).headers["location"] == "/feed/orders/0a1b"
    assert nobody.get("/feed/orders/0a1b").status_code == 404
    buy_on_page(bob, published(ann))
    assert [state for _, state in purchases(nobody)] == ["Waiting for the seller"]
    assert purchases(ann) == []


def test_links_lead_through_the_form_without_visitors(people):
    nobody = people("ann", visitors=False).browser(None)
    for address in ("/feed/orders/0a1b", "/feed/purchases", "/l/ipl-0a1b", "/feed"):
        moved = nobody.get(address)
        assert (moved.status_code, moved.headers["location"]) == (303, f"/sign-in?then={quote(address, safe='')}")


def test_each_browser_buys_where_nobody_signs_in(services, client):
    listing = published(client, price=5)
    with client_of(services) as buyer, client_of(services) as seller:
        for each in (buyer, seller):
            each.get("/feed")
        buy_on_page(buyer, listing)
        address = re.findall(r'href="(/feed/orders/\w+)"', buyer.get("/feed/purchases").text)[0]
        buyer.post(f"{address}/write", data={"text": "When?"})
        assert "You and the seller" in buyer.get(address).text
        assert "You and the buyer" in seller.get(address).text
        seller.post(f"{address}/write", data={"text": "Monday"})
        assert head(buyer.get("/feed")) == [1, 1]  # this browser's purchase, and what the one person has to hand over
        assert "Monday" in buyer.get(address).text


PRESSES = {  # each form of the buyers' pages, where it stands, and what it sends
    "/l/{listing}/buy": ("/l/{listing}", None),
    "/l/{listing}/ask": ("/l/{listing}", {"text": "Is it warm?"}),
    "/l/{listing}/report": ("/l/{listing}", {"reason": "fraud"}),
    "{order}/write": ("{order}", {"text": "When?"}),
    "{order}/handed": ("{order}", {}),
    "{order}/cancel": ("{order}", {}),
    "{order}/block": ("{order}", {}),
    "{order}/report": ("{order}", {"text": "Rude"}),
}


@pytest.mark.parametrize("press", PRESSES)
def test_the_first_press_in_a_fresh_browser_works(services, client, press):
    """Of the one person, who sold, or of a buyer who comes to the page for the first time."""
    listing, sold = published(client, title="Blue hoodie"), published(client, title="Red hoodie", price=5)
    with client_of(services) as buyer:
        buyer.get("/feed")
        buy_on_page(buyer, sold)
        order = re.findall(r'href="(/feed/orders/\w+)"', buyer.get("/feed/purchases").text)[0]
    places = {"listing": listing["id"], "order": order}
    page, sent = PRESSES[press]
    with client_of(services, follow_redirects=False) as fresh:
        opened = fresh.get(page.format(**places))
        assert opened.status_code == 200, said(opened)
        assert f'action="{press.format(**places)}' in opened.text
        done = fresh.post(press.format(**places), data=form(opened) if sent is None else sent)
        assert done.status_code in (200, 303), done.text
        assert not re.search(r'role="alert"', done.text)


def test_an_answer_is_new_until_it_was_seen(people):
    here = people("ann", "bob")
    ann, bob = here.browser("ann"), here.browser("bob")
    listing = published(ann)
    bob.post(f"/l/{listing['id']}/ask", data={"text": "Is it warm?"})
    assert head(bob.get("/feed")) == []
    here.services.messages.answer(listing["seller_id"], question_on(here.services, listing).id, "Very")
    assert head(bob.get("/feed")) == [1]
    bob.get(f"/l/{listing['id']}")
    assert head(bob.get("/feed")) == []


def test_what_is_new_stands_on_top(services, me, client):
    """Of a seller's listings: first what was sold, then what was asked."""
    sold, asked, quiet = (published(client, title=f"Hoodie {n}") for n in range(3))
    client.patch(f"/v1/listings/{sold['id']}", json={"stock": 8})
    with client_of(services) as buyer:
        buyer.get("/feed")
        buyer.post(f"/l/{asked['id']}/ask", data={"text": "Is it warm?"})
        for n in range(7):
            bought(client, sold, f"k{n}")
        assert head(buyer.get(f"/l/{quiet['id']}")) == [8]
    tab, pages = Tab(services), PageRenderer(services)

    def look():
        cards = re.findall(r'data-listing="([^"]+)"', pages.mine(tab.session, me))
        return list(dict.fromkeys(cards)), re.findall(
            r'data-do="handed"[^>]*data-id="(\w+)"', pages.mine(tab.session, me)
        )

    assert "8 new" in re.sub("<[^>]+>", "", pages.top(tab.session, me, ""))
    assert look()[0] == [sold["id"], asked["id"], quiet["id"]]
    for left in (5, 5, 4):  # seven, less one after the other; each has its own buttons
        oldest = look()[1][0]
        tab.press("handed", id=oldest)
        assert oldest not in look()[1]
        assert len(set(look()[1])) == left
    tab.press("reply", id=question_on(services, asked).id, text="Very.")
    assert look()[0][0] == sold["id"]
    assert "4 new" in re.sub("<[^>]+>", "", pages.top(tab.session, me, ""))


def test_each_order_stands_among_the_purchases(services, client):
    listings = [published(client, title=f"Hoodie {n}", price=n + 1) for n in range(3)]
    with client_of(services) as buyer, client_of(services) as other:
        buyer.get("/feed")
        other.get("/feed")
        assert "You have not bought anything yet" in buyer.get("/feed/purchases").text
        for listing in listings:
            assert 'href="/feed/purchases"' in buy_on_page(buyer, listing).text
        assert purchases(buyer) == [(f"Hoodie {n}", "Waiting for the seller") for n in (2, 1, 0)]
        sold = {o["title"]: o["id"] for o in client.get("/v1/orders?as=seller").json()["orders"]}
        client.post(f"/v1/orders/{sold['Hoodie 1']}/complete")
        client.post(f"/v1/orders/{sold['Hoodie 0']}/refund")
        client.delete(f"/v1/listings/{listings[1]['id']}")
        assert purchases(buyer) == [
            ("Hoodie 2", "Waiting for the seller"), ("A listing that is gone", "Handed over"), ("Hoodie 0", "Refunded"),
        ]  # fmt: skip
        page = buyer.get("/feed/purchases").text
        assert f"/l/{listings[2]['id']}/photos/1" in page
        assert listings[1]["id"] not in page
        assert "what you paid comes back from the seller" in page
        assert purchases(other) == []
