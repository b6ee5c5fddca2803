"""What everybody may know of a seller, and what nobody learns there."""

from __future__ import annotations

import re

import pytest

from app.buyer import seller_page
from app.market.orders import BLOCKED
from app.market.shop import NO_SELLER
from tests.app.support.clients import published
from tests.app.support.shop import buy_on_page, shown

pytestmark = pytest.mark.slow


@pytest.fixture
def here(people):
    return people("ann", "bob", "eve")


def address_in(answer):
    """Where "More from this seller" leads."""
    return re.search(r'href="(/feed/sellers/[^"]+)">More from this seller<', answer.text)[1]


def words(answer):
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", answer.text.split("<main>")[1]))


@pytest.mark.stores
def test_it_counts_what_was_sold(here):
    ann, bob, nobody = map(here.browser, ("ann", "bob", None))
    listings = [published(ann, price=n + 1, title=f"Hoodie {n}") for n in range(5)]
    published(bob, title="Not of ann")
    address = address_in(nobody.get(f"/l/{listings[0]['id']}"))
    assert shown(nobody.get(address)) == [x["id"] for x in listings[::-1]]
    assert re.search(r"Here since [A-Z][a-z]+ \d{4} · 5 on sale", words(nobody.get(address)))
    for n in (0, 1, 2):  # handed over, taken back, not yet
        buy_on_page(bob, listings[n])
    orders = {o["title"]: o["id"] for o in ann.get("/v1/orders?as=seller").json()["orders"]}
    for n in (0, 1):
        ann.post(f"/v1/orders/{orders[f'Hoodie {n}']}/complete")
    ann.post(f"/v1/orders/{orders['Hoodie 1']}/refund")
    assert re.search(r"\d{4} · 1 sold · 2 on sale", words(nobody.get(address)))
    assert "· 1 sold" in words(bob.get(f"/l/{listings[3]['id']}"))
    for n in (3, 4):
        ann.patch(f"/v1/listings/{listings[n]['id']}", json={"status": "sold", "stock": 0})
    sold_out = nobody.get(address)
    assert (sold_out.status_code, shown(sold_out)) == (200, [])
    assert "Nothing is on sale just now" in sold_out.text


def test_it_can_be_shared_and_names_nobody(here):
    ann, nobody = here.browser("ann"), here.browser(None)
    listing = published(ann, title="Hoodie")
    page = nobody.get(address_in(nobody.get(f"/l/{listing['id']}")))
    photos = {photo["id"] for photo in listing["photos"]}
    for secret in (listing["seller_id"], *photos, "ann", "@"):
        assert secret not in re.sub(r"<title>.*?</title>", "", page.text), secret
    assert not re.search(r"[0-9a-f]{24}", page.text.replace(listing["id"], ""))
    tags = dict(re.findall(r'<meta property="([^"]+)" content="([^"]*)">', page.text))
    assert tags["og:title"] == "From one seller: 1 on sale"
    assert tags["og:url"] == f"http://localhost{page.url.path}"
    assert nobody.get(tags["og:image"].replace("&amp;", "&")).status_code == 200
    credentials = {"name": "bob", "password": "long enough", "then": page.url.path}
    assert nobody.post("/sign-in", data=credentials).headers["location"] == page.url.path


def test_more_than_a_page(here, monkeypatch):
    monkeypatch.setattr(seller_page, "PER_PAGE", 2)
    ann, nobody = here.browser("ann"), here.browser(None)
    listings = [published(ann, price=n + 1)["id"] for n in range(5)]
    address, listed, pages = address_in(nobody.get(f"/l/{listings[0]}")), [], []
    while address:
        page = nobody.get(address)
        listed.append(shown(page))
        pages.append('rel="prev"' in page.text)
        onward = re.search(r'rel="next" href="([^"]+)"', page.text)
        address, last = onward[1] if onward else "", address
    assert (listed, pages) == ([listings[:2:-1], listings[2:0:-1], listings[:1]], [False, True, True])
    far = nobody.get(last.replace("page=3", "page=9"))
    assert (far.status_code, shown(far)) == (200, [])
    assert "That was all" in far.text
    assert "page=3" in re.search(r'rel="prev" href="([^"]+)"', far.text)[1]
    assert nobody.get(last.replace("page=3", "page=x")).text.count("data-listing") == 2


def test_who_has_nothing_to_show_is_not_there(here):
    ann, bob = here.browser("ann"), here.browser("bob")
    listing = published(ann)
    address = address_in(bob.get(f"/l/{listing['id']}"))
    ann.patch(f"/v1/listings/{listing['id']}", json={"status": "removed"})
    for path in (address, *(f"/feed/sellers/{name}" for name in ("0123456789abcdef", "%00", listing["seller_id"]))):
        gone = bob.get(path)
        assert gone.status_code == 404, path
        assert NO_SELLER in words(gone)
    assert "More from this seller" not in ann.get(f"/l/{listing['id']}").text  # nobody else sees it


@pytest.mark.stores
def test_who_is_blocked_can_look_and_is_told(here):
    ann, bob, eve = map(here.browser, ("ann", "bob", "eve"))
    first, second = published(ann), published(ann)
    buy_on_page(bob, first)
    order = ann.get("/v1/orders").json()["orders"][0]["id"]
    address = address_in(bob.get(f"/l/{second['id']}"))
    assert BLOCKED not in bob.get(address).text
    ann.put(f"/v1/orders/{order}/block")
    assert BLOCKED in bob.get(address).text
    assert shown(bob.get(address)) == [second["id"]]
    assert BLOCKED not in eve.get(address).text
    ann.delete(f"/v1/orders/{order}/block")
    bob.put(f"/v1/orders/{order}/block")
    assert BLOCKED in bob.get(address).text
