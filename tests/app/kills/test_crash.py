"""``kill -9`` at random moments of publishing: afterwards store, index and photos agree, nothing is lost or doubled.

``pytest tests/app/kills/test_crash.py --kills 50`` runs the long version.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from app.store.tables import KeyRow, ListingRow, OutboxRow, PhotoRow
from tests.app.kills.crash_writer import open_services
from tests.app.support.small_index import titles_in


def said_until_killed(home: Path, repository: Path, dice: random.Random) -> list[dict[str, str]]:
    """What the writer said before ``kill -9``, which comes within half a second of a wish to publish."""
    wishes, seconds = dice.randint(1, 3), dice.uniform(0, 0.5)
    environment = {**os.environ, "PYTHONPATH": str(repository)}
    command = [sys.executable, "tests/app/kills/crash_writer.py", str(home)]
    with subprocess.Popen(command, cwd=repository, env=environment, stdout=subprocess.PIPE, text=True) as writer:
        said: list[dict[str, str]] = []
        while sum(row["kind"] == "wish" for row in said) < wishes:
            said.append(json.loads(writer.stdout.readline()))
        time.sleep(seconds)
        os.kill(writer.pid, signal.SIGKILL)
        rest = writer.stdout.read().splitlines(keepends=True)
        said += [json.loads(line) for line in rest if line.endswith("\n")]
    assert writer.returncode == -signal.SIGKILL
    return said


class Promises:
    """What the writers of all lives were told, and so may rely on."""

    def __init__(self) -> None:
        self.listings: dict[str, str | None] = {}
        self.deleted: set[str] = set()
        self.unsure: set[str] = set()

    def hear(self, said: list[dict[str, str]]) -> None:
        for row in said:
            if row["kind"] == "published":
                self.listings[row["listing"]] = None
            elif row["kind"] == "changed":
                self.listings[row["listing"]] = row["title"]
            elif row["kind"] == "deleting":
                self.unsure.add(row["listing"])
            elif row["kind"] == "deleted":
                self.listings.pop(row["listing"])
                self.unsure.discard(row["listing"])
                self.deleted.add(row["listing"])


def titles_in_store(services) -> dict[str, str]:
    me = services.sellers.only().id
    return {x.id: x.title for x in services.listings.own(me, limit=100_000)}


def check(services, promises: Promises) -> int:
    """Store = index = photos, and every promise kept; returns how many listings there are."""
    me = services.sellers.only().id
    listings = {x.id: x for x in services.listings.own(me, limit=100_000)}
    assert services.index.ids() == set(listings), "the index and the store differ"
    with services.store.read() as session:
        assert session.scalars(select(OutboxRow)).all() == []
        drafts = list(session.scalars(select(ListingRow.draft_id)))
        assert len(drafts) == len(set(drafts)), "a draft was published twice"
        keys = set(session.scalars(select(KeyRow.listing_id)))
        assert keys == set(listings), "a key leads nowhere, or a listing has none"
        rows = {p.id: p.listing_id for p in session.scalars(select(PhotoRow))}
    files = set(services.media.ids())
    assert set(rows) <= files, "a photo's file is lost"
    for listing in listings.values():
        assert [rows[p.id] for p in listing.photos] == [listing.id]
    missing = set(promises.listings) - set(listings) - promises.unsure
    assert not missing, "a published listing is lost"
    assert not promises.deleted & set(listings), "a deleted listing is back"
    for listing_id, title in promises.listings.items():
        if title is not None and listing_id in listings:
            assert listings[listing_id].title == title
    return len(listings)


@pytest.mark.timeout(1800)
def test_nothing_is_lost_or_doubled(tmp_path, repository, request):
    kills = request.config.getoption("--kills") or 6
    dice, promises, published = random.Random(7), Promises(), 0
    for life in range(kills):
        promises.hear(said_until_killed(tmp_path, repository, dice))
        if life % 3 == 2 or life == kills - 1:
            services = open_services(tmp_path)
            published = check(services, promises)
            assert titles_in(services.index) == titles_in_store(services), "the index holds an older text"
            services.close()
    assert published > kills / 4, "the kills came before anything was published"


@pytest.mark.stores
def test_a_listing_whose_index_entry_was_cut_off_is_put_in_on_the_next_start(build, photos):
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


@pytest.mark.stores
def test_strangers_in_the_index_go_and_stray_photos_go_to_the_trash(build, photos):
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
    from app.store import draft_repo

    services = build()
    me = services.sellers.only().id
    draft = list(services.draft_writer.start(me, photos))[-1]
    with services.store.write() as session:
        draft_repo.set_state(session, draft.draft_id, "working")
        draft_repo.add_draft(session, "e" * 32, me, [], note="", tone="plain")
    again = build()
    assert again.drafts.get(me, draft.draft_id).state == "ready"
    stopped = again.drafts.get(me, "e" * 32)
    assert (stopped.state, stopped.problem.code) == ("stopped", "stopped")
