"""Saved searches: what is counted as new, what resets it, whose they are, and what is said where something is wrong."""

from __future__ import annotations

import html
import re
from urllib.parse import quote, urlencode

import pytest

from app.market.search import saved_searches
from app.market.search.saved_searches import EMPTY, FULL, MOST, NOT_THERE
from tests.app.support.clients import client_of, code, published
from tests.app.support.shop import head, said, shown

pytestmark = pytest.mark.slow

HERE = "/feed/searches"


@pytest.fixture(autouse=True)
def counted_at_once(monkeypatch):
    monkeypatch.setattr(saved_searches, "COUNT_SECONDS", 1e-6)


@pytest.fixture
def buyer(services):
    with client_of(services) as made:
        made.get("/feed")
        yield made


def listed(answer):
    """Label, address and count of each saved search on a page."""
    found = re.findall(
        r'<li><a href="([^"]*)"[^>]*>([^<]*?)(?: <b class="news">([^<]*) new</b>)?</a><form', answer.text
    )
    return [(html.unescape(label), html.unescape(address), new or "0") for address, label, new in found]


def save(client, query):
    """Press the button on the page of a search."""
    field = re.search(r'name="query" value="([^"]*)"', client.get(f"/feed?{query}").text)
    return client.post(HERE, data={"query": html.unescape(field[1])})


@pytest.mark.stores
def test_it_counts_what_came_since_it_was_opened(client, buyer):
    published(client, title="Navy hoodie", price=20, facts={"size": "M", "colour": "navy"})
    saved = save(buyer, "q=navy+hoodie&size=M&sort=low&page=2")
    assert (saved.url.path, saved.url.query) == ("/feed", b"q=navy+hoodie&size=M")
    assert "Save this search" not in saved.text
    assert 'aria-label="Saved: see all saved searches"' in saved.text
    label, address, new = listed(buyer.get("/feed"))[0]
    assert (label, address, new) == ("navy hoodie · Size M", "/feed?q=navy+hoodie&size=M", "0")
    assert head(buyer.get("/feed")) == []

    fresh = published(client, title="Navy hoodie with a zip", price=30, facts={"size": "M", "colour": "navy"})
    sold = published(client, title="Navy hoodie, old", price=5, facts={"size": "M", "colour": "navy"})
    published(client, title="Navy hoodie, large", price=5, facts={"size": "L", "colour": "navy"})
    published(client, title="Red hoodie", price=5, facts={"size": "M", "colour": "red"})
    assert listed(buyer.get(HERE)) == [("navy hoodie · Size M", "/feed?q=navy+hoodie&size=M&sort=new", "2")]
    client.patch(f"/v1/listings/{sold['id']}", json={"status": "sold", "stock": 0})
    assert [new for *_, new in listed(buyer.get("/feed"))] == ["1"]
    assert head(buyer.get("/feed/purchases")) == [1]

    address = listed(buyer.get(HERE))[0][1]
    assert shown(buyer.get(address, headers={"Sec-Purpose": "prefetch"}))[0] == fresh["id"]
    assert head(buyer.get("/feed/purchases")) == [1]  # nobody has seen it
    opened = buyer.get(address)
    assert shown(opened)[0] == fresh["id"]
    assert (head(opened), head(buyer.get("/feed"))) == ([], [])
    assert listed(buyer.get(HERE))[0][1:] == ("/feed?q=navy+hoodie&size=M", "0")

    remove = re.findall(r'action="(/feed/searches/\w+/remove)"', buyer.get(HERE).text)
    assert listed(buyer.post(remove[0])) == []
    assert 'href="/feed/searches"' not in buyer.get("/feed").text


COUNTS = {
    "q=hoodie": 2, "q=hodie": 2, "q=hoodie+under+15": 1, "q=hoodie&off=price&to=15": 1, "q=umbro": 1, "q=jacket": 1,
    "q=navy": 1, "q=Umbro+red&exact=1": 1, "q=Umbro+rot&exact=1": 0, "colour=red": 2, "from=25&sort=low": 2,
    "category=hoodie&brand=Umbro": 1,
}  # fmt: skip


@pytest.mark.stores
def test_what_fits_all_of_it_is_counted(client, buyer):
    for query in COUNTS:
        assert save(buyer, query).status_code == 200
    for title, price, category, facts in (
        ("Red Umbro hoodie", 10, "Hoodie", {"colour": "red", "brand": "Umbro"}),
        ("Navy hoodie", 30, "Hoodie", {"colour": "navy", "brand": "Nike"}),
        ("Rain jacket", 40, "Outwear", {"colour": "red, white"}),
    ):
        published(client, title=title, price=price, category=category, facts=facts)
    counted = [int(new) for *_, new in listed(buyer.get(HERE))]
    assert dict(zip(COUNTS, counted[::-1], strict=True)) == COUNTS


def test_counting_asks_no_vector_and_ends(services, client, buyer, monkeypatch):
    save(buyer, "q=hoodie")
    save(buyer, "category=hoodie")
    monkeypatch.setattr("app.market.shop.MOST_NEW", 2)
    monkeypatch.setattr("app.buyer.cards.MOST_NEW", 2)
    for n in range(3):
        published(client, title=f"Hoodie {n}", price=n + 1)
    asked = []
    for name in ("search", "nearest"):
        monkeypatch.setattr(services.index, name, lambda *_, **__: asked.append(1) or [])
    assert [new for *_, new in listed(buyer.get(HERE))] == ["2+", "2+"]
    assert ">4+<" in buyer.get("/feed").text
    assert asked == []
    buyer.get("/feed?q=hoodie")
    assert asked


def test_counts_are_remembered_for_a_while(client, buyer, monkeypatch):
    save(buyer, "q=hoodie")
    published(client, title="Hoodie", price=1)
    monkeypatch.setattr(saved_searches, "COUNT_SECONDS", 1e9)
    assert listed(buyer.get(HERE))[0][2] == "1"
    published(client, title="Hoodie", price=2)
    assert listed(buyer.get(HERE))[0][2] == "1"
    assert head(buyer.get("/feed?q=hoodie")) == []
    published(client, title="Hoodie", price=3)
    buyer.get("/feed?q=hoodie")  # what was seen is not new later, though its count was remembered as none
    monkeypatch.setattr(saved_searches, "COUNT_SECONDS", 1e-6)
    assert listed(buyer.get(HERE))[0][2] == "0"


def test_each_has_their_own(people):
    here = people("ann", "bob")
    ann, bob, nobody = map(here.browser, ("ann", "bob", None))
    assert save(bob, "q=hoodie").headers["location"] == "/feed?q=hoodie"
    made = ann.post("/v1/searches", json={"query": "category=Hoodie&to=30&page=3&nonsense=1"})
    assert made.status_code == 201
    wish = {"query": "category=Hoodie&to=30", "label": "Hoodie · Up to 30", "new": 0}
    assert {name: made.json()[name] for name in wish} == wish
    assert ann.post("/v1/searches", json={"query": "to=30&category=hoodie"}).json() == made.json()
    for price in (10, 40):
        listing = published(bob, price=price)
        assert listed(bob.get(HERE))[0][2] == "0"  # one's own is no news
    own = ann.get("/v1/searches").json()["searches"]
    assert [(x["id"], x["new"]) for x in own] == [(made.json()["id"], 1)]

    address = f"/v1/searches/{own[0]['id']}"
    for unread in ("?read=false", ""):
        there = ann.get(f"{address}/listings{unread}").json()["listings"]
        assert [x["price"] for x in there] == [10]
        assert ann.get("/v1/searches").json()["searches"][0]["new"] == (1 if unread else 0)
    assert listing["id"] not in {x["id"] for x in there}

    for answer in (bob.get(f"{address}/listings"), bob.delete(address), bob.delete("/v1/searches/x")):
        assert code(answer) == (404, "not_found")
    refused = bob.post(f"{HERE}/{own[0]['id']}/remove")
    assert (refused.status_code, said(refused)) == (404, [NOT_THERE])
    assert ann.delete(address).status_code == 204
    assert ann.get("/v1/searches").json() == {"searches": []}
    assert [label for label, *_ in listed(bob.get(HERE))] == ["hoodie"]

    assert "Save this search" not in nobody.get("/feed?q=hoodie").text
    assert nobody.get(HERE).headers["location"] == f"/sign-in?then={HERE}"
    assert nobody.post(HERE, data={"query": "q=hoodie"}).status_code == 401
    assert code(nobody.get("/v1/searches")) == (401, "sign_in")
    credentials = {"name": "bob", "password": "long enough", "then": HERE}
    assert nobody.post("/sign-in", data=credentials).headers["location"] == HERE


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("", EMPTY),
        ("sort=new&page=2&off=colour&exact=1", EMPTY),
        ("q=%00%20", EMPTY),
        ("from=cheap", "The price is not a number; write it like 12 or 12.50."),
        ("from=20&to=10&q=hoodie", "The lowest price lies above the highest; change one of them."),
        ("category=spaceship", "There is no category 'spaceship'; choose one of the list."),
    ],
)
def test_what_cannot_be_saved_is_one_sentence(client, buyer, query, sentence):
    refused = buyer.post(HERE, data={"query": query})
    assert (refused.status_code, said(refused)) == (422, [sentence])
    answer = client.post("/v1/searches", json={"query": query})
    assert (answer.status_code, answer.json()["error"]["message"]) == (422, sentence)
    assert "Save this search" not in buyer.get(f"/feed?{query}").text
    assert "You have not saved a search yet" in buyer.get(HERE).text


def test_there_is_a_limit(client, buyer):
    for n in range(MOST):
        assert save(buyer, f"q=hoodie+{n}").url.path == "/feed"
    full = save(buyer, "q=one+more")
    assert (full.status_code, said(full), len(listed(full))) == (409, [FULL], MOST)
    assert buyer.post(HERE, data={"query": "q=hoodie+3"}).url.path == "/feed"  # it is there already
    first = re.findall(r'action="(/feed/searches/\w+/remove)"', full.text)[0]
    buyer.post(first)
    assert save(buyer, "q=one+more").url.path == "/feed"
    answers = [client.post("/v1/searches", json={"query": f"q=hoodie+{n}"}) for n in range(MOST + 1)]
    assert ({a.status_code for a in answers[:-1]}, code(answers[-1])) == ({201}, (409, "too_many"))


def test_odd_words_are_saved_and_shown_as_text(buyer):
    words = '<script>alert(1)</script> "ünï" 🧥 & 100%'
    query = urlencode({"q": words, "to": "12,5", "brand": "H&M"})
    label, address, _ = listed(save(buyer, query) and buyer.get(HERE))[0]
    assert label == f"{words} · Up to 12.50 · H&M"
    assert "<script>alert" not in buyer.get(HERE).text
    off = save(buyer, "q=navy+hoodie+under+30&off=colour+price+condition_grade") and buyer.get(HERE)
    assert listed(off)[0][0] == "navy hoodie under 30 · any colour · any condition · any price"
    save(buyer, "q=navy+hoodie&exact=1")
    assert listed(buyer.get(HERE))[0][0] == "navy hoodie · exactly these words"
    again = buyer.get(address)
    assert "Save this search" not in again.text
    assert f'value="{html.escape(words, quote=True)}"'.replace("&quot;", "&#34;") in again.text
    assert buyer.post(HERE, data={"query": quote("q=" + "x" * 30_000)}).status_code == 422
