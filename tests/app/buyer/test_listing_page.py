"""A listing as buyers see it: a page that reads like one, and says nothing that a buyer should not know."""

from __future__ import annotations

import io
import json
import re
from urllib.parse import quote

import pytest
from PIL import Image

from tests.app.support.clients import draft
from tests.app.support.markup import Tags, harmless
from tests.fakes import jpeg

BAD = '</title><script>alert(1)</script><img src=x onerror=alert(2)>" onclick="alert(3)'


@pytest.fixture
def listing(client):
    made = draft(client, 2).json()["id"]
    wish = {"draft_id": made, "price": 12.5, "facts": {"size": "M", "condition_grade": "very good"}}
    return client.post("/v1/listings", json=wish).json()


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


def test_a_photo_is_scaled_for_the_place_where_it_is_shown(services, client):
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


def test_it_names_no_internal_ids_and_fetches_nothing_from_elsewhere(client, listing):
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


@pytest.mark.parametrize(
    ("change", "words"),
    [({"status": "sold"}, "Sold"), ({"status": "reserved"}, "Reserved"), ({"status": "removed"}, "Not on sale")],
)
def test_it_says_when_it_cannot_be_bought(client, listing, change, words):
    assert client.patch(f"/v1/listings/{listing['id']}", json=change).status_code == 200
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


def test_own_listings_in_any_state_others_only_public_ones(people):
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
