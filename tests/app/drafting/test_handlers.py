"""The story of the page without a page: draft, evidence, edit, regenerate, answer, publish, find, sell, delete."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select, text

from app.seller.draft_part import draft_html
from app.store.tables import Base, DraftRow, EditRow, EventRow, PhotoRow
from app.views import AppError
from listing.intake.photos import intake
from tests.app.support.small_index import titles_in
from tests.fakes import TEXTS, UNSUPPORTED, FakeIndex, FakePipeline, jpeg


def finished(services, seller, photos, note=""):
    return list(services.draft_writer.start(seller, photos, note))[-1]


def code_of(call, *arguments, **named):
    with pytest.raises(AppError) as caught:
        call(*arguments, **named)
    return caught.value.code, caught.value.http_status


@pytest.mark.stores
def test_the_whole_story(services, me, photos):
    views = list(services.draft_writer.start(me, photos, "Worn twice.\nFits small."))
    assert {v.state for v in views} == {"working", "ready"}
    draft = views[-1]
    assert "Worn twice.\nFits small." in draft.description
    assert next(a for a in draft.attributes if a.name == "brand").evidence[0].text == "NIKE"
    first_fact = next(i for i, v in enumerate(views) if v.attributes)
    assert views[first_fact].category is not None
    assert not views[first_fact].title

    key = draft.draft_id
    services.drafts.edit(me, key, "title", "My hoodie")
    services.drafts.edit(me, key, "price", "14,50")
    services.drafts.edit(me, key, "size", "M")
    services.drafts.remove_claim(me, key, "description", UNSUPPORTED)
    again = list(services.draft_writer.write_again(me, key, tone="warmer", from_photos=False))[-1]
    assert again.title == "My hoodie"
    assert again.asked == 14.5
    assert UNSUPPORTED not in again.description
    assert again.locked == {"title", "price", "size", "description"}
    free = services.drafts.unlock(me, key, "description")
    assert free.description.startswith(TEXTS["warmer"][1][:20]) or free.description.startswith(TEXTS["plain"][1][:20])

    listing = services.publisher.publish(me, key, key="k1")
    assert (listing.title, listing.price, listing.attributes["size"]) == ("My hoodie", 14.5, "M")
    assert [p.id for p in listing.photos] == [p.ref.id for p in photos]
    assert [x.id for x in services.listings.own(me, text="HOODIE nike")] == [listing.id]
    assert [x.id for x in services.listings.own(me, photo=intake([jpeg()])[0])] == [listing.id]
    assert services.listings.own(me, text="bicycle") == []

    changed = services.publisher.change(me, listing.id, {"title": "Hoodie, navy", "price": None})
    assert (changed.title, changed.price) == ("Hoodie, navy", None)
    assert titles_in(services.index) == {listing.id: "Hoodie, navy"}
    assert services.publisher.mark_sold(me, listing.id).status == "sold"
    assert services.publisher.relist(me, listing.id).stock == 1
    services.publisher.delete(me, listing.id)
    assert services.listings.own(me) == []


@pytest.mark.stores
def test_deleting_leaves_ids_in_events_and_nothing_else(services, me, photos):
    draft = finished(services, me, photos, "a secret note")
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
    draft = finished(services, me, photos)
    first = services.publisher.publish(me, draft.draft_id, key="k")
    assert services.publisher.publish(me, draft.draft_id, key="k") == first
    assert services.publisher.publish(me, draft.draft_id, key="another") == first
    second = finished(services, me, intake([jpeg((200, 0, 0))]))
    assert code_of(services.publisher.publish, me, second.draft_id, key="k") == ("key_reused", 409)
    assert len(services.listings.own(me)) == 1


def test_a_published_draft_is_not_edited_any_more(services, me, photos):
    draft = finished(services, me, photos)
    services.publisher.publish(me, draft.draft_id, key="k")
    assert code_of(services.drafts.edit, me, draft.draft_id, "title", "x") == ("published", 409)
    assert code_of(services.draft_writer.write_again, me, draft.draft_id) == ("published", 409)
    assert code_of(services.drafts.abandon, me, draft.draft_id) == ("published", 409)


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("title", "x" * 10_000, "too_long"),
        ("description", "x" * 10_000, "too_long"),
        ("brand", "x" * 10_000, "too_long"),
        ("price", "cheap", "bad_price"),
        ("category", "???", "bad_category"),
        ("favourite", "x", "bad_field"),
    ],
)
def test_unusable_edits_change_nothing(services, me, photos, field, value, code):
    draft = finished(services, me, photos)
    assert code_of(services.drafts.edit, me, draft.draft_id, field, value) == (code, 422)
    assert services.drafts.get(me, draft.draft_id).locked == frozenset()


def test_outside_its_range_the_seller_chooses_and_nothing_is_published_unnamed(build, photos):
    services = build(pipeline=FakePipeline(in_range=False))
    me = services.sellers.only().id
    draft = finished(services, me, photos)
    assert not draft.category.in_range
    assert code_of(services.publisher.publish, me, draft.draft_id, key="k") == ("no_title", 422)
    services.drafts.edit(me, draft.draft_id, "title", "A thing")
    assert code_of(services.publisher.publish, me, draft.draft_id, key="k") == ("no_category", 422)
    services.drafts.edit(me, draft.draft_id, "category", "hoodie")
    assert services.publisher.publish(me, draft.draft_id, key="k").category == "Hoodie"


def test_a_category_that_the_text_does_not_name_is_explained(services, me, photos):
    view = finished(services, me, photos)
    hint = "the text takes the likeliest name"
    for confidence, locked, said in ((0.8, (), False), (0.4, (), True), (0.4, ("category",), False)):
        category = view.category.model_copy(update={"confidence": confidence})
        shown = replace(view, category=category, locked=frozenset(locked))
        assert (hint in draft_html(shown, [], retrieval=True)) is said


def test_a_failing_model_is_a_sentence_and_the_next_draft_works(build, photos):
    services = build(pipeline=FakePipeline(fail_at="text"))
    me = services.sellers.only().id
    view = finished(services, me, photos)
    assert (view.state, view.problem.code) == ("failed", "model_failed")
    assert view.attributes
    assert services.drafts.get(me, view.draft_id).state == "failed"
    services.pipeline.fail_at = None
    assert list(services.draft_writer.write_again(me, view.draft_id, from_photos=False))[-1].state == "ready"


def test_a_rewrite_that_is_stopped_keeps_the_draft(build, photos):
    services = build()
    me = services.sellers.only().id
    draft = finished(services, me, photos)
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
    draft = finished(services, me, photos)
    index.fail = True
    listing = services.publisher.publish(me, draft.draft_id, key="k")
    assert [x.id for x in services.listings.own(me, text="hoodie")] == [listing.id]
    index.fail = False
    assert build(index=index).index.ids() == {listing.id}
