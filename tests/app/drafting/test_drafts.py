"""The story of a draft without a browser: written, edited in several tabs, published, sold, deleted."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select, text

from app.editing import prices
from app.editing.edits import clean_text
from app.seller.actions import Actions
from app.seller.draft_part import draft_html
from app.seller.session import SellerSession
from app.services import Services
from app.settings import load_settings
from app.store.tables import Base, DraftRow, EditRow, EventRow, PhotoRow
from app.views import AppError
from listing.backends.base import BackendError
from listing.intake.photos import intake
from listing.observe.seller import Edit
from listing.request import DraftRequest
from tests.app.support.clients import code, draft, published
from tests.fakes import FakeIndex, FakePipeline, jpeg, make_draft
from tests.listing.stubs import pressed

SERVER = "http://model.internal:8000/v1"


def last(services, seller, photos, note=""):
    """The finished draft of these photos."""
    return list(services.draft_writer.start(seller, photos, note))[-1]


def code_of(call, *arguments, **named):
    with pytest.raises(AppError) as caught:
        call(*arguments, **named)
    return caught.value.code, caught.value.http_status


@pytest.mark.stores
def test_deleting_leaves_ids_in_events_and_nothing_else(services, me, photos):
    draft = last(services, me, photos, "a secret note")
    services.drafts.edit(me, draft.draft_id, "title", "a secret title")
    listing = services.publisher.publish(me, draft.draft_id, key="k")
    services.publisher.delete(me, listing.id)
    assert list(services.media.ids()) == []
    assert services.index.ids() == set()
    with services.store.read() as session:
        for table in (DraftRow, EditRow, PhotoRow):
            assert session.scalars(select(table)).all() == []
        kinds = [e.kind for e in session.scalars(select(EventRow).order_by(EventRow.id))]
        assert kinds == ["shown", "edited", "published", "deleted"]
        everything = " ".join(str(session.execute(text(f"select * from {t}")).all()) for t in Base.metadata.tables)
    assert "secret" not in everything


@pytest.mark.stores
def test_the_same_publish_twice_is_one_listing(services, me, photos):
    draft = last(services, me, photos)
    first = services.publisher.publish(me, draft.draft_id, key="k")
    assert services.publisher.publish(me, draft.draft_id, key="k") == first
    assert services.publisher.publish(me, draft.draft_id, key="another") == first
    second = last(services, me, intake([jpeg((200, 0, 0))]))
    assert code_of(services.publisher.publish, me, second.draft_id, key="k") == ("key_reused", 409)
    assert len(services.listings.own(me)) == 1
    assert code_of(services.drafts.edit, me, first.draft_id, "title", "x") == ("published", 409)
    assert code_of(services.draft_writer.write_again, me, first.draft_id) == ("published", 409)
    assert code_of(services.drafts.abandon, me, first.draft_id) == ("published", 409)


def test_unusable_edits_change_nothing(services, me, photos):
    draft = last(services, me, photos)
    for field, value, why in (
        ("title", "x" * 10_000, "too_long"), ("description", "x" * 10_000, "too_long"),
        ("brand", "x" * 10_000, "too_long"), ("price", "cheap", "bad_price"), ("category", "???", "bad_category"),
        ("favourite", "x", "bad_field"), ("works", "works fully", "bad_field"),
    ):  # fmt: skip
        assert code_of(services.drafts.edit, me, draft.draft_id, field, value) == (why, 422)
    assert services.drafts.get(me, draft.draft_id).locked == frozenset()


def test_a_fact_is_one_of_the_kind_that_is_said_along(services, me, photos):
    draft = last(services, me, photos)
    told = services.drafts.settle(me, draft.draft_id, {"works": "works fully", "category": "Table lamp"})
    assert told.draft.attribute("works").value == "works fully"


def test_nothing_is_published_unnamed(build, photos):
    services = build(pipeline=FakePipeline(in_range=False))
    me = services.sellers.only().id
    draft = last(services, me, photos)
    assert not draft.category.in_range
    assert code_of(services.publisher.publish, me, draft.draft_id, key="k") == ("no_title", 422)
    services.drafts.edit(me, draft.draft_id, "title", "A thing")
    assert code_of(services.publisher.publish, me, draft.draft_id, key="k") == ("no_category", 422)
    services.drafts.edit(me, draft.draft_id, "category", "hoodie")
    assert services.publisher.publish(me, draft.draft_id, key="k").category == "Hoodie"


def test_a_category_the_text_lacks_is_explained(services, me, photos):
    view = last(services, me, photos)
    hint = "the text says what it likeliest is"
    for confidence, locked, said in ((0.8, (), False), (0.4, (), True), (0.4, ("category",), False)):
        category = view.category.model_copy(update={"confidence": confidence})
        shown = replace(view, category=category, locked=frozenset(locked))
        assert (hint in draft_html(shown, [], retrieval=True)) is said


def test_a_failing_model_is_a_sentence(build, photos):
    services = build(pipeline=FakePipeline(fail_at="text"))
    me = services.sellers.only().id
    view = last(services, me, photos)
    assert (view.state, view.problem.code) == ("failed", "model_failed")
    assert view.attributes
    assert services.drafts.get(me, view.draft_id).state == "failed"
    services.pipeline.fail_at = None
    assert list(services.draft_writer.write_again(me, view.draft_id, from_photos=False))[-1].state == "ready"


def test_the_log_alone_names_the_models_server(build, photos, caplog):
    problem = f"No server answers at {SERVER}: start it."
    services = build(pipeline=FakePipeline(fail_at="text", error=BackendError(problem)))
    view = last(services, services.sellers.only().id, photos)
    assert (view.state, view.problem.code) == ("failed", "model_failed")
    assert "could not be written just now; try again" in view.problem.message
    assert SERVER not in view.problem.message
    assert problem in caplog.text


def test_a_rewrite_that_is_stopped_keeps_the_draft(build, photos):
    services = build()
    me = services.sellers.only().id
    draft = last(services, me, photos)
    services.pipeline.delay = 0.05
    run = services.draft_writer.write_again(me, draft.draft_id, tone="shorter", from_photos=False)
    next(run)
    run.close()
    kept = services.drafts.get(me, draft.draft_id)
    assert (kept.state, kept.title) == ("ready", draft.title)


def test_a_broken_index_never_stops_a_seller(build, photos):
    index = FakeIndex()
    services = build(index=index)
    me = services.sellers.only().id
    draft = last(services, me, photos)
    index.fail = True
    listing = services.publisher.publish(me, draft.draft_id, key="k")
    assert [x.id for x in services.listings.own(me, text="hoodie")] == [listing.id]
    index.fail = False
    assert build(index=index).index.ids() == {listing.id}


@pytest.fixture
def tabs(services, me, photos):
    """Two tabs that show the same draft, priced at 10."""
    made = list(services.draft_writer.start(me, photos))[-1]
    view = services.drafts.edit(me, made.draft_id, "price", "10")
    old, new = SellerSession(), SellerSession()
    for tab in (old, new):
        tab.show(view, services.media)
    return old, new


def press(services, me, tab, **data):
    """What a tab does when a button is pressed in it."""
    Actions(services, me, tab).press(data)


def test_an_old_tab_overwrites_nothing_newer(services, me, tabs):
    """The fields of a press are saved one by one; another tone keeps what was typed in the other tab."""
    old, new = tabs
    for title in ("One", "One two", "One two three"):  # its own words as often as it likes
        press(services, me, old, do="text", field="title", value=title)
        assert not old.notices
    assert old.view.title == "One two three"
    press(services, me, new, do="price", field="price", value="20")
    shown = {"title": "My title", "description": old.view.description, "price": "12"}
    press(services, me, old, do="publish", **shown)
    view = services.drafts.get(me, old.view.draft_id)
    assert (view.title, view.asked, old.published) == ("My title", 20.0, None)
    press(services, me, new, do="fact", name="brand", value="Puma")
    press(services, me, old, do="fact", name="brand", value="Umbro")
    assert next(a for a in old.view.attributes if a.name == "brand").value == "Puma"
    assert "changed elsewhere to “Puma”" in old.notices[0].words


def test_another_tone_keeps_newer_words(services, me, tabs):
    old, new = tabs
    shown = {"title": old.view.title, "description": old.view.description, "price": f"{old.view.asked:g}"}
    press(services, me, new, do="text", field="title", value="Newer title")
    press(services, me, old, do="tone", tone="warmer", **shown)
    old.writer.join(10)
    assert old.view.title == "Newer title"
    press(
        services, me, new, do="text", field="description", value="Typed over a text that was written again meanwhile."
    )
    assert old.view.description == services.drafts.get(me, old.view.draft_id).description
    assert "changed elsewhere" in new.notices[0].words


@pytest.mark.stores
def test_old_versions_do_not_change_a_listing(services, client):
    listing = published(client, price=10)
    address = f"/v1/listings/{listing['id']}"
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
    for given in ("three", '"x"', '"1', "1, 2"):
        assert code(client.patch(address, json={"price": 1}, headers={"If-Match": given})) == (422, "bad_version")
    client.patch(address, json={"stock": 3})
    before = client.get(address).headers["etag"]
    services.orders.buy("somebody", listing["id"], "k", price=14)  # a sale is a change of the listing
    assert code(client.patch(address, json={"stock": 3}, headers={"If-Match": before})) == (409, "changed")


@pytest.mark.stores
def test_old_versions_do_not_publish_a_draft(services, me, client):
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


@pytest.fixture
def written():
    return make_draft(DraftRequest(photos=intake([jpeg()])))


@pytest.mark.parametrize(
    ("given", "price"),
    [
        *(("12.5", 12.5), ("12,50", 12.5), (3, 3.0), ("", None), (None, None), ("0", 0.0), ("12,-", 12.0)),
        *(("12,50 €", 12.5), ("€12", 12.0), ("12 euro", 12.0), ("12€", 12.0), ("EUR 12.50", 12.5), ("12eur", 12.0)),
        *(("1.000", 1000.0), ("1,000", 1000.0), ("1.250,50", 1250.5), ("1,250.50", 1250.5), ("1 000", 1000.0)),
        *(("1000,5", 1000.5), ("0.125", 0.12), (12.125, 12.12), ("free", 0.0), ("Gratis", 0.0), ("€", None)),
    ],
)
def test_prices(given, price):
    assert prices.parse_price(given) == price


@pytest.mark.parametrize(
    "given",
    ["abc", "-1", "1e9", "nan", "inf", "1.2.3", "9" * 400, "１２", "12 apples", "1.0000.000", float("nan"), "12-15"],
)
def test_what_is_no_price(given):
    with pytest.raises(AppError, match="price"):
        prices.parse_price(given)


def test_text_is_cleaned_but_markup_stays_text():
    assert clean_text("  a\x00b\ud800\u202e  <b>c</b>\nd ", 99, "It") == "ab <b>c</b> d"
    assert clean_text("a\r\nb", 99, "It", lines=True) == "a\nb"
    with pytest.raises(AppError, match="10000 characters; shorten it to at most 120"):
        clean_text("x" * 10_000, 120, "The title")


def test_the_score_follows_what_the_seller_says(written):
    seen = pressed(written, [Edit("set", "material", "fleece")])
    more = pressed(written, [Edit("set", "material", "fleece"), Edit("set", "size", "M")])
    assert more.quality.score > seen.quality.score
    assert "size" in seen.quality.tips[0]
    assert not any("size" in tip or "guesses: material" in tip for tip in more.quality.tips)
    assert written.quality.tips[0] in more.quality.tips


@pytest.mark.model
@pytest.mark.timeout(600)
def test_a_demo_photo_becomes_a_listing(repository, tmp_path):
    demo = repository / "demo" / "hoodie.jpg"
    settings = load_settings(
        store=f"sqlite:///{tmp_path / 'store.sqlite'}", media=tmp_path / "media", index=str(tmp_path / "index")
    )
    services = Services(settings)
    try:
        me = services.sellers.only().id
        draft = list(services.draft_writer.start(me, intake([demo]), "Call me: 0176 12345678"))[-1]
        assert draft.state == "ready", draft.problem
        services.drafts.edit(me, draft.draft_id, "title", "Something warm for the winter")
        if draft.category.value is None:
            services.drafts.edit(me, draft.draft_id, "category", "Hoodie")
        listing = services.publisher.publish(me, draft.draft_id, key="k")
        assert services.index.ids() == {listing.id}
        record = services.index.past.index.get(listing.id)
        assert "12345678" not in record.text
        for given in ({"text": "warm winter"}, {"photo": intake([demo])[0]}):
            assert [x.id for x in services.listings.own(me, **given)] == [listing.id]
        hits = services.index.search("warm thing for winter", None, limit=5)
        assert [hit.listing_id for hit in hits] == [listing.id]
        services.publisher.delete(me, listing.id)
        assert services.index.ids() == set()
    finally:
        services.close()
