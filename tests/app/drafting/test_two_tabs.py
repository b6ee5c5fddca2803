"""Two tabs, or a tab and the API: who does not show the latest value of a field cannot overwrite it by accident."""

from __future__ import annotations

import pytest

from app.seller.actions import Actions
from app.seller.session import SellerSession
from tests.app.support.clients import code, draft, published


@pytest.fixture
def press(services, me):
    """What a tab does when a button is pressed in it."""
    return lambda tab, **data: Actions(services, me, tab).press(data)


@pytest.fixture
def tabs(services, me, photos):
    """Two tabs that show the same draft, priced at 10."""
    made = list(services.draft_writer.start(me, photos))[-1]
    view = services.drafts.edit(me, made.draft_id, "price", "10")
    old, new = SellerSession(), SellerSession()
    for tab in (old, new):
        tab.show(view, services.media)
    return old, new


def fields(tab):
    """What stands in the fields of a tab in which nobody typed."""
    return {"title": tab.view.title, "description": tab.view.description, "price": f"{tab.view.asked:g}"}


def test_the_fields_of_a_press_are_saved_one_by_one(services, me, press, tabs):
    old, new = tabs
    press(new, do="price", field="price", value="20")
    press(old, do="publish", **{**fields(old), "title": "My title", "price": "12"})
    view = services.drafts.get(me, old.view.draft_id)
    assert (view.title, view.asked, old.published) == ("My title", 20.0, None)


def test_another_tone_in_an_old_tab_keeps_what_was_typed_in_the_new_one(services, me, tabs, press):
    old, new = tabs
    press(new, do="text", field="title", value="Newer title")
    list(Actions(services, me, old).writing({"do": "tone", "tone": "warmer", **fields(old)}))
    assert old.view.title == "Newer title"
    press(new, do="text", field="description", value="Typed over a text that was written again meanwhile.")
    assert old.view.description == services.drafts.get(me, old.view.draft_id).description
    assert "changed elsewhere" in new.notices[0].words


def test_a_fact_that_was_changed_elsewhere_is_not_overwritten(services, me, press, tabs):
    old, new = tabs
    press(new, do="fact", name="brand", value="Puma")
    press(old, do="fact", name="brand", value="Umbro")
    brand = next(a for a in old.view.attributes if a.name == "brand")
    assert brand.value == "Puma"
    assert "changed elsewhere to “Puma”" in old.notices[0].words


def test_a_tab_overwrites_its_own_words_as_often_as_it_likes(press, tabs):
    old, _ = tabs
    for title in ("One", "One two", "One two three"):
        press(old, do="text", field="title", value=title)
        assert not old.notices
    assert old.view.title == "One two three"


# -- the API --


@pytest.mark.stores
def test_a_listing_is_not_changed_on_an_old_version(client):
    address = f"/v1/listings/{published(client, price=10)['id']}"
    first = client.get(address).headers.get("etag", "none")
    changed = client.patch(address, json={"price": 20}, headers={"If-Match": first})
    assert changed.status_code == 200
    assert code(client.patch(address, json={"price": 12}, headers={"If-Match": first})) == (409, "changed")
    assert client.get(address).json()["price"] == 20
    again = client.patch(address, json={"price": 12}, headers={"If-Match": changed.headers["etag"]})
    assert again.json()["price"] == 12
    assert again.headers["etag"] == client.get(address).headers["etag"] != first
    assert client.patch(address, json={"price": 13}).json()["price"] == 13  # who does not ask is not refused
    assert client.patch(address, json={"price": 14}, headers={"If-Match": "*"}).json()["price"] == 14


@pytest.mark.stores
def test_a_sale_is_a_change_of_the_listing(services, client):
    listing = published(client, price=10)
    address = f"/v1/listings/{listing['id']}"
    client.patch(address, json={"stock": 3})
    before = client.get(address).headers.get("etag", "none")
    services.orders.buy("somebody", listing["id"], "k", price=10)
    assert code(client.patch(address, json={"stock": 3}, headers={"If-Match": before})) == (409, "changed")


@pytest.mark.stores
def test_a_draft_is_not_published_on_an_old_version(services, me, client):
    made = draft(client)
    address, body = f"/v1/drafts/{made.json()['id']}", {"draft_id": made.json()["id"], "price": 12}
    first = client.get(address).headers.get("etag", "none")
    assert made.headers.get("etag") == first
    services.drafts.edit(me, made.json()["id"], "price", "20")
    assert code(client.post("/v1/listings", json=body, headers={"If-Match": first})) == (409, "changed")
    assert client.get(address).json()["asked"] == 20
    latest = client.get(address).headers["etag"]
    sent = client.post("/v1/listings", json={**body, "title": "Two fields"}, headers={"If-Match": latest})
    assert (sent.status_code, sent.json()["price"], sent.json()["title"]) == (201, 12, "Two fields")
    assert sent.headers["etag"] == client.get(f"/v1/listings/{sent.json()['id']}").headers["etag"]


def test_an_unreadable_version_is_a_sentence(client):
    address = f"/v1/listings/{published(client)['id']}"
    for given in ("three", '"x"', '"1', "1, 2"):
        assert code(client.patch(address, json={"price": 1}, headers={"If-Match": given})) == (422, "bad_version")
