"""Buying, selling and posting over HTTP, and what the pages of buyers show of it."""

from __future__ import annotations

import html
import re

from tests.fakes import jpeg

HONEST = "Warm and lined, with two pockets and a collar. It was worn for one winter and has been washed since."
DOUBTFUL = f"{HONEST} Two sealed bottles of whisky go with it."
POST_TEXT = "Cold water, a drop of soap, dry it flat. " * 3


def order(client, listing, key="k1", **body):
    body = {"listing_id": listing["id"], **body}
    return client.post("/v1/orders", json=body, headers={"Idempotency-Key": key})


def bought(client, listing, key="k1", buyer="vera"):
    """An order; buyer "" is whoever is signed in."""
    answer = order(client, listing, key, buyer=buyer, price=listing["price"])
    assert answer.status_code == 201, answer.text
    return answer.json()


def orders(client, **query):
    answer = client.get("/v1/orders", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["orders"]


def pieces(client, listing):
    return client.get(f"/v1/listings/{listing['id']}").json()["stock"]


def write_post(client, key="", photo=(60, 60, 60), **changes):
    data = {"title": "How to wash wool", "text": POST_TEXT, "category": "Hoodie", "topic": "care", **changes}
    headers = {"Idempotency-Key": key} if key else {}
    return client.post("/v1/posts", files={"photo": ("a.jpg", jpeg(photo), "image/jpeg")}, data=data, headers=headers)


def posted(client, **changes):
    answer = write_post(client, **changes)
    assert answer.status_code == 201, answer.text
    return answer.json()


def seen(client, visitor="vera", size=20):
    """A page of the feed."""
    answer = client.get(f"/v1/feed/{visitor}", params={"size": size})
    assert answer.status_code == 200, answer.text
    return answer.json()


def buy(client, listing, buyer="vera", key="k1", **more):
    """An order of a listing at its price, by a visitor."""
    body = {"listing_id": listing["id"], "buyer": buyer, "price": listing.get("price"), **more}
    return client.post("/v1/orders", json=body, headers={"Idempotency-Key": key})


def visit(client, visitor, click=()):
    """A page of which every place is seen and some are clicked."""
    page = seen(client, visitor)
    ids = [p["listing"]["id"] for p in page["places"]]
    events = [{"kind": "impression", "page_id": page["id"], "listing_id": i} for i in ids]
    events += [{"kind": "click", "page_id": page["id"], "listing_id": i} for i in click if i in ids]
    assert client.post("/v1/events", json={"visitor": visitor, "events": events}).status_code == 200
    return page


def _event(page, kind, place):
    thing = {"post_id": place["post"]["id"]} if place["post"] else {"listing_id": place["listing"]["id"]}
    return {"kind": kind, "page_id": page["id"], **thing}


def report(client, visitor, page, kind, place):
    """Tell the feed what a visitor did with a place of a page."""
    return client.post("/v1/events", json={"visitor": visitor, "events": [_event(page, kind, place)]})


def report_all(client, visitor, page, kinds):
    """Tell the feed at once what a visitor did with each place of a page."""
    events = [_event(page, kind, place) for kind, place in zip(kinds, page["places"], strict=True)]
    return client.post("/v1/events", json={"visitor": visitor, "events": events})


def form(answer):
    """The hidden fields of the form that buys."""
    return dict(re.findall(r'type="hidden" name="(price|currency|key)" value="([^"]*)"', answer.text))


def buy_on_page(client, listing):
    """Press the button on a listing's page."""
    return client.post(f"/l/{listing['id']}/buy", data=form(client.get(f"/l/{listing['id']}")))


def said(answer):
    """What stands where something was pressed."""
    return [html.unescape(text) for text in re.findall(r'id="said">([^<]+)<', answer.text)]


def refused(answer):
    """Status and sentence of a page that says what cannot be done."""
    return answer.status_code, said(answer)[0]


def shown(answer):
    """Ids of the listings on a page."""
    return re.findall(r'data-listing="([^"]+)"', answer.text)


def head(answer):
    """The counts in the head of a page."""
    return [int(n) for n in re.findall(r'class="news">(\d+)', answer.text.split("<main>")[0])]


def purchases(client):
    """Title and state of each order on the page of what was bought, in its order."""
    page = client.get("/feed/purchases").text
    found = re.findall(r'<li class="card order">.*?<h2>(.*?)</h2>.*?<span class="pill[^"]*">([^<]+)<', page, re.S)
    return [(re.sub("<[^>]+>", "", title), state) for title, state in found]


def question_on(services, listing):
    """The first question about a listing."""
    return services.messages.of_listings([listing["id"]])[listing["id"]][0]
