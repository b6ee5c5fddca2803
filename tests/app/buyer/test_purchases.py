"""What a buyer ordered, on a page of their own."""

from __future__ import annotations

import re

from tests.app.buyer.test_buying import form
from tests.app.support.clients import client_of, draft, published


def rows(answer):
    """Title and state of each order on the page, in its order."""
    found = re.findall(
        r'<li class="card order">.*?<h2>(.*?)</h2>.*?<span class="pill[^"]*">([^<]+)<', answer.text, re.S
    )
    return [(re.sub("<[^>]+>", "", title), state) for title, state in found]


def test_each_order_stands_there_with_what_became_of_it(services, client):
    listings = [published(client, title=f"Hoodie {n}", price=n + 1) for n in range(3)]
    with client_of(services) as buyer, client_of(services) as other:
        buyer.get("/feed")
        other.get("/feed")
        assert "You have not bought anything yet" in buyer.get("/feed/purchases").text
        for listing in listings:
            wish = form(buyer.get(f"/l/{listing['id']}"))
            bought = buyer.post(f"/l/{listing['id']}/buy", data=wish)
            assert 'href="/feed/purchases"' in bought.text
        assert rows(buyer.get("/feed/purchases")) == [(f"Hoodie {n}", "Waiting for the seller") for n in (2, 1, 0)]
        orders = {o["title"]: o["id"] for o in client.get("/v1/orders?as=seller").json()["orders"]}
        client.post(f"/v1/orders/{orders['Hoodie 1']}/complete")
        client.post(f"/v1/orders/{orders['Hoodie 0']}/refund")
        client.delete(f"/v1/listings/{listings[1]['id']}")
        shown = buyer.get("/feed/purchases")
        assert rows(shown) == [
            ("Hoodie 2", "Waiting for the seller"), ("A listing that is gone", "Handed over"), ("Hoodie 0", "Refunded"),
        ]  # fmt: skip
        assert f"/l/{listings[2]['id']}/photos/1" in shown.text
        assert listings[1]["id"] not in shown.text
        assert "what you paid comes back from the seller" in shown.text
        assert rows(other.get("/feed/purchases")) == []


def test_strangers_are_led_to_the_form_and_back(people):
    here = people("ann", "bob")
    ann, bob, nobody = here.browser("ann"), here.browser("bob"), here.browser(None)
    listing = ann.post("/v1/listings", json={"draft_id": draft(ann).json()["id"], "price": 10}).json()
    refused = nobody.get("/feed/purchases")
    assert (refused.status_code, refused.headers["location"]) == (303, "/sign-in?then=/feed/purchases")
    assert "/feed/purchases" not in nobody.get("/feed").text
    credentials = {"name": "bob", "password": "long enough", "then": "/feed/purchases"}
    assert nobody.post("/sign-in", data=credentials).headers["location"] == "/feed/purchases"
    bob.post(f"/l/{listing['id']}/buy", data=form(bob.get(f"/l/{listing['id']}")))
    assert [state for _, state in rows(nobody.get("/feed/purchases"))] == ["Waiting for the seller"]
    assert rows(ann.get("/feed/purchases")) == []
