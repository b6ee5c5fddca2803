"""A draft's photos and its identity: what is on the screen is what is written about, stored and published."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from app.seller.draft_part import draft_html
from app.store import draft_repo
from app.views import AppError
from listing.intake.photos import intake
from listing.request import DraftEvent
from listing.schema import Quality
from tests.app.support.pictures import files_there, picture
from tests.app.support.tabs import Tab
from tests.fakes import FakePipeline


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
        assert files_there(services, [p.id for p in written.session.published.photos]) == [True] * 3

    def test_after_it_was_stopped(self, build, tmp_path):
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

    def test_after_its_server_ended_by_the_page_that_opens_it(self, build, me, tab, tmp_path):
        tab.take(picture(1), folder=tmp_path)
        tab.page.keep_note(tab.session, "Worn twice.", tab.request)
        draft = tab.draft.draft_id
        with tab.page.services.store.write() as session:
            draft_repo.set_state(session, draft, "working")
        again = Tab(build())
        again.request.query_params = {"draft": draft}
        again.page.enter(again.session, again.request)
        while again.session.busy:
            again.page.watch(again.session, again.request)
        assert (again.draft.draft_id, again.draft.state) == (draft, "ready")
        assert "Worn twice." in again.draft.description

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
        assert written.session.published is not None

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
        assert [p.id for p in written.session.published.photos] == written.shown
        assert away not in written.shown
        assert len(written.shown) == 2

    def test_without_a_photo_nothing_is_published(self, services, me, written):
        for photo in written.shown:
            written.press("photo_remove", photo=photo)
        assert written.shown == []
        written.press("publish")
        assert written.session.published is None
        assert written.said == ["The listing has no photo; add one and publish again."]
        assert list(services.media.ids()) == []

    def test_what_another_page_changed_is_shown_before_it_is_published(self, services, me, written):
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

    def test_while_it_is_written_its_photos_stay(self, build, tmp_path):
        services = build(pipeline=FakePipeline(delay=0.03))
        tab = Tab(services)
        tab.take(picture(1), picture(2), folder=tmp_path)
        tried = False
        for _ in tab.writing():
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


def test_photos_begin_no_draft_beside_fifty_unfinished_ones(services, me, tab, tmp_path):
    ids = [f"{number:032x}" for number in range(50)]
    with services.store.write() as session:
        for draft in ids:
            draft_repo.add_draft(session, draft, me, [], note="", tone="plain", state="stopped")
    tab.take(picture(1), folder=tmp_path)
    assert tab.said == ["You have 50 unfinished drafts; throw away or publish some of them first."]
    assert tab.shown == []
    assert list(services.media.folder.rglob("*.jpg")) == []
    services.drafts.abandon(me, ids[0])
    tab.take(picture(1), folder=tmp_path)
    assert tab.said == []
    assert len(tab.shown) == 1
