"""The moments between the store and what follows it, without chance: the next start puts them in order."""

from __future__ import annotations

import os

import pytest

from app.seller.actions import Actions
from app.seller.session import SellerSession
from app.store import draft_repo
from app.store.tables import DraftRow
from app.views import DraftState


@pytest.mark.stores(both=True)
def test_a_start_makes_the_index_equal_the_store(build, photos):
    """The moment between the store's commit and the index, without chance."""
    services = build()
    me = services.sellers.only().id
    draft = list(services.draft_writer.start(me, photos))[-1]
    services.outbox.follow = lambda: None
    listing = services.publisher.publish(me, draft.draft_id, key="k")
    assert services.index.ids() == set()
    assert build(index=services.index).index.ids() == {listing.id}
    services.outbox.follow = lambda: None
    services.publisher.delete(me, listing.id)
    assert build(index=services.index).index.ids() == set()


@pytest.mark.stores(both=True)
def test_a_start_removes_strangers_and_stray_photos(build, photos):
    services = build()
    me = services.sellers.only().id
    draft = list(services.draft_writer.start(me, photos))[-1]
    listing = services.publisher.publish(me, draft.draft_id, key="k")
    stranger = listing.model_copy(update={"id": "ipl-gone"})
    services.index.put(stranger, [services.media.path(p.id) for p in listing.photos])
    stray = services.media.save("ab" * 16, b"left behind")
    fresh = services.media.save("cd" * 16, b"being written")
    os.utime(stray, (0, 0))
    again = build(index=services.index)
    assert again.index.ids() == {listing.id}
    assert not stray.exists()
    assert (services.media.folder / ".trash" / stray.name).read_bytes() == b"left behind"
    assert fresh.exists()


def test_drafts_of_a_dead_process_are_stopped(build, photos):
    services = build()
    me = services.sellers.only().id
    draft = list(services.draft_writer.start(me, photos))[-1]
    with services.store.write() as session:
        draft_repo.move(session.get(DraftRow, draft.draft_id), DraftState.WORKING)
        draft_repo.add_draft(session, "e" * 32, me, [], note="", tone="plain")
    again = build()
    assert again.drafts.get(me, draft.draft_id).state == "ready"
    stopped = again.drafts.get(me, "e" * 32)
    assert (stopped.state, stopped.problem.code) == ("stopped", "interrupted")


def test_a_draft_that_ends_the_server_each_time_is_begun_again_twice_and_then_by_hand(build, photos):
    services = build()
    me = services.sellers.only().id
    draft = services.draft_photos.begin(me, photos[:1]).draft_id
    codes, resumed = [], []
    for _ in range(4):
        with services.store.write() as session:
            draft_repo.move(session.get(DraftRow, draft), DraftState.WORKING)
        services = build()
        view = services.drafts.get(me, draft)
        codes.append(view.problem.code)
        actions = Actions(services, me, SellerSession())
        actions.session.view = view
        actions.do_write = lambda data: resumed.append(data["do"])
        actions.look()
    assert codes == ["interrupted", "interrupted", "stopped", "stopped"]
    assert resumed == ["write", "write"]
    assert [e.state for e in services.draft_writer.write_again(me, draft)][-1] == "ready"
