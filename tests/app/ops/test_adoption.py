"""Adoption figures against hand-counted cases."""

from __future__ import annotations

import pytest

from app.ops.adoption import FactCounts, adoption, compare_texts
from listing.intake.photos import intake
from tests.fakes import jpeg

pytestmark = pytest.mark.stores


def test_of_an_empty_store(services):
    found = adoption(services.store)
    assert (found.shown, found.published, found.published_share, found.measured) == (0, 0, None, 0)
    assert found.texts["title"].edit_distance is None


def test_texts_by_hand():
    figures = compare_texts([("abcd", "abcd"), ("abcd", "abXd")])
    assert figures.edit_distance == pytest.approx((0 + 1 / 4) / 2)
    assert figures.untouched == 0.5
    words = compare_texts([("blue warm hoodie zip", "warm blue hoodie")])
    assert words.tokens_kept == pytest.approx(2 / 4)
    assert compare_texts([("", "all mine")]).edit_distance == 1.0


def test_from_the_story_of_three_drafts(services, me):
    def draft(shade):
        return list(services.draft_writer.start(me, intake([jpeg((shade, 20, 20))])))[-1].draft_id

    untouched, edited, left = draft(10), draft(90), draft(200)
    services.publisher.publish(me, untouched, key="1")
    services.drafts.edit(me, edited, "colour", "black")
    services.drafts.edit(me, edited, "brand", None)
    services.drafts.edit(me, edited, "size", "M")
    services.drafts.edit(me, edited, "title", "Other words")
    list(services.draft_writer.write_again(me, edited, tone="shorter", from_photos=False))
    services.drafts.edit(me, edited, "category", "Longsleeve")
    services.publisher.publish(me, edited, key="2")
    services.drafts.abandon(me, left)

    found = adoption(services.store)
    assert (found.shown, found.published, found.abandoned, found.measured) == (3, 2, 1, 2)
    assert found.published_share == pytest.approx(2 / 3)
    assert found.category_corrected == 0.5
    assert found.facts == {
        "brand": FactCounts(kept=1, left_out=1),
        "closure": FactCounts(kept=2),
        "colour": FactCounts(kept=1, corrected=1),
        "size": FactCounts(added=1),
    }
    # The seller's locked title came back from the rewrite; it must not count as the model's.
    assert found.texts["title"].untouched == 0.5
    assert found.texts["description"].untouched == 1.0


def test_later_changes_of_a_listing_do_not_change_what_was_published(services, me, photos):
    draft = list(services.draft_writer.start(me, photos))[-1]
    listing = services.publisher.publish(me, draft.draft_id, key="1")
    services.publisher.change(me, listing.id, {"title": "Half a year later"})
    assert adoption(services.store).texts["title"].untouched == 1.0
    services.publisher.delete(me, listing.id)
    after = adoption(services.store)
    assert (after.published, after.measured) == (1, 0)
