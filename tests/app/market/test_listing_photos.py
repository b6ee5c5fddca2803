"""Photos of a published listing, and a listing of the same photos."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from app.seller.renderer import PageRenderer
from app.seller.session import SellerSession
from app.views import AppError
from listing.intake.photos import intake
from tests.app.support.clients import client_of, code
from tests.app.support.pictures import files_there, picture


@pytest.fixture
def listing(services, me, photos):
    draft = list(services.draft_writer.start(me, photos))[-1]
    return services.publisher.publish(me, draft.draft_id, key="k")


def test_added_ordered_and_removed(services, me, listing):
    first, second = (p.id for p in listing.photos)
    (new,) = intake([picture(1)])
    added = services.listing_photos.add(me, listing.id, [new])
    assert [p.id for p in added.photos] == [first, second, new.ref.id]
    kept = services.listing_photos.arrange(me, listing.id, [new.ref.id, second])
    assert [p.id for p in kept.photos] == [new.ref.id, second]
    assert services.listings.get(me, listing.id) == kept
    assert files_there(services, [first, second, new.ref.id]) == [False, True, True]
    assert services.index.entries[listing.id].photos == kept.photos


def test_what_cannot_be_done_changes_nothing(services, me, listing):
    photos = services.listing_photos
    with pytest.raises(AppError, match="needs a photo"):
        photos.arrange(me, listing.id, [])
    with pytest.raises(AppError, match="Name photos of this listing"):
        photos.arrange(me, listing.id, ["0" * 32])
    with pytest.raises(AppError, match="there already"):
        photos.add(me, listing.id, intake([services.media.path(listing.photos[0].id)]))
    with pytest.raises(AppError, match="room for 8"):
        photos.add(me, listing.id, intake([picture(n) for n in range(7)]))
    stranger = services.sellers.named("you").id if not services.sellers.single else "0" * 32
    with pytest.raises(AppError, match="no such listing"):
        photos.add(stranger, listing.id, intake([picture(9)]))
    assert services.listings.get(me, listing.id) == listing
    assert len(list(services.media.ids())) == 2


def test_over_the_api(services, me, listing):
    with client_of(services) as client:
        path = f"/v1/listings/{listing.id}/photos"
        photo = io.BytesIO()  # as large as a phone's
        noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (1500, 1500, 3), dtype=np.uint8))
        noise.save(photo, "JPEG", quality=95)
        assert len(photo.getvalue()) > 2_500_000
        added = client.post(path, files=[("photos", photo.getvalue())])
        ids = [p["id"] for p in added.json()["photos"]]
        assert (added.status_code, len(ids)) == (201, 3)
        assert [p["id"] for p in client.put(path, json={"photos": ids[::-1]}).json()["photos"]] == ids[::-1]
        assert code(client.put(path, json={"photos": []})) == (422, "no_photo")


def again(photo: bytes) -> bytes:
    """The same photo, smaller and brighter, as another app saves it."""
    image, file = Image.open(io.BytesIO(photo)).convert("RGB"), io.BytesIO()
    smaller = image.resize((image.width * 2 // 3, image.height * 2 // 3)).point(lambda x: min(255, x + 12))
    smaller.save(file, "JPEG", quality=60)
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


def test_a_listing_of_the_same_photos_is_named(services, me, written):
    first = services.publisher.publish(me, written(picture(1), picture(2)).draft_id, key="k1")
    view = written(picture(3), again(picture(2)))
    assert [x.id for x in services.listings.same_as(me, view.photos)] == [first.id]
    assert f'href="/l/{first.id}"' in told(services, me, view)
    assert first.title in told(services, me, view)
    assert told(services, me, written(picture(3))) == ""
    services.publisher.mark_sold(me, first.id)
    assert told(services, me, view) == ""


def test_photos_of_others_are_no_news(services, me, written):
    view = written(picture(1))
    services.publisher.publish(me, view.draft_id, key="k1")
    assert services.listings.same_as("somebody else", view.photos) == []
