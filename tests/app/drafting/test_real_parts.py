"""The same services with the real model, the real encoders and a real index."""

from __future__ import annotations

import pytest

from app.services import Services
from app.settings import load_settings
from listing.intake.photos import intake


@pytest.mark.model
@pytest.mark.timeout(600)
def test_a_demo_photo_becomes_a_listing_that_is_found_again(repository, tmp_path):
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
