"""Whoever is about to list the same item again is told of the other listing."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from app.seller.renderer import PageRenderer
from app.seller.session import SellerSession
from listing.intake.photos import intake
from tests.app.support.pictures import picture


def again(photo: bytes) -> bytes:
    """The same photo, smaller and brighter, as another app saves it."""
    image = Image.open(io.BytesIO(photo)).convert("RGB")
    file = io.BytesIO()
    image.resize((image.width * 2 // 3, image.height * 2 // 3)).point(lambda x: min(255, x + 12)).save(
        file, "JPEG", quality=60
    )
    return file.getvalue()


@pytest.fixture
def written(services, me):
    """Writes a draft from photos; gives its last view."""
    return lambda *photos: list(services.draft_writer.start(me, intake(list(photos))))[-1]


def told(services, me, view):
    """What the seller's page says of it."""
    session = SellerSession()
    session.view = view
    page = PageRenderer(services).draft(session, me)
    return page.split('class="same"')[1].split("</li>")[0] if 'class="same"' in page else ""


def test_the_other_listing_is_named_while_it_is_not_sold(services, me, written):
    first = services.publisher.publish(me, written(picture(1), picture(2)).draft_id, key="k1")
    view = written(picture(3), again(picture(2)))
    assert [x.id for x in services.listings.same_as(me, view.photos)] == [first.id]
    assert f'href="/l/{first.id}"' in told(services, me, view)
    assert first.title in told(services, me, view)
    assert told(services, me, written(picture(3))) == ""
    services.publisher.mark_sold(me, first.id)
    assert told(services, me, view) == ""


def test_photos_of_somebody_else_are_no_news(services, me, written):
    view = written(picture(1))
    services.publisher.publish(me, view.draft_id, key="k1")
    assert services.listings.same_as("somebody else", view.photos) == []
