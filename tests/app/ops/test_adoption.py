"""Adoption figures against hand-counted cases."""

from __future__ import annotations

import pytest

from app import handlers
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
        return list(handlers.start_draft(services, me, intake([jpeg((shade, 20, 20))])))[-1].draft_id

    untouched, edited, left = draft(10), draft(90), draft(200)
    handlers.publish(services, me, untouched, key="1")
    handlers.edit_field(services, me, edited, "colour", "black")
    handlers.edit_field(services, me, edited, "brand", None)
    handlers.answer_question(services, me, edited, "size", "M")
    handlers.edit_field(services, me, edited, "title", "Other words")
    list(handlers.regenerate(services, me, edited, tone="shorter"))
    handlers.edit_field(services, me, edited, "category", "Longsleeve")
    handlers.publish(services, me, edited, key="2")
    handlers.abandon(services, me, left)

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
    draft = list(handlers.start_draft(services, me, photos))[-1]
    listing = handlers.publish(services, me, draft.draft_id, key="1")
    handlers.edit_listing(services, me, listing.id, {"title": "Half a year later"})
    assert adoption(services.store).texts["title"].untouched == 1.0
    handlers.delete(services, me, listing.id)
    after = adoption(services.store)
    assert (after.published, after.measured) == (1, 0)
