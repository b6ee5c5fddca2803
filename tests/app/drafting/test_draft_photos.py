"""A draft's photos and its identity: what is on the screen is what is written about, stored and published."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass, field

import pytest
from PIL import Image

from app.seller.draft_part import draft_html
from app.store.db import disk_full
from app.store.tables import DraftRow
from app.views import AppError
from listing.events import DraftEvent
from listing.intake.photos import intake
from listing.schema import Quality
from tests.app.support.tabs import Tab
from tests.app.web.test_api import client_of, code, two  # noqa: F401  # two is a fixture
from tests.fakes import FakePipeline


def picture(seed: int) -> bytes:
    """A photo that looks like no other: blocks of random grey, the same ones for the same seed."""
    dice = random.Random(seed)
    small = Image.new("L", (8, 8))
    small.putdata([dice.randrange(256) for _ in range(64)])
    buffer = io.BytesIO()
    small.resize((320, 320)).convert("RGB").save(buffer, "JPEG")
    return buffer.getvalue()


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


def files_there(services, photo_ids) -> list[bool]:
    return [services.media.path(photo_id).is_file() for photo_id in photo_ids]


class TestWrittenAgain:
    def test_it_is_the_same_draft_with_the_note_of_now_and_what_was_set(self, services, me, written):
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
        written.press("publish")
        assert files_there(services, [p.id for p in written.desk.published.photos]) == [True] * 3

    def test_after_it_was_stopped(self, build, tmp_path):
        services = build(pipeline=FakePipeline(delay=0.05))
        tab = Tab(services)
        tab.take(picture(1), folder=tmp_path)
        for _ in tab.page.begin(tab.desk, "", tab.request):
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
        assert files_there(services, [p.id for p in tab.desk.published.photos]) == [True]

    def test_after_it_failed(self, build, tmp_path):
        services = build(pipeline=FakePipeline(fail_at="text"))
        tab = Tab(services)
        tab.take(picture(1), folder=tmp_path)
        tab.write()
        assert tab.draft.state == "failed"
        first = tab.draft.draft_id
        services.pipeline.fail_at = None
        tab.write()
        assert tab.said == []
        assert (tab.draft.draft_id, tab.draft.state) == (first, "ready")
        assert files_there(services, tab.shown) == [True]

    def test_after_it_was_deleted_elsewhere_its_photos_become_a_new_one(self, services, me, written):
        first, photos = written.draft.draft_id, written.shown
        services.drafts.abandon(me, first)
        assert files_there(services, photos) == [False] * 3
        written.write()
        assert written.said == []
        assert written.draft.draft_id != first
        assert [p.id for p in services.drafts.get(me, written.draft.draft_id).photos] == written.shown
        assert files_there(services, written.shown) == [True] * 3
        assert not set(photos) & set(written.shown)

    def test_a_second_try_that_fails_leaves_the_first_one_whole(self, services, me, written):
        before = services.drafts.get(me, written.draft.draft_id)
        services.pipeline.fail_at = "text"
        written.write("Worn three times.")
        assert (written.draft.draft_id, written.draft.state) == (before.draft_id, "ready")
        after = services.drafts.get(me, before.draft_id)
        assert (after.state, after.title, after.problem) == ("ready", before.title, None)
        assert files_there(services, written.shown) == [True] * 3
        written.press("publish")
        assert written.desk.published is not None

    def test_photos_of_another_draft_are_refused_and_their_files_stay(self, services, me):
        photos = intake([picture(1), picture(2)])
        first = list(services.draft_writer.start(me, photos))[-1]
        with pytest.raises(AppError) as refused:
            services.draft_writer.start(me, photos)
        assert (refused.value.code, refused.value.http_status) == ("photo_taken", 409)
        assert len(services.queue) == 0
        assert files_there(services, [p.id for p in first.photos]) == [True, True]


class TestOnTheScreen:
    def test_a_removed_photo_is_not_published_and_gone_from_the_store(self, services, me, written):
        away = written.shown[1]
        written.press("photo_remove", photo=away)
        draft = services.drafts.get(me, written.draft.draft_id)
        assert [p.id for p in draft.photos] == written.shown
        assert files_there(services, [away]) == [False]
        written.press("publish")
        assert [p.id for p in written.desk.published.photos] == written.shown
        assert away not in written.shown
        assert len(written.shown) == 2

    def test_the_order_on_the_screen_is_published(self, services, me, written):
        first, second, third = written.shown
        written.press("photo_move", photo=third, to=0)
        assert written.shown == [third, first, second]
        assert [p.id for p in services.drafts.get(me, written.draft.draft_id).photos] == written.shown
        written.press("publish")
        assert [p.id for p in written.desk.published.photos] == [third, first, second]

    def test_a_photo_added_later_is_published(self, services, me, written, tmp_path):
        written.take(picture(4), folder=tmp_path)
        assert len(written.shown) == 4
        assert [p.id for p in services.drafts.get(me, written.draft.draft_id).photos] == written.shown
        written.press("publish")
        assert [p.id for p in written.desk.published.photos] == written.shown
        assert files_there(services, written.shown) == [True] * 4

    def test_without_a_photo_nothing_is_published(self, services, me, written):
        for photo in written.shown:
            written.press("photo_remove", photo=photo)
        assert written.shown == []
        written.press("publish")
        assert written.desk.published is None
        assert written.said == ["The listing has no photo; add one and publish again."]
        assert list(services.media.ids()) == []

    def test_what_another_page_changed_is_shown_before_it_is_published(self, services, me, written):
        elsewhere = Tab(services)
        elsewhere.desk.view, elsewhere.desk.shots = written.desk.view, list(written.desk.shots)
        elsewhere.press("photo_remove", photo=written.shown[0])
        left = elsewhere.shown
        written.press("publish")
        assert written.desk.published is None
        assert len(written.said) == 1
        assert written.shown == left
        written.press("publish")
        assert [p.id for p in written.desk.published.photos] == left

    def test_while_it_is_written_its_photos_stay(self, build, tmp_path):
        services = build(pipeline=FakePipeline(delay=0.03))
        tab = Tab(services)
        tab.take(picture(1), picture(2), folder=tmp_path)
        tried = False
        for _ in tab.page.begin(tab.desk, "", tab.request):
            if not tried and tab.draft.category is not None:
                tried = True
                tab.press("photo_remove", photo=tab.shown[0])
                assert len(tab.said) == 1
                assert "being written" in tab.said[0]
                tab.take(picture(3), folder=tmp_path)
                assert len(tab.said) == 1
        assert tried
        assert tab.draft.state == "ready"
        assert len(tab.shown) == 2
        assert [p.id for p in tab.draft.photos] == tab.shown
        assert files_there(services, tab.shown) == [True, True]

    def test_another_tone_looks_again_only_where_photos_came_or_went(self, build, tmp_path):
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

    def test_each_change_counts_up_the_version(self, services, written):
        def version() -> int:
            with services.store.read() as session:
                return session.get(DraftRow, written.draft.draft_id).version

        seen = [version()]
        written.press("photo_move", photo=written.shown[0], to=1)
        seen.append(version())
        written.press("photo_remove", photo=written.shown[0])
        seen.append(version())
        written.write("Another note.")
        seen.append(version())
        assert seen == sorted(set(seen))


def proofs(tab: Tab) -> str:
    return draft_html(tab.draft, [], retrieval=True)


@dataclass
class Remembering(FakePipeline):
    """Notes of each run which photos it was given, and whether the facts of an earlier draft."""

    asked: list[tuple[list[str], bool]] = field(default_factory=list)

    def run(self, request):
        self.asked.append(([p.ref.id for p in request.photos], request.known is not None))
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


class TestEvidence:
    """The stand-in pipeline sees everything in the first photo."""

    def test_it_follows_its_photo_to_another_place(self, written):
        first = written.shown[0]
        written.press("photo_move", photo=first, to=2)
        html = proofs(written)
        assert f"--photo-{first}" in html
        assert not any(f"--photo-{other}" in html for other in written.shown[:2])
        assert "Part of photo 3" in html
        assert "Part of photo 1" not in html

    def test_it_says_that_its_photo_is_no_longer_there(self, services, me, written):
        first = written.shown[0]
        written.press("photo_remove", photo=first)
        html = proofs(written)
        assert 'class="crop"' not in html
        assert "Part of photo" not in html
        assert "a photo that is no longer here" in html
        body = services.drafts.get(me, written.draft.draft_id).draft
        assert first not in body.model_dump_json()
        assert {e.photo for a in body.attributes for e in a.evidence} == {None}

    def test_tips_name_the_photo_that_they_are_about(self, build, tmp_path):
        services = build(pipeline=Blurred())
        tab = Tab(services)
        tab.take(picture(1), picture(2), folder=tmp_path)
        tab.write()
        second = tab.shown[1]
        tab.press("photo_move", photo=second, to=0)
        assert tab.draft.quality.tips[0].startswith("Photo 1 is blurred")
        tab.press("photo_remove", photo=second)
        assert tab.draft.quality.tips == ["Add the size."]


def files(*seeds: int) -> list[tuple[str, tuple[str, bytes, str]]]:
    return [("photos", (f"{seed}.jpg", picture(seed), "image/jpeg")) for seed in seeds]


class TestForPrograms:
    @pytest.fixture
    def client(self, services):
        with client_of(services) as client:
            yield client

    @pytest.fixture
    def made(self, client):
        return client.post("/v1/drafts", files=files(1, 2, 3), data={"note": "Worn twice."}).json()

    def test_reorder_and_remove(self, client, services, made):
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

    def test_add(self, client, services, made):
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

    def test_no_photo_is_left(self, client, made):
        assert client.put(f"/v1/drafts/{made['id']}/photos", json={"photos": []}).json()["photos"] == []
        assert code(client.post("/v1/listings", json={"draft_id": made["id"]})) == (422, "no_photo")
        assert code(client.post(f"/v1/drafts/{made['id']}/write")) == (422, "photo_count")

    def test_write_again(self, client, made):
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
        assert code(client.post(address, json={"category": "spaceship"})) == (422, "bad_category")
        client.post("/v1/listings", json={"draft_id": made["id"]})
        assert code(client.post(address)) == (409, "published")

    def test_other_peoples_drafts_are_not_there(self, two):  # noqa: F811
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

    def test_while_it_is_written(self, build):
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


def test_a_full_disk_leaves_nothing_of_the_added_photos(services, monkeypatch):
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
