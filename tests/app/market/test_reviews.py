"""Listings whose words need a person: out of everybody's view until an operator approves them."""

from __future__ import annotations

import re

import pytest

from tests.app.support.clients import code, draft, published
from tests.app.support.erasing import erase_beside
from tests.app.support.shop import DOUBTFUL, HONEST, shown
from tests.fakes import jpeg

TITLE = "Blue wool jacket"
REFUSED = "Glock 19 pistol, 9mm, two magazines included"
SENTENCE = "A person looks at this listing before it goes live, usually because its words are like those of alcohol"


@pytest.fixture
def three(people):
    """Services, and clients of an operator and two sellers."""
    here = people("op", "ann", "bob", operators="op")
    return here.services, *map(here.signed, ("op", "ann", "bob"))


def doubtful(client):
    return published(client, title=TITLE, description=DOUBTFUL)


def queue(client):
    return client.get("/v1/reviews").json()["reviews"]


def decide(client, what, waiting, **more):
    body = {"version": waiting["version"], **more}
    return client.post(f"/v1/reviews/{waiting['listing_id']}/{what}", json=body)


def on_sale(services, listing):
    """Where a listing can be met: the index, a visitor's feed."""
    fed = {x.id for x in services.feed.explain("vera", 20)[1].values()}
    return listing["id"] in services.index.ids(), listing["id"] in fed


@pytest.mark.slow
@pytest.mark.stores
def test_a_doubtful_listing_is_nowhere_until_approved(three):
    services, op, ann, bob = three
    listing = doubtful(ann)
    assert listing["status"] == "review"
    assert listing["review"].startswith(SENTENCE)
    assert "“whisky”" in listing["review"]
    assert listing["published_at"] is None
    photo = f"/v1/photos/{listing['photos'][0]['id']}"
    assert on_sale(services, listing) == (False, False)
    assert bob.get(photo).status_code == 404
    assert bob.get(f"/l/{listing['id']}").status_code == 404
    assert "Waiting for a person" in ann.get(f"/l/{listing['id']}").text
    bought = bob.post("/v1/orders", json={"listing_id": listing["id"]}, headers={"Idempotency-Key": "k"})
    assert bought.status_code in (404, 409, 422)

    (waiting,) = queue(op)
    assert (waiting["listing_id"], waiting["title"], waiting["photos"]) == (listing["id"], TITLE, 1)
    assert (waiting["code"], waiting["name"], waiting["seller_id"]) == ("alcohol", "alcohol", listing["seller_id"])
    assert "whisky" in waiting["words"]
    assert decide(op, "approve", waiting).status_code == 204
    assert queue(op) == []
    live = ann.get(f"/v1/listings/{listing['id']}").json()
    assert (live["status"], live["review"]) == ("active", None)
    assert live["published_at"] is not None
    assert on_sale(services, listing) == (True, True)
    assert bob.get(photo).status_code == 200


@pytest.mark.stores
def test_a_refused_listing_waits_again_after_edits(three):
    services, op, ann, _ = three
    listing = doubtful(ann)
    address = f"/v1/listings/{listing['id']}"
    assert code(decide(op, "refuse", queue(op)[0], reason="  ")) == (422, "no_reason")
    assert decide(op, "refuse", queue(op)[0], reason="No alcohol, please.").status_code == 204
    refused = ann.get(address).json()
    assert refused["status"] == "refused"
    assert refused["review"].startswith("A person looked at this listing and refused it: No alcohol, please. Change")
    assert queue(op) == []
    assert on_sale(services, listing) == (False, False)
    assert code(ann.patch(address, json={"status": "active"})) == (409, "in_review")

    for words in (HONEST, DOUBTFUL, f"{HONEST} Warm.", HONEST):  # however often
        edited = ann.patch(address, json={"description": words}).json()
        assert edited["status"] == "review"
        assert edited["review"].startswith("A person looks at this listing before it goes live")
    assert decide(op, "approve", queue(op)[0]).status_code == 204
    assert on_sale(services, listing) == (True, True)


@pytest.mark.stores
def test_an_edit_is_checked_again(services, client):
    listing = doubtful(client)
    address = f"/v1/listings/{listing['id']}"
    for change in ({"status": "active"}, {"status": "removed"}, {"status": "sold", "stock": 0}):
        assert code(client.patch(address, json=change)) == (409, "in_review")
    assert client.patch(address, json={"price": 5}).json()["status"] == "review"
    assert client.patch(address, json={"title": "Navy wool jacket"}).json()["status"] == "review"
    assert code(client.patch(address, json={"description": REFUSED})) == (422, "prohibited")
    live = client.patch(address, json={"description": HONEST}).json()
    assert (live["status"], live["review"]) == ("active", None)
    assert on_sale(services, listing) == (True, True)
    assert queue(client) == []

    again = client.patch(address, json={"description": DOUBTFUL}).json()
    assert again["status"] == "review"
    assert on_sale(services, listing) == (False, False)


def test_a_hidden_listing_stays_hidden_after_approval(client):
    listing = published(client, title=TITLE, description=HONEST)
    address = f"/v1/listings/{listing['id']}"
    client.patch(address, json={"status": "removed"})
    assert client.patch(address, json={"description": DOUBTFUL}).json()["status"] == "review"
    assert decide(client, "approve", queue(client)[0]).status_code == 204
    assert client.get(address).json()["status"] == "removed"


def test_what_was_changed_since_is_not_decided(client):
    wish = {"draft_id": draft(client).json()["id"], "title": TITLE, "description": DOUBTFUL}
    answers = [client.post("/v1/listings", json=wish, headers={"Idempotency-Key": "k"}).json() for _ in range(2)]
    listing = answers[0]
    assert answers[1] == listing  # the same wish again is the same waiting listing
    waiting = queue(client)[0]
    client.patch(f"/v1/listings/{listing['id']}", json={"title": "Navy wool jacket"})
    assert code(decide(client, "approve", waiting)) == (409, "changed")
    assert code(decide(client, "refuse", waiting, reason="No.")) == (409, "changed")
    assert len(queue(client)) == 1
    assert code(decide(client, "approve", {"listing_id": "ipl-none", "version": 0})) == (404, "not_found")


def test_only_operators_decide(three):
    _, _, ann, _ = three
    listing = doubtful(ann)
    assert code(ann.get("/v1/reviews")) == (403, "no_operator")
    for what, more in (("approve", {}), ("refuse", {"reason": "No."})):
        answer = decide(ann, what, {"listing_id": listing["id"], "version": 0}, **more)
        assert code(answer) == (403, "no_operator")
    assert code(ann.get("/ops/export/reviews.json")) == (403, "no_operator")


@pytest.mark.stores
def test_a_waiting_listing_is_deleted_and_erased(three):
    services, op, ann, bob = three
    kept, gone = doubtful(bob), doubtful(ann)
    deleted = doubtful(ann)
    assert ann.delete(f"/v1/listings/{deleted['id']}").status_code == 204
    assert {w["listing_id"] for w in queue(op)} == {kept["id"], gone["id"]}
    erase_beside(services, "ann")
    assert {w["listing_id"] for w in queue(op)} == {kept["id"]}


def test_the_page_decides_for_the_shown_version(services, client):
    first, second = doubtful(client), doubtful(client)
    row = client.get("/ops/export/reviews.json").json()[0]
    assert (row["listing"], row["title"], row["photos"], row["may be"]) == (first["id"], TITLE, 1, "alcohol")
    assert "whisky" in row["words that weighed most"]
    assert "There is no such listing" in client.get("/ops/?review=ipl-none").text
    page = client.get(f"/ops/?review={first['id']}").text
    assert "whisky" in page
    assert 'value="approve"' in page
    assert len(queue(client)) == 2
    shown = {"listing": first["id"], "version": str(queue(client)[0]["version"])}
    stale = client.post("/ops/reviews", data={**shown, "version": "99", "do": "approve"})
    assert (stale.status_code, len(queue(client))) == (409, 2)
    assert "Say why" in client.post("/ops/reviews", data={**shown, "do": "refuse", "reason": " "}).text
    said = client.post("/ops/reviews", data={**shown, "do": "refuse", "reason": "No <b>alcohol</b>"}).text
    assert "It is refused." in said
    assert 'value="approve"' not in said
    (left,) = queue(client)
    assert left["listing_id"] == second["id"]
    answer = client.post("/ops/reviews", data={"listing": second["id"], "version": left["version"], "do": "approve"})
    assert "It is live." in answer.text
    assert client.get(f"/v1/listings/{second['id']}").json()["status"] == "active"
    held = client.post("/ops/reviews", data={"listing": second["id"], "do": "hold"}).text
    assert "off sale until it is decided" in held
    assert 'value="approve"' in held
    assert code(client.post("/ops/reviews", data={"listing": "x", "do": "sell"})) == (422, "invalid")


@pytest.mark.slow
@pytest.mark.stores
def test_a_reported_listing_opens_for_operators_and_is_gone_for_who_reported_it(people):
    here = people("op", "ann", "bob", operators="op")
    op, bob, nobody = (here.browser(name) for name in ("op", "bob", None))
    ann = here.signed("ann")
    fake, other = published(ann, title="Blue hoodie", description=HONEST), published(ann, title="Green hoodie")
    shop = re.findall(r"/feed/sellers/\w+", bob.get(f"/l/{fake['id']}").text)[0]
    nobody.get("/feed")
    for who in (bob, nobody):
        assert fake["id"] in shown(who.get("/feed"))
        assert who.post(f"/l/{fake['id']}/report", data={"reason": "fraud", "text": "Not his"}).status_code == 200

    link = re.findall(r'href="(/ops/\?review=[^"#]+)', op.get("/ops/").text)[0]
    page = op.get(link)
    assert all(part in page.text for part in (HONEST, "Not his", "Take it off sale", "Close its reports"))
    photo = re.findall(r'<img src="(/ops/listings/[^"]+)"', page.text)[0]
    assert op.get(photo).headers["content-type"] == "image/jpeg"
    assert bob.get(photo).status_code == 403
    assert op.post("/ops/reviews", data={"do": "hold", "listing": fake["id"]}).status_code == 200
    assert op.get(photo).status_code == 200
    assert "Reported on" in op.get(link).text

    def places(who):
        yield from (who.get("/feed"), who.get("/feed?q=blue+hoodie"), who.get("/feed?sort=new"), who.get(shop))
        yield who.get(f"/l/{other['id']}")
        yield who.post("/feed", files={"photo": ("a.jpg", jpeg((0, 60, 60)), "image/jpeg")})

    held = here.services.reviews.waiting()[0]
    here.services.reviews.approve(held.listing_id, held.version)  # the report is dealt with; they do not want it still
    assert here.services.messages.reports() == []
    for who in (bob, nobody):
        for answer in places(who):
            assert answer.status_code == 200
            assert fake["id"] not in shown(answer), answer.url
        assert other["id"] in shown(who.get("/feed"))
    assert fake["id"] in shown(op.get("/feed"))
