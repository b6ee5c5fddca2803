"""The feed as a page: what it shows, what it finds, what of it is written down and for whom."""

from __future__ import annotations

import asyncio
import html
import io
import re
import threading
from urllib.parse import quote

import httpx
import pytest
from PIL import Image
from sqlalchemy import func, select

from app.buyer import feed_page, listing_page
from app.feed.pages import Rates
from app.store.tables import FeedPageRow, FeedRow, NumberRow
from tests.app.support.clients import client_of, code, published
from tests.app.support.shop import posted, shown
from tests.fakes import jpeg, picture

FOREIGN = {"Sec-Fetch-Site": "cross-site"}


def rows(services, *tables):
    with services.store.read() as session:
        return [session.scalar(select(func.count()).select_from(table)) for table in tables]


def sentences(answer):
    return [html.unescape(text) for text in re.findall(r'role="alert">([^<]+)<', answer.text)]


@pytest.fixture
def visitor(client):
    """Somebody whose browser has its cookie."""
    assert client.get("/feed").status_code == 200
    return client


def test_nothing_is_written_down_without_a_cookie(services, client):
    published(client)
    answer = client.get("/feed")
    assert len(shown(answer)) == 1
    cookie = answer.headers["set-cookie"]
    assert re.match("ipl_visitor=[0-9a-f]{32}; HttpOnly; .*SameSite=lax", cookie)
    assert "data-page" not in answer.text
    for headers in (FOREIGN, {"Sec-Purpose": "prefetch"}, {"Sec-Fetch-Site": "same-site"}):
        assert len(shown(client.get("/feed", headers=headers))) == 1
    forged = client.get("/feed", headers={"Cookie": "ipl_visitor=me"})
    assert len(shown(forged)) == 1
    assert rows(services, FeedPageRow, FeedRow) == [0, 0]
    again = client.get("/feed")
    assert "set-cookie" not in again.headers
    assert rows(services, FeedPageRow, FeedRow) == [1, 1]


def test_what_comes_into_view_counts_once(services, visitor):
    listing, post = published(visitor), posted(visitor)
    page = re.search('data-page="([0-9a-f]{32})"', visitor.get("/feed").text)[1]
    body = {"page": page, "listings": [listing["id"]], "posts": [post["id"]]}
    for _ in range(2):
        assert visitor.post("/feed/seen", json=body).status_code == 204
    with services.store.read() as session:
        assert session.scalar(select(func.count()).where(FeedRow.seen_at.is_not(None))) == 1
    foreign = visitor.post("/feed/seen", json=body, headers={"Origin": "https://evil.example"})
    assert code(foreign) == (403, "bad_origin")
    with client_of(services) as other:
        assert code(other.post("/feed/seen", json=body)) == (403, "no_cookie")
        other.get("/feed")
        assert code(other.post("/feed/seen", json=body)) == (404, "not_found")
        known = rows(services, NumberRow)
        assert other.post("/feed/seen", json={"page": page}).status_code == 204
        assert rows(services, NumberRow) == known, "nothing is kept of who only sends a cookie"


def test_further_pages_are_the_rest(services, visitor, monkeypatch):
    monkeypatch.setattr(feed_page, "PER_PAGE", 3)
    listings = {published(visitor, price=n)["id"] for n in range(1, 6)}
    first = visitor.get("/feed")
    onward = html.unescape(re.search(r'rel="next" href="([^"]+)"', first.text)[1])
    second = visitor.get(onward)
    assert len(shown(first)) == 3
    assert sorted([*shown(first), *shown(second)]) == sorted(listings)
    assert rows(services, FeedPageRow, FeedRow) == [1, 5]
    assert "Everything, newest first" in second.text
    newest = visitor.get("/feed?sort=new&page=2")
    assert len(shown(newest)) == 2
    assert "5 found" in newest.text
    assert "That was all" in visitor.get("/feed?sort=new&page=9").text


def test_found_by_words_filters_and_photo(visitor):
    made = [
        ("Red wool jumper", 20, {"colour": "red", "size": "M"}),
        ("Green rain jacket", 40, {"colour": "green", "size": "L"}),
        ("Red cap", 0, {"colour": "red"}),
    ]
    ids = {}
    for title, price, facts in made:
        photo = {"photos": picture(len(ids))}
        wish = {"draft_id": visitor.post("/v1/drafts", files=photo).json()["id"], "title": title, "price": price}
        ids[title] = visitor.post("/v1/listings", json={**wish, "description": title, "facts": facts}).json()["id"]

    def found(query):
        answer = visitor.get(f"/feed?{query}")
        assert answer.status_code == 200, sentences(answer)
        if "Nothing like this is on sale" in answer.text:
            return set()
        return {title for title, listing_id in ids.items() if listing_id in shown(answer)}

    assert found("q=red") == {"Red wool jumper", "Red cap"}
    assert shown(visitor.get("/feed?q=red+wool"))[0] == ids["Red wool jumper"]
    assert found("colour=red&to=5") == {"Red cap"}
    assert found("from=15,50&to=30 EUR") == {"Red wool jumper"}
    assert found("to=free") == {"Red cap"}
    assert found("size=l") == {"Green rain jacket"}
    assert found("category=hoodie") == set(ids)
    assert found("q=red&size=XL") == set()
    photo = picture(1)
    answer = visitor.post("/feed", files={"photo": ("x.jpg", photo)})
    assert shown(answer)[0] == ids["Green rain jacket"]
    visitor.patch(f"/v1/listings/{ids['Green rain jacket']}", json={"status": "sold", "stock": 0})
    assert ids["Green rain jacket"] not in shown(visitor.post("/feed", files={"photo": ("x.jpg", photo)}))


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("from=-5", "A price cannot lie below 0; write it like 12 or 12.50, or 0 to give it away."),
        ("to=cheap", "The price is not a number; write it like 12 or 12.50."),
        ("from=20&to=10", "The lowest price lies above the highest; change one of them."),
        ("category=spaceship", "There is no category 'spaceship'; choose one of the list."),
    ],
)
def test_a_bad_filter_is_said_at_its_field(visitor, query, sentence):
    listing = published(visitor)
    answer = visitor.get(f"/feed?{query}&q=hoodie&size=")
    assert (answer.status_code, sentences(answer)) == (422, [sentence])
    assert 'value="hoodie"' in answer.text
    assert shown(answer) == [listing["id"]]
    if "category" not in query:
        assert f'value="{query.rpartition("=")[2]}"' in answer.text


def test_filters_read_from_words_are_taken_off(client):
    for title, price, facts in [
        ("Navy hoodie", 20, {"colour": "navy"}),
        ("Red hoodie", 10, {"colour": "red", "brand": "Mango"}),
    ]:
        published(client, title=title, price=price, facts=facts)
    answer = client.get("/feed?q=navy+hodie+under+50&brand=")
    assert len(shown(answer)) == 1
    chips = dict(re.findall(r'<a class="chip" href="([^"]+)"[^>]*>([^<]+)<', answer.text))
    assert sorted(chips.values()) == ["Navy", "Up to 50"]
    assert "Read as hoodie" in answer.text
    off = next(html.unescape(address) for address, label in chips.items() if label == "Navy")
    taken_off = client.get(off)
    assert len(shown(taken_off)) == 2
    assert ">Navy<" not in taken_off.text
    assert "Up to 50" in taken_off.text
    narrowed = client.get("/feed?q=hoodie&brand=mango&sort=low&off=nonsense")
    assert len(shown(narrowed)) == 1
    assert "Take off: Mango" in narrowed.text
    assert '<option value="Hoodie">Hoodie (2)</option>' in narrowed.text
    assert '<option value="low" selected>' in narrowed.text
    cheapest, dearest = (shown(client.get(f"/feed?q=hoodie&sort={order}")) for order in ("low", "high"))
    assert cheapest == dearest[::-1]
    assert "Nothing matches all of it" in client.get("/feed?q=purple+hoodie").text


def test_a_photo_shows_the_same_kind(visitor):
    listing = published(visitor)
    answer = visitor.post("/feed", files={"photo": ("x.jpg", picture(9))})
    assert shown(answer) == [listing["id"]]
    assert "Nothing here looks just like your photo; this is the same kind of thing (hoodie)." in answer.text
    assert "0 like your photo" in answer.text
    worded = visitor.post("/feed", files={"photo": ("x.jpg", picture(9))}, data={"q": "hoodie"})
    assert shown(worded) == [listing["id"]]
    assert "Nothing here looks just like your photo; these match your words." in worded.text


def test_a_search_without_a_match_shows_what_is_nearest(visitor):
    listing = published(visitor, price=20)
    limited = visitor.get("/feed?q=hoodie&to=5")
    assert "The nearest, without your limits:" in limited.text
    other = visitor.get("/feed?q=chainsaw")
    assert "Nothing like this is on sale" in other.text
    assert "This is new:" in other.text
    assert shown(limited) == shown(other) == [listing["id"]]


def test_odd_queries_are_answered(visitor):
    for query in ("page=0", "page=-3", "page=99999999999", "page=x", "on=%00&page=2", "q=%00", "q=" + "x" * 5000):
        assert visitor.get(f"/feed?{query}").status_code == 200, query
    assert "As soon as somebody publishes a listing, it stands here." in visitor.get("/feed").text
    assert "Try other words or fewer filters." in visitor.get("/feed?q=unicorn").text
    assert "Nothing here looks like your photo" in visitor.post("/feed", files={"photo": ("x.jpg", jpeg())}).text
    for path in ("/l/%00", "/l/" + "x" * 300, "/l/ipl-0", "/feed/posts/x", "/feed/nothing"):
        assert visitor.get(path).status_code == 404, path


def test_photos_that_cannot_be_searched_by(visitor):
    buffer = io.BytesIO()
    Image.new("L", (16_000, 12_000)).save(buffer, "PNG")
    for data, words in (
        (buffer.getvalue(), "more than 60 megapixels"),
        (b"no photo", "is not a"),
        (b"", "Choose a photo first."),
    ):
        answer = visitor.post("/feed", files={"photo": ("x.png", data)}, data={"q": "hoodie", "from": "3"})
        assert answer.status_code == 422
        assert len(sentences(answer)) == 1
        assert words in sentences(answer)[0]
        assert 'value="hoodie"' in answer.text
    assert visitor.post("/feed", content=b"x", headers={"Content-Type": "multipart/form-data"}).status_code == 422


def test_promoted_listings_and_posts_are_shown(services, visitor):
    listings = [published(visitor, price=n) for n in range(1, 6)]
    post = posted(visitor, title="How to wash wool")
    text = visitor.get("/feed").text
    assert "How to wash wool" in text
    assert visitor.get(f"/feed/posts/{post['id']}").content.startswith(b"\xff\xd8")
    assert "Promoted" not in text
    services.feed.place_ad(listings[0]["seller_id"], listings[0]["id"], 0.5)
    services.outbox.follow()
    text = visitor.get("/feed").text
    assert text.count("Promoted") == 1
    place = text.index("Promoted")
    assert text.rindex("data-listing", 0, place) == text.index(f'data-listing="{listings[0]["id"]}"')


def test_strangers_look_around_where_others_sign_in(people):
    here = people("ann", "bob")
    ann, nobody = here.browser("ann"), here.browser(None)
    listing = published(ann)
    for path in ("/feed", "/feed?q=hoodie", f"/l/{listing['id']}", f"/l/{listing['id']}/photos/1", "/feed/buyer.css"):
        assert nobody.get(path).status_code == 200, path
    assert shown(nobody.post("/feed", files={"photo": ("x.jpg", jpeg((0, 60, 60)))})) == [listing["id"]]
    back = f"/l/{listing['id']}"
    assert f'href="/sign-in?then={back}"' in nobody.get(back).text
    for what in ("buy", "ask"):
        refused = nobody.post(f"{back}/{what}", data={"text": "Does it fit?", "price": "10", "key": "k"})
        assert refused.status_code == 401
        assert "Please sign in first." in refused.text
    assert nobody.get(f"/v1/photos/{listing['photos'][0]['id']}").status_code == 401
    # The form leads back to where they were, and nowhere else.
    assert f'value="{back}"' in nobody.get(f"/sign-in?then={back}").text
    form = {"name": "bob", "password": "long enough"}
    assert nobody.post("/sign-in", data={**form, "then": back}).headers["location"] == back
    for elsewhere in ("//evil.example", "https://evil.example", "/l/x?y=1", "/ops/", "/l/../x"):
        assert here.browser(None).post("/sign-in", data={**form, "then": elsewhere}).headers["location"] == "/"
        assert quote(elsewhere) not in here.browser(None).get(f"/sign-in?then={quote(elsewhere)}").text
    assert "Buy for 10 EUR" in nobody.get(back).text


def test_strangers_visits_under_way_are_bounded(people, monkeypatch, run_async):
    here = people("ann", requests_waiting=12)
    cookies = dict(here.browser("ann").cookies)
    inside, go, at_work, most, order = threading.Semaphore(0), threading.Event(), set(), [], []
    real = here.services.feed.explain

    def slow(visitor, size):
        at_work.add(visitor)
        most.append(len(at_work))
        inside.release()
        assert go.wait(30)
        at_work.discard(visitor)
        return real(visitor, size)

    monkeypatch.setattr(here.services.feed, "explain", slow)

    def from_address(address, cookies=None):
        transport = httpx.ASGITransport(here.app, client=(address, 50_000))
        return httpx.AsyncClient(transport=transport, base_url="http://localhost", cookies=cookies)

    async def play():
        async with from_address("192.0.2.5") as one, from_address("192.0.2.6") as two:
            first, second = ([asyncio.create_task(c.get("/feed")) for _ in range(3)] for c in (one, two))
            for page in (*first, *second):
                page.add_done_callback(lambda page: order.append("one" if page in first else "two"))
            assert await asyncio.to_thread(inside.acquire, timeout=30)
            assert (await one.get("/feed/buyer.css")).status_code == 429
            async with from_address("192.0.2.7", cookies) as ann:
                assert (await ann.get("/v1/listings")).status_code == 200
                assert (await ann.get("/feed/buyer.css")).status_code == 200
            assert not inside.acquire(blocking=False)
            go.set()
            assert [(await page).status_code for page in (*first, *second)] == [200] * 6
            assert (await one.get("/feed/buyer.css")).status_code == 200

    run_async(play())
    assert max(most) == 1
    assert order == ["one", "two"] * 3  # nobody waits behind all of another address


def test_pages_can_be_kept_for_those_signed_in(people):
    here = people("ann", visitors=False)
    ann, nobody = here.browser("ann"), here.browser(None)
    listing = published(ann)
    for path in ("/", "/feed", f"/l/{listing['id']}"):
        answer = nobody.get(path)
        then = "" if path == "/" else "?then=" + quote(path, safe="")
        assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in{then}")
    assert code(nobody.post("/feed", files={"photo": jpeg()})) == (401, "sign_in")
    assert ann.get("/feed").status_code == 200


def test_strangers_are_bounded(people, monkeypatch):
    here = people("ann")
    ann, nobody = here.browser("ann"), here.browser(None)
    published(ann)
    monkeypatch.setattr(feed_page, "strangers_pages", Rates(0.001, burst=2000))  # two pages, then none for a long time
    for _ in range(4):
        assert nobody.get("/feed").status_code == 200  # the first one only gets its cookie
    assert rows(here.services, FeedPageRow) == [2]
    assert "data-page" not in nobody.get("/feed").text
    assert "data-page" in ann.get("/feed").text
    listing = published(ann)
    monkeypatch.setattr(listing_page, "strangers_reports", Rates(0.001, burst=2000))
    report = f"/l/{listing['id']}/report"
    assert [nobody.post(report, data={"text": f"Fake {n}"}).status_code for n in range(3)] == [200, 200, 429]
    photo = {"photo": ("x.jpg", jpeg())}
    with feed_page.STRANGERS_PHOTOS:  # another stranger's photo is being decoded
        assert sentences(nobody.post("/feed", files=photo)) == [feed_page.BUSY]
        assert ann.post("/feed", files=photo).status_code == 200
    assert nobody.post("/feed", files=photo).status_code == 200
    assert nobody.post("/l/ipl-0/report", data={"text": "x" * 300_000}).status_code == 413
