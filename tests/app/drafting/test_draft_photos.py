"""A draft's photos and its identity, on the page and by the API: what is shown is written about, stored, published."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from app.drafting import covers
from app.seller.actions import Actions
from app.seller.draft_part import draft_html
from app.store import draft_repo
from app.store.db import disk_full
from app.store.tables import DraftRow
from app.views import AppError, DraftState
from listing.intake.photos import intake
from listing.request import DraftEvent
from listing.schema import Quality
from tests.app.support.clients import client_of, code
from tests.app.support.leftovers import files_there
from tests.app.support.tabs import Tab
from tests.fakes import FakePipeline, picture


@pytest.fixture
def tab(services) -> Tab:
    return Tab(services)


@pytest.fixture
def written(tab, tmp_path) -> Tab:
    """A page with a finished draft of three photos."""
    tab.take(picture(1), picture(2), picture(3), folder=tmp_path)
    tab.write("Worn twice.")
    assert tab.draft.state == "ready"
    return tab


def test_written_again_it_is_the_same_draft(services, me, written):
    first, photos = written.draft.draft_id, written.shown
    written.press("fact", name="brand", value="Umbro")
    written.press("text", field="title", value="My hoodie")
    written.write("Worn three times.")
    assert written.said == []
    assert written.draft.draft_id == first
    assert (written.draft.note, written.draft.title) == ("Worn three times.", "My hoodie")
    assert "Worn three times." in written.draft.description
    assert next(a for a in written.draft.attributes if a.name == "brand").value == "Umbro"
    stored = services.drafts.get(me, first)
    assert (stored.state, stored.note) == ("ready", "Worn three times.")
    assert files_there(services, photos) == [True] * 3
    for _ in range(2):  # Enter in a field, and then the button
        written.press("publish")
        assert written.said == []
    assert files_there(services, [p.id for p in written.session.published.photos]) == [True] * 3


def test_a_stopped_draft_is_written_again(build, tmp_path):
    services = build(pipeline=FakePipeline(delay=0.05))
    tab = Tab(services)
    tab.take(picture(1), folder=tmp_path)
    for _ in tab.writing():
        if tab.draft.category is not None and not tab.said:
            tab.press("stop")
    assert tab.draft.state == "stopped"
    first = tab.draft.draft_id
    tab.take(picture(2), folder=tmp_path)
    tab.press("photo_remove", photo=tab.shown[0])
    assert tab.draft.category is not None  # what had arrived before stays
    services.pipeline.delay = 0.0
    tab.write("Now with a note.")
    assert tab.said == []
    assert (tab.draft.draft_id, tab.draft.state) == (first, "ready")
    assert "Now with a note." in tab.draft.description
    assert [p.id for p in tab.draft.photos] == tab.shown
    tab.press("publish")
    assert files_there(services, [p.id for p in tab.session.published.photos]) == [True]


def test_a_draft_of_an_ended_server_goes_on(build, me, tab, tmp_path):
    tab.take(picture(1), folder=tmp_path)
    tab.hear(Actions.keep_note, "Worn twice.")
    draft = tab.draft.draft_id
    with tab.page.services.store.write() as session:
        draft_repo.move(session.get(DraftRow, draft), DraftState.WORKING)
    again = Tab(build())
    again.request.query_params = {"draft": draft}
    again.page.enter(again.session, again.request)
    while again.session.busy:
        again.page.watch(again.session, again.request)
    assert (again.draft.draft_id, again.draft.state) == (draft, "ready")
    assert "Worn twice." in again.draft.description


def test_a_failed_try_loses_nothing(services, me, tab, tmp_path):
    services.pipeline.fail_at = "text"
    tab.take(picture(1), folder=tmp_path)
    tab.write()
    assert tab.draft.state == "failed"
    first = tab.draft.draft_id
    services.pipeline.fail_at = None
    tab.write()
    assert (tab.said, tab.draft.draft_id, tab.draft.state) == ([], first, "ready")
    before = services.drafts.get(me, first)
    services.pipeline.fail_at = "text"
    tab.write("Worn three times.")
    after = services.drafts.get(me, first)
    assert (tab.draft.draft_id, after.state, after.title, after.problem) == (first, "ready", before.title, None)
    assert files_there(services, tab.shown) == [True]
    tab.press("publish")
    assert tab.session.published is not None


def test_a_deleted_drafts_photos_become_a_new_one(services, me, written):
    first, photos = written.draft.draft_id, written.shown
    services.drafts.abandon(me, first)
    assert files_there(services, photos) == [False] * 3
    written.write()
    assert written.said == []
    assert written.draft.draft_id != first
    assert [p.id for p in services.drafts.get(me, written.draft.draft_id).photos] == written.shown
    assert files_there(services, written.shown) == [True] * 3
    assert not set(photos) & set(written.shown)


def test_photos_of_another_draft_are_refused(services, me):
    photos = intake([picture(1), picture(2)])
    first = list(services.draft_writer.start(me, photos))[-1]
    with pytest.raises(AppError) as refused:
        services.draft_writer.start(me, photos)
    assert (refused.value.code, refused.value.http_status) == ("photo_taken", 409)
    assert len(services.queue) == 0
    assert files_there(services, [p.id for p in first.photos]) == [True, True]


def test_a_removed_photo_is_gone_and_not_published(services, me, written):
    away = written.shown[1]
    written.press("photo_remove", photo=away)
    draft = services.drafts.get(me, written.draft.draft_id)
    assert [p.id for p in draft.photos] == written.shown
    assert files_there(services, [away]) == [False]
    written.press("publish")
    assert [p.id for p in written.session.published.photos] == written.shown
    assert away not in written.shown
    assert len(written.shown) == 2


def test_changes_elsewhere_are_shown_before_publishing(services, me, written):
    elsewhere = Tab(services)
    elsewhere.press("open", id=written.draft.draft_id)
    elsewhere.press("photo_remove", photo=written.shown[0])
    left = elsewhere.shown
    written.press("publish")
    assert written.session.published is None
    assert len(written.said) == 1
    assert written.shown == left
    written.press("publish")
    assert [p.id for p in written.session.published.photos] == left


def test_another_tone_looks_again_at_new_photos(build, tmp_path):
    services = build(pipeline=Remembering())
    tab = Tab(services)
    tab.take(picture(1), picture(2), folder=tmp_path)
    tab.write()
    tab.press("photo_move", photo=tab.shown[0], to=1)
    tab.run("tone", tone="warmer")
    tab.press("photo_remove", photo=tab.shown[0])
    tab.run("tone", tone="shorter")
    assert tab.said == []
    first, moved, left = services.pipeline.asked
    assert moved == (list(reversed(first[0])), True)
    assert left == (moved[0][1:], False)
    assert "no longer" not in proofs(tab)


def proofs(tab: Tab) -> str:
    return draft_html(tab.draft, [], retrieval=True)


@dataclass
class Remembering(FakePipeline):
    """Notes of each run which photos it was given, and whether the facts of an earlier draft."""

    asked: list[tuple[list[str], bool]] = field(default_factory=list)

    def run(self, request):
        self.asked.append(([p.ref.id for p in request.photos], request.earlier_draft is not None))
        yield from super().run(request)


@dataclass
class Blurred(FakePipeline):
    """Every draft says that its second photo is blurred."""

    def run(self, request):
        for event in super().run(request):
            if isinstance(event, DraftEvent):
                tips = ["Photo 2 is blurred; hold the camera still and take it again.", "Add the size."]
                quality = Quality(score=50, tips=tips)
                yield DraftEvent(draft=event.draft.model_copy(update={"quality": quality}))
            else:
                yield event


def test_evidence_follows_its_photo(written):
    first = written.shown[0]
    written.press("photo_move", photo=first, to=2)
    html = proofs(written)
    assert f"--photo-{first}" in html
    assert not any(f"--photo-{other}" in html for other in written.shown[:2])
    assert "Part of photo 3" in html
    assert "Part of photo 1" not in html


@pytest.mark.slow
def test_evidence_says_that_its_photo_is_gone(services, me, written):
    first = written.shown[0]
    written.press("photo_remove", photo=first)
    html = proofs(written)
    assert 'class="crop"' not in html
    assert "Part of photo" not in html
    assert "a photo that is no longer here" in html
    body = services.drafts.get(me, written.draft.draft_id).draft
    assert first not in body.model_dump_json()
    assert {e.photo for a in body.attributes for e in a.evidence} == {None}


def test_tips_follow_their_photo(build, tmp_path):
    services = build(pipeline=Blurred())
    tab = Tab(services)
    tab.take(picture(1), picture(2), folder=tmp_path)
    tab.write()
    second = tab.shown[1]
    tab.press("photo_move", photo=second, to=0)
    assert tab.draft.quality.tips[0].startswith("Photo 1 is blurred")
    tab.press("photo_remove", photo=second)
    assert tab.draft.quality.tips == ["Add the size."]


def test_fifty_unfinished_drafts_are_enough(services, me, tab, tmp_path):
    ids = [f"{number:032x}" for number in range(50)]
    with services.store.write() as session:
        for draft in ids:
            draft_repo.add_draft(session, draft, me, [], note="", tone="plain", state="uploading")
    tab.take(picture(1), folder=tmp_path)
    assert tab.said == ["You have 50 unfinished drafts; throw away or publish some of them first."]
    assert tab.shown == []
    assert list(services.media.folder.rglob("*.jpg")) == []
    services.drafts.abandon(me, ids[0])
    tab.take(picture(1), folder=tmp_path)
    assert tab.said == []
    assert len(tab.shown) == 1


def files(*seeds: int) -> list[tuple[str, tuple[str, bytes, str]]]:
    return [("photos", (f"{seed}.jpg", picture(seed), "image/jpeg")) for seed in seeds]


@pytest.fixture
def made(client):
    return client.post("/v1/drafts", files=files(1, 2, 3), data={"note": "Worn twice."}).json()


def test_photos_are_reordered_and_removed_by_programs(client, services, made):
    first, second, third = (p["id"] for p in made["photos"])
    address = f"/v1/drafts/{made['id']}/photos"
    answer = client.put(address, json={"photos": [third, first]})
    assert (answer.status_code, [p["id"] for p in answer.json()["photos"]]) == (200, [third, first])
    assert files_there(services, [first, second, third]) == [True, False, True]
    assert code(client.get(f"/v1/photos/{second}")) == (404, "not_found")
    for bad in ([second], [first, first], ["0" * 32]):
        assert code(client.put(address, json={"photos": bad})) == (422, "bad_photos")
    listing = client.post("/v1/listings", json={"draft_id": made["id"]}).json()
    assert [p["id"] for p in listing["photos"]] == [third, first]
    assert code(client.put(address, json={"photos": [first]})) == (409, "published")
    assert code(client.post(address, files=files(5))) == (409, "published")
    assert [p["id"] for p in client.get(f"/v1/listings/{listing['id']}").json()["photos"]] == [third, first]


def test_photos_are_added_by_programs(client, services, made):
    address = f"/v1/drafts/{made['id']}/photos"
    answer = client.post(address, files=files(4, 5))
    assert answer.status_code == 201
    assert len(answer.json()["photos"]) == 5
    assert answer.json()["photos"][:3] == made["photos"]
    assert code(client.post(address, files=files(5))) == (422, "photo_twice")
    assert code(client.post(address, files=files(6, 6))) == (422, "photo_twice")
    assert code(client.post(address, files=files(6, 7, 8, 9))) == (422, "too_many_photos")
    assert code(client.post(address, files=[("photos", b"no photo")])) == (422, "not_an_image")
    assert len(client.get(f"/v1/drafts/{made['id']}").json()["photos"]) == 5
    assert len(list(services.media.ids())) == 5


def test_a_cover_is_shown_and_changes_nothing(client, services, made, monkeypatch):
    mask = np.zeros((320, 320), np.uint8)
    monkeypatch.setattr(covers, "Foreground", lambda file, *_: SimpleNamespace(mask=lambda photo: mask))
    address = f"/v1/drafts/{made['id']}/photos/{made['photos'][0]['id']}/cover"
    assert code(client.post(address)) == (503, "no_cover")  # without the embedded model
    services.covers.weights.parent.mkdir(parents=True)
    services.covers.weights.touch()
    assert code(client.post(address)) == (422, "no_cover")
    mask[80:240, 80:240] = 255
    answer = client.post(address)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    photo = client.get(f"/v1/photos/{made['photos'][0]['id']}")
    shown, original = (Image.open(io.BytesIO(a.content)) for a in (answer, photo))
    assert shown.size == original.size
    assert client.get(f"/v1/drafts/{made['id']}").json() == made
    strange = f"/v1/drafts/{made['id']}/photos/{'0' * 32}/cover"
    assert code(client.post(strange)) == (404, "not_found")


def test_without_photos_nothing_is_written(client, services, made):
    assert client.put(f"/v1/drafts/{made['id']}/photos", json={"photos": []}).json()["photos"] == []
    assert code(client.post("/v1/listings", json={"draft_id": made["id"]})) == (422, "no_photo")
    assert code(client.post(f"/v1/drafts/{made['id']}/write")) == (422, "photo_count")
    assert list(services.media.ids()) == []
    tab = Tab(services)
    tab.press("open", id=made["id"])
    tab.press("publish")
    assert tab.session.published is None
    assert tab.said == ["The listing has no photo; add one and publish again."]


def test_programs_write_a_draft_again(client, made):
    address = f"/v1/drafts/{made['id']}/write"
    again = client.post(address, json={"note": "Worn three times.", "tone": "warmer"})
    assert again.status_code == 200
    body = again.json()
    assert (body["id"], body["note"], body["tone"]) == (made["id"], "Worn three times.", "warmer")
    assert body["draft"]["title"] == "Cosy navy hoodie with zip"
    assert client.post(address).json()["note"] == "Worn three times."
    with client.stream("POST", address, json={}, headers={"Accept": "text/event-stream"}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        text = "".join(answer.iter_text())
    assert "event: category" in text
    assert text.rstrip().split("\n\n")[-1].startswith("event: draft")
    assert code(client.post(address, json={"note": "x" * 10_000})) == (422, "too_long")
    assert code(client.post(address, json={"category": "???"})) == (422, "bad_category")
    client.post("/v1/listings", json={"draft_id": made["id"]})
    assert code(client.post(address)) == (409, "published")


def test_other_peoples_drafts_are_not_there(two):
    ann, bob, nobody = two
    made = ann.post("/v1/drafts", files=files(1, 2)).json()
    ids = [p["id"] for p in made["photos"]]
    address = f"/v1/drafts/{made['id']}"
    for call in (
        lambda who: who.post(f"{address}/photos", files=files(3)),
        lambda who: who.put(f"{address}/photos", json={"photos": ids[:1]}),
        lambda who: who.post(f"{address}/write"),
    ):
        assert code(call(bob)) == (404, "not_found")
        assert code(call(nobody)) == (401, "sign_in")
    foreign = bob.post("/v1/drafts", files=files(7)).json()
    stolen = bob.put(f"/v1/drafts/{foreign['id']}/photos", json={"photos": ids[:1]})
    assert code(stolen) == (422, "bad_photos")
    assert ann.get(address).json()["photos"] == made["photos"]


def test_while_it_is_written_over_the_api(build):
    services = build(pipeline=FakePipeline(delay=0.05))
    me = services.sellers.only().id
    run = services.draft_writer.start(me, intake([picture(1), picture(2)]))
    view = next(v for v in run if v.category is not None)
    with client_of(services) as client:
        address = f"/v1/drafts/{view.draft_id}"
        keep = {"photos": [view.photos[0].id]}
        assert code(client.put(f"{address}/photos", json=keep)) == (409, "running")
        assert code(client.post(f"{address}/photos", files=files(3))) == (409, "running")
        assert code(client.post(f"{address}/write")) == (409, "running")
        assert client.get(address).json()["state"] == "working"
        assert list(run)[-1].state == "ready"
        assert client.put(f"{address}/photos", json=keep).status_code == 200


def test_a_full_disk_leaves_no_added_photos(services, monkeypatch):
    save, saved = services.media.save, []

    def full(photo_id, jpeg):
        if len(saved) == 3:
            raise disk_full()
        saved.append(photo_id)
        return save(photo_id, jpeg)

    monkeypatch.setattr(services.media, "save", full)
    with client_of(services) as client:
        made = client.post("/v1/drafts", files=files(1)).json()
        assert code(client.post(f"/v1/drafts/{made['id']}/photos", files=files(2, 3, 4))) == (507, "disk_full")
        assert client.get(f"/v1/drafts/{made['id']}").json()["photos"] == made["photos"]
    assert [p["id"] for p in made["photos"]] == list(services.media.ids())
