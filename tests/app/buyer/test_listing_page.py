"""A listing as buyers see it: nothing they should not know; bought, asked about and reported there."""

from __future__ import annotations

import io
import json
import re
from urllib.parse import quote

import pytest
from PIL import Image

from app.seller.renderer import PageRenderer
from tests.app.support.clients import Tags, client_of, code, draft, harmless, published
from tests.app.support.shop import DOUBTFUL, HONEST, form, question_on, said
from tests.app.support.tabs import Tab
from tests.fakes import jpeg

PHONE = "+49 170 1234567"
ASKED = f"Does it fit a child? Call me: {PHONE}"
OFFER = "I also have cocaine for sale, 50 a gram"
BAD = '</title><script>alert(1)</script><img src=x onerror=alert(2)>" onclick="alert(3)'


@pytest.fixture
def listing(client):
    facts = {"size": "M", "condition_grade": "very good"}
    made = draft(client, 2).json()["id"]
    return client.post("/v1/listings", json={"draft_id": made, "price": 12.5, "facts": facts}).json()


def test_it_shows_what_a_buyer_wants_to_know(client, listing):
    answer = client.get(f"/l/{listing['id']}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    html = answer.text
    for words in (listing["title"], "12.50 EUR", "Warm and soft fleece.", "very good", "Size", "M", "navy"):
        assert words in html, words
    assert "condition_grade" not in html
    assert "For sale" in html
    pictures = {a for a in Tags(html).addresses if "/photos/" in a}
    assert len(pictures) == 4  # two photos, each as a picture and as a link to all of its pixels
    for address in pictures:
        assert client.get(address).content.startswith(b"\xff\xd8")


@pytest.mark.slow
def test_a_photo_is_scaled_for_its_place(services, client):
    made = client.post("/v1/drafts", files={"photos": jpeg(size=(1600, 1200))}).json()["id"]
    listing = client.post("/v1/listings", json={"draft_id": made, "price": 5}).json()
    html = client.get(f"/l/{listing['id']}").text
    addresses = sorted(set(re.findall(r"/l/[^\s\"]*/photos/1[^\s\"]*", html)))
    sizes = {Image.open(io.BytesIO(client.get(a.replace("&amp;", "&")).content)).size for a in addresses}
    assert sizes == {(480, 360), (960, 720), (1600, 1200)}
    assert 'width="960" height="720"' in html
    services.media.path(listing["photos"][0]["id"]).unlink()  # deleted a moment ago
    for place in ("0", "2", "-1", "1"):
        assert client.get(f"/l/{listing['id']}/photos/{place}").status_code == 404


def test_it_names_no_internal_ids(client, listing):
    answer = client.get(f"/l/{listing['id']}")
    for secret in (listing["seller_id"], listing["draft_id"], *(photo["id"] for photo in listing["photos"])):
        assert secret not in answer.text
    shown = re.sub(r"ipl-[0-9a-f]{24}|name=\"key\" value=\"[0-9a-f]{32}\"", "", answer.text)
    assert not re.search(r"[0-9a-f]{24}", shown)
    found = Tags(answer.text)
    addresses = found.addresses - {f"http://localhost/l/{listing['id']}"}  # the canonical one
    assert all(a.startswith(("/", "#")) for a in addresses)
    assert not found.handlers
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "script-src 'self';" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


def test_it_can_be_shared(client, listing):
    html = client.get(f"/l/{listing['id']}").text
    tags = dict(re.findall(r'<meta property="([^"]+)" content="([^"]*)">', html))
    assert tags["og:title"] == listing["title"]
    assert tags["og:url"] == f"http://localhost/l/{listing['id']}"
    assert tags["product:price:amount"] == "12.50"
    assert client.get(tags["og:image"].replace("&amp;", "&")).status_code == 200
    assert f'<link rel="canonical" href="http://localhost/l/{listing["id"]}">' in html
    product = json.loads(re.search(r'<script type="application/ld\+json">(.*?)</script>', html)[1])
    assert (product["@type"], product["name"], product["color"]) == ("Product", listing["title"], "navy")
    assert product["offers"]["availability"] == "https://schema.org/InStock"
    assert (product["offers"]["price"], product["offers"]["priceCurrency"]) == ("12.50", "EUR")
    client.patch(f"/v1/listings/{listing['id']}", json={"status": "sold", "stock": 0})
    assert "https://schema.org/SoldOut" in client.get(f"/l/{listing['id']}").text


def test_it_says_when_it_cannot_be_bought(client, listing):
    for status, words in (("reserved", "Reserved"), ("removed", "Not on sale"), ("sold", "Sold")):
        assert client.patch(f"/v1/listings/{listing['id']}", json={"status": status}).status_code == 200
        html = client.get(f"/l/{listing['id']}").text
        assert words in html
        assert "For sale" not in html
        assert "Buy for" not in html


def test_markup_is_text(client):
    made = draft(client).json()["id"]
    facts = {"brand": BAD[:70], "size": BAD[:70]}
    body = {"draft_id": made, "title": BAD, "description": BAD, "facts": facts}
    listing = client.post("/v1/listings", json=body).json()
    assert client.post(f"/l/{listing['id']}/ask", data={"text": BAD}).status_code == 403  # no cookie yet
    client.get("/feed")
    for address in ("/feed", "/feed?q=alert", f"/feed?size={quote(BAD)}&q={quote(BAD)}&category={quote(BAD)}"):
        assert harmless(without_ours(client.get(address).text)), address
    html = client.post(f"/l/{listing['id']}/ask", data={"text": BAD}).text
    assert "&lt;script&gt;" in html
    assert harmless(without_ours(html))


def without_ours(html):
    """Without the page's own script, its data for search engines and its own address."""
    html = re.sub(r'<script src="/feed/buyer.js[^"]*" defer></script>', "", html)
    html = re.sub(r'<script type="application/ld\+json">[^<]*</script>', "", html)
    return re.sub(r'<link rel="canonical" href="http://localhost/l/[\w-]+">', "", html)


def test_others_see_only_public_listings(people):
    ann, bob, nobody = map(people("ann", "bob").browser, ("ann", "bob", None))
    made = draft(ann).json()["id"]
    listing = ann.post("/v1/listings", json={"draft_id": made}).json()
    address = f"/l/{listing['id']}"
    assert [who.get(address).status_code for who in (ann, bob, nobody)] == [200, 200, 200]
    assert [who.get(f"{address}/photos/1").status_code for who in (ann, bob, nobody)] == [200, 200, 200]
    assert "This is your own listing" in ann.get(address).text
    ann.patch(f"/v1/listings/{listing['id']}", json={"status": "removed"})
    assert ann.get(address).status_code == 200
    assert "Only you can see this page" in ann.get(address).text
    assert [who.get(f"{address}/photos/1").status_code for who in (ann, bob, nobody)] == [200, 404, 401]
    assert nobody.get(address).status_code == 404
    gone = bob.get(address)
    assert gone.status_code == 404
    assert listing["title"] not in gone.text
    missing = bob.get("/l/ipl-000000000000000000000000")
    assert (missing.status_code, missing.text) == (404, gone.text)
    assert "There is no such listing" in gone.text
    assert gone.headers["content-type"] == "text/html; charset=utf-8"


@pytest.fixture
def buyers(services):
    """Two browsers, each with its cookie."""
    with client_of(services) as one, client_of(services) as two:
        for each in (one, two):
            each.get("/feed")
        yield one, two


def test_another_price_can_be_accepted(client, buyers, listing):
    one, _ = buyers
    address = f"/l/{listing['id']}"
    wish = form(one.get(address))
    client.patch(f"/v1/listings/{listing['id']}", json={"price": 14})
    refused = one.post(f"{address}/buy", data=wish)
    assert (refused.status_code, said(refused)) == (409, ["The price is 14.00 EUR now; order again if that suits you."])
    assert "You bought this." in one.post(f"{address}/buy", data=form(refused)).text
    assert client.get("/v1/orders").json()["orders"][0]["amount"] == 14


def test_what_cannot_be_bought(client, buyers, listing):
    one, _ = buyers
    address = f"/l/{listing['id']}"
    with client_of(client.app.state.services) as fresh:
        assert "needs a cookie" in fresh.post(f"{address}/buy", data={"price": "12.5", "key": "k"}).text
    for wish, status in (({"price": "12.5"}, 422), ({"key": "k"}, 422), ({"price": "dear", "key": "k"}, 422)):
        assert one.post(f"{address}/buy", data=wish).status_code == status, wish
    assert one.post("/l/ipl-0/buy", data={"price": "1", "key": "k"}).status_code == 404
    wish = {"price": "12.5", "key": "k"}
    foreign = one.post(f"{address}/buy", data=wish, headers={"Origin": "https://evil.example"})
    assert code(foreign) == (403, "bad_origin")
    assert client.get("/v1/orders").json()["orders"] == []
    client.delete(f"/v1/listings/{listing['id']}")  # while somebody looks at it
    assert "There is no such listing" in one.post(f"{address}/buy", data=wish).text


def test_a_question_is_answered_on_the_page(services, me, buyers, listing):
    one, two = buyers
    address = f"/l/{listing['id']}"
    asked = one.post(f"{address}/ask", data={"text": ASKED})
    assert asked.status_code == 200
    assert f"This was taken out of it: “{PHONE}”" in said(asked)[0]
    one.post(f"{address}/ask", data={"text": ASKED})  # the same again is the same question
    assert asked.text.count("Does it fit a child?") == 1
    assert "1234567" not in one.get(address).text
    assert "Does it fit a child?" not in two.get(address).text  # nobody else reads it before it is answered

    tab = Tab(services)
    tab.press("go", to="mine")
    (question,) = services.messages.of_listings([listing["id"]])[listing["id"]]
    assert "Does it fit a child?" in PageRenderer(services).mine(tab.session, me)
    tab.press("reply", id=question.id, text="x" * 600)
    notice = tab.session.notices[0]
    assert (notice.at, "600 characters" in notice.words) == (f"question-{question.id}", True)
    tab.press("reply", id=question.id, text="It fits one of ten. Mail bo@example.org")
    assert "“bo@example.org”" in " ".join(n.words for n in tab.session.notices)
    for buyer in buyers:
        text = buyer.get(address).text
        assert "It fits one of ten." in text
        assert "bo@example" not in text


def test_a_refused_question_stays_in_its_field(services, buyers, listing):
    for text, sentence in (
        ("x" * 10_000, "The question has 10000 characters; shorten it to at most 500."),
        (" \n ", "The question is empty; write it first."),
        (PHONE, "The question is contact data only, which is taken out; write what you want to say."),
        (OFFER, "Drugs and drug equipment cannot be listed."),
    ):
        answer = buyers[0].post(f"/l/{listing['id']}/ask", data={"text": text})
        assert (answer.status_code, said(answer)) == (422, [sentence])
        assert f">{text}</textarea>" in answer.text
    assert services.messages.of_listings([listing["id"]]) == {}


def test_prohibited_goods_are_not_offered_in_answers(services, buyers, listing):
    buyers[0].post(f"/l/{listing['id']}/ask", data={"text": "Is it warm?"})
    tab = Tab(services)
    tab.press("reply", id=question_on(services, listing).id, text="k o k a i n is there too")
    assert "Drugs and drug equipment cannot be listed." in tab.session.notices[0].words
    assert question_on(services, listing).answer is None


@pytest.mark.slow
def test_only_the_seller_answers(people):
    here = people("ann", "bob", "eve")
    ann, bob, services = here.browser("ann"), here.browser("bob"), here.services
    listing = published(ann)
    assert bob.post(f"/l/{listing['id']}/ask", data={"text": "Is it warm?"}).status_code == 200
    own = ann.post(f"/l/{listing['id']}/ask", data={"text": "Is it warm?"})
    assert (own.status_code, "This is your own listing." in own.text) == (422, True)
    for name in ("bob", "eve"):
        tab = Tab(services, name)
        tab.press("reply", id=question_on(services, listing).id, text="Yes")
        assert "no such question" in tab.said[0]
    assert question_on(services, listing).answer is None
    ann.delete(f"/v1/listings/{listing['id']}")
    assert services.messages.of_listings([listing["id"]]) == {}  # a question goes with its listing


def test_a_report_reaches_operators_who_decide(client, services, buyers, listing):
    one, two = buyers
    address = f"/l/{listing['id']}"
    for text in ("a knife in truth, and cocaine", PHONE):
        sent = one.post(f"{address}/report", data={"reason": "prohibited", "text": text})
        assert (sent.status_code, said(sent)[0][:9]) == (200, "Thank you")
    reports = client.get("/ops/export/reports.json").json()
    assert [row["listing"] for row in reports] == [listing["id"]] * 2
    assert reports[0]["report"] == "It may not be sold here. a knife in truth, and cocaine"
    assert "1234567" not in str(reports)
    assert "a knife in truth" not in one.get(address).text

    assert two.get(address).status_code == 200  # by itself a report changes nothing
    assert client.post(f"/v1/reviews/{listing['id']}/hold").status_code == 204
    assert listing["id"] not in two.get("/feed").text
    mine = client.get(f"/v1/listings/{listing['id']}").json()
    assert mine["status"] == "review"
    assert mine["review"].startswith("Somebody reported this listing.")
    for words in (HONEST, DOUBTFUL, HONEST):  # no edit brings it back
        assert client.patch(f"/v1/listings/{listing['id']}", json={"description": words}).json()["status"] == "review"
    waiting = client.get("/v1/reviews").json()["reviews"][0]
    assert waiting["code"] == "reported"
    approve = client.post(f"/v1/reviews/{listing['id']}/approve", json={"version": waiting["version"]})
    assert approve.status_code == 204
    assert client.get(f"/v1/listings/{listing['id']}").json()["status"] == "active"
    assert client.get("/ops/export/reports.json").json() == []
    assert listing["id"] in two.get("/feed").text
    assert code(client.post("/v1/reviews/ipl-0/hold")) == (404, "not_found")


def test_questions_that_wait_are_bounded(buyers, listing):
    asked = (
        "Is it an original or a copy?", "Is the gun holster included?", "Would you take 20 in cash?",
        "Was it washed with bleach?", "Does a bottle of wine fit in?", "Is it real ivory or plastic?", "Is it warm?",
    )  # fmt: skip
    address = f"/l/{listing['id']}/ask"
    answers = [buyers[0].post(address, data={"text": text}).status_code for text in asked]
    assert answers == [200] * 5 + [429] * 2
    for text in asked[5:]:
        assert buyers[1].post(address, data={"text": text}).status_code == 200


def test_a_heart_is_counted_once_and_for_its_seller(people):
    here = people("ann", "bob")
    ann, bob, nobody = map(here.browser, ("ann", "bob", None))
    listing = ann.post("/v1/listings", json={"draft_id": draft(ann).json()["id"], "price": 5}).json()
    address = f"/l/{listing['id']}"
    assert 'class="heart"' not in ann.get(address).text + nobody.get(address).text
    assert nobody.post(f"{address}/like").status_code == 401
    assert ann.post(f"{address}/like").status_code == 422
    assert bob.post("/l/ipl-0/like").status_code == 404
    for count in (1, 0, 1):
        assert bob.post(f"{address}/like").status_code == 303
        assert f'aria-pressed="{"true" if count else "false"}"' in bob.get(address).text
        assert bob.get("/feed/purchases").text.count(f'data-listing="{listing["id"]}"') == count
        tab = Tab(here.services, "ann")
        tab.press("go", to="mine")
        mine = PageRenderer(here.services).mine(tab.session, listing["seller_id"])
        assert ("1 buyer likes it" in mine) == bool(count)
