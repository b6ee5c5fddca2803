"""The store's time: what is written in ``at`` is of that moment, elsewhere and afterwards of now."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from app.store.clock import at, now

THEN = datetime(2020, 2, 29, 12, tzinfo=UTC)


def test_a_moment_holds_in_its_block_and_in_no_other_thread() -> None:
    elsewhere: list[datetime] = []
    with at(THEN):
        assert now() == THEN
        other = threading.Thread(target=lambda: elsewhere.append(now()))
        other.start()
        other.join()
        with at(THEN + timedelta(days=1)):
            assert now() == THEN + timedelta(days=1)
        assert now() == THEN
    assert abs(now() - datetime.now(UTC)) < timedelta(minutes=1)
    assert elsewhere[0] > THEN + timedelta(days=365)


def test_what_is_written_in_the_past_is_of_the_past(services, me, photos) -> None:
    with at(THEN):
        draft = list(services.draft_writer.start(me, photos))[-1]
        listing = services.publisher.publish(me, draft.draft_id, key="k")
        page = services.feed.page("vera", 5)
        services.feed.events("vera", [("click", page.id, listing.id, "")])
    assert listing.published_at == listing.created_at == THEN
    assert page.slate.moment.time_ms == int(THEN.timestamp() * 1000)
    assert page.slate.page[0].age_h == 0
