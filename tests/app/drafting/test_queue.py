"""The waiting line: as many at once as the model allows, fair, bounded; a silent or late model keeps no turn."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.drafting.late_pipeline import LatePipeline
from app.drafting.queue import DraftQueue
from app.seller.actions import Actions
from app.seller.renderer import PageRenderer
from app.seller.session import SellerSession
from app.services import Services
from app.settings import Settings
from app.views import AppError, Busy
from listing.backends.base import BackendError
from listing.backends.openai import OpenAIBackend
from listing.backends.stopping import Stopped, never, stop_when
from listing.errors import IplError
from listing.intake.photos import intake
from listing.request import DraftRequest, Event, StageEvent
from tests.app.support.clients import becomes
from tests.app.support.local_servers import RemotePipeline, SilentServer
from tests.app.support.small_index import SmallEncoders
from tests.app.support.tabs import Tab
from tests.fakes import FakePipeline, jpeg
from tests.forked import Forked, ipl

pytestmark = pytest.mark.slow


def line(length=9, per_seller=9):
    return DraftQueue(length, per_seller, 10.0)


def served(queue, tickets):
    """Names in the order in which they get their turn."""
    order = []
    while tickets:
        ticket = next(t for t in tickets if queue.wait(t, 0) == 0)
        order.append(ticket.name)
        queue.leave(ticket, finished=True)
        tickets.remove(ticket)
    return order


def test_sellers_are_served_in_turns():
    queue = line()
    tickets = [queue.join(name, name[0]) for name in ("a1", "a2", "a3", "b1", "c1", "b2")]
    assert queue.wait(tickets[0], 0) == 0
    assert served(queue, tickets) == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_a_late_seller_skips_old_rounds():
    queue = line()
    for number in range(5):
        ticket = queue.join(f"a{number}", "a")
        assert queue.wait(ticket, 0) == 0
        queue.leave(ticket)
    running = queue.join("a5", "a")
    assert queue.wait(running, 0) == 0
    more, late = queue.join("a6", "a"), queue.join("b", "b")
    assert (queue.wait(late, 0), queue.wait(more, 0)) == (1, 2)


def test_a_full_line_says_when_to_come_back():
    queue = line(length=2)
    running = queue.join("r", "r")
    queue.wait(running, 0)
    for name in "ab":
        queue.join(name, name)
    with pytest.raises(Busy, match="in about") as caught:
        queue.join("c", "c")
    assert caught.value.http_status == 429
    assert caught.value.retry_after >= 1
    assert len(queue) == 3
    queue = line(per_seller=2)  # one seller cannot fill it, and no draft is written twice at once
    for name in "ab":
        queue.join(name, "x")
    with pytest.raises(Busy):
        queue.join("c", "x")
    queue.join("d", "y")
    with pytest.raises(AppError, match="right now"):
        queue.join("d", "y")


def test_time_left_follows_what_was_measured():
    now = [0.0]
    queue = DraftQueue(9, 9, 100.0, clock=lambda: now[0])
    for number in range(20):
        ticket = queue.join(str(number), "x")
        queue.wait(ticket, 0)
        now[0] += 10
        queue.leave(ticket, finished=True)
    first, second = queue.join("a", "x"), queue.join("b", "y")
    queue.wait(first, 0)
    assert queue.seconds_left(first, 0.0) == pytest.approx(10, rel=0.1)
    assert queue.seconds_left(second, 0.0) == pytest.approx(20, rel=0.1)
    now[0] += 5
    assert queue.seconds_left(second, 0.0) == pytest.approx(15, rel=0.1)


def test_time_left_goes_by_the_photos():
    now = [0.0]
    queue = DraftQueue(9, 9, 100.0, clock=lambda: now[0])

    def write(photos):
        ticket = queue.join(f"of {photos}", "x", photos)
        queue.wait(ticket, 0)
        says = queue.seconds_left(ticket, 0.0)
        now[0] += 1 + 2 * photos
        queue.leave(ticket, finished=True)
        return says

    assert write(1) == 100, "nothing is known yet"
    assert [write(1), write(8)] == [pytest.approx(3), pytest.approx(24)], "by the photos alone"
    assert [write(8), write(4), write(1)] == [pytest.approx(17), pytest.approx(9), pytest.approx(3)]


@pytest.mark.stores
def test_the_second_person_sees_a_position_at_once(build):
    pipeline = FakePipeline(hold_at="category")
    services = build(pipeline=pipeline)
    one, two = services.sellers.named("one").id, services.sellers.named("two").id
    first = services.draft_writer.start(one, intake([jpeg()]))
    next(first)
    rest = threading.Thread(target=lambda: list(first))
    rest.start()
    second = services.draft_writer.start(two, intake([jpeg()]))
    view = next(second)
    assert (view.state, view.position) == ("queued", 1)
    assert view.seconds_left > 0
    page = SellerSession()
    page.view = view
    assert "You are second in line" in PageRenderer(services).status(page)
    pipeline.go_on.set()
    states = [v.state for v in second]
    rest.join()
    assert states[-1] == "ready"
    assert services.pipeline.most_running == 1


def test_as_many_run_as_the_model_allows():
    queue = DraftQueue(9, 9, 10.0, at_once=3)
    tickets = [queue.join(str(n), str(n)) for n in range(8)]
    assert [queue.wait(t, 0) for t in tickets] == [0, 0, 0, 1, 2, 3, 4, 5]
    assert queue.seconds_left(tickets[3], 0.0) == pytest.approx(20, abs=0.1)
    assert queue.seconds_left(tickets[7], 0.0) == pytest.approx(30, abs=0.1), "the third round"
    queue.leave(tickets[1])
    assert [queue.wait(t, 0) for t in tickets[2:5]] == [0, 0, 1]


def test_who_leaves_lets_the_next_in():
    queue = DraftQueue(9, 9, 10.0, at_once=2)
    first, second, third = (queue.join(name, name) for name in "abc")
    assert [queue.wait(t, 0) for t in (first, second, third)] == [0, 0, 1]
    threading.Timer(0.05, queue.leave, [second]).start()
    begun = time.monotonic()
    assert queue.wait(third, 250) == 0
    assert time.monotonic() - begun < 100


@pytest.mark.stores
def test_eight_sellers_are_served_at_once(build):
    services = build(pipeline=FakePipeline(delay=0.05, concurrency=8))
    runs = [
        services.draft_writer.start(services.sellers.named(f"seller-{n}").id, intake([jpeg((n, 0, 0))]))
        for n in range(8)
    ]
    states = [""] * 8

    def follow(number):
        states[number] = [view.state for view in runs[number]][-1]

    threads = [threading.Thread(target=follow, args=[n]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert states == ["ready"] * 8
    assert services.pipeline.most_running == 8


@pytest.mark.stores
def test_a_refused_draft_leaves_nothing_behind(build):
    services = build(queue_length=1)
    services.queue.wait(services.queue.join("running", "a"), 0)
    services.queue.join("waiting", "b")
    with pytest.raises(Busy):
        services.draft_writer.start(services.sellers.only().id, intake([jpeg()]))
    assert list(services.media.ids()) == []


@pytest.mark.stores
def test_a_stopped_run_leaves_the_next_alone(build, photos):
    services = build(pipeline=FakePipeline(delay=0.05))
    me = services.sellers.only().id
    other = services.draft_writer.start(me, intake([jpeg((9, 9, 99))]))
    next(other)  # has the turn
    first = services.draft_writer.start(me, photos)
    draft = next(first).draft_id
    services.drafts.stop(me, draft)
    while next(first).state != "stopped":  # held by a slow reader
        pass
    second = services.draft_writer.write_again(me, draft)
    assert next(second).state == "queued"
    first.close()
    assert services.drafts.get(me, draft).state == "queued"
    for run in (second, other):
        run.close()


SOON = 60.0
FAULTS = ("silent", "stalls", "drips")


@pytest.fixture
def server():
    with SilentServer() as server:
        yield server


def begun(services, seller, server):
    """A draft whose request the server has taken and does not answer, and its views in a thread of their own."""
    run = services.draft_writer.start(seller, intake([jpeg()]))
    views = [next(run)]
    rest = threading.Thread(target=lambda: views.extend(run), daemon=True)
    rest.start()
    assert becomes(lambda: len(server.open) > 0)
    return views, rest


def sockets():
    links = [os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]
    return sum(os.path.islink(link) and os.readlink(link).startswith("socket:") for link in links)


def writes(services, server):
    """Whether another seller's draft is written now."""
    server.mode = "answers"
    other = services.sellers.named("other").id
    views = []
    run = services.draft_writer.start(other, intake([jpeg((9, 99, 9))]))
    thread = threading.Thread(target=lambda: views.extend(run), daemon=True)
    thread.start()
    thread.join(SOON)
    return bool(views) and views[-1].state == "ready"


def assert_free(services, server):
    """The turn is given back, the request is cut, not only forgotten, and the next draft is written."""
    assert becomes(lambda: len(services.queue) == 0)
    assert becomes(lambda: not server.open)
    assert writes(services, server)


@pytest.mark.parametrize("mode", FAULTS)
def test_a_silent_model_keeps_no_turn(build, server, mode):
    """Whoever stops, hangs up or has waited long enough frees it, watched or not; nothing is left of such drafts."""
    with closing(OpenAIBackend(server.url)) as backend:
        services = build(pipeline=RemotePipeline(backend), draft_minutes=10)
        me = services.sellers.only().id
        before = None
        for _ in range(4):
            server.mode = mode
            views, rest = begun(services, me, server)
            services.drafts.stop(me, views[0].draft_id)
            rest.join(SOON)
            assert views[-1].state == "stopped"
            assert becomes(lambda: len(services.queue) == 0 and not server.open)
            before = before or (threading.active_count(), sockets())
        assert becomes(lambda: threading.active_count() <= before[0] and sockets() <= before[1]), (before, sockets())
        run = services.draft_writer.start(me, intake([jpeg()]))
        next(view for view in run if server.open and view.stage in (("facts",) if mode == "silent" else ("text",)))
        run.close()
        assert_free(services, server)
        server.mode = mode
        services = build(pipeline=RemotePipeline(backend), draft_minutes=1.5 / 60)
        views, rest = begun(services, me, server)
        rest.join(SOON)
        assert (views[-1].state, views[-1].problem.code) == ("failed", "too_slow")
        assert_free(services, server)
        server.mode = mode
        run = services.draft_writer.start(me, intake([jpeg()]))
        next(run)  # a reader that neither reads on nor hangs up
        assert becomes(lambda: len(server.open) > 0)
        assert becomes(lambda: len(services.queue) == 0)
        assert list(run)[-1].problem.code == "too_slow"


ROOT = Path(__file__).resolve().parents[3]
REQUEST = DraftRequest(photos=())
STAGE = StageEvent(stage="category", share=0.05)


class Ready:
    concurrency = 1
    backend = SimpleNamespace(name="ipl-mini")
    parts = SimpleNamespace(rules=SimpleNamespace(keep=lambda folder: None), alone=None, backend=backend)

    def run(self, request: DraftRequest) -> Iterator[Event]:
        yield STAGE


def test_a_draft_waits_until_the_pipeline_is_loaded() -> None:
    loaded, built = threading.Event(), []

    def build() -> Ready:
        loaded.wait(10)
        built.append(1)
        return Ready()

    late = LatePipeline(build, 1)
    events: list[Event] = []
    asking = threading.Thread(target=lambda: events.extend(late.run(REQUEST)))
    asking.start()
    asking.join(0.3)
    assert asking.is_alive()
    loaded.set()
    asking.join(10)
    assert events == [STAGE]
    late.start()
    assert list(late.run(REQUEST)) == [STAGE]
    assert built == [1]
    late.close()


def test_drafts_do_not_wait_for_what_loads_afterwards() -> None:
    written, loaded = threading.Event(), []

    def afterwards() -> None:
        assert written.wait(60)
        loaded.append(1)
        raise IplError("There is no encoder.")

    late = LatePipeline(Ready, 1, afterwards)
    assert list(late.run(REQUEST)) == [STAGE]
    written.set()
    late.close()
    assert loaded == [1]
    assert list(late.run(REQUEST)) == [STAGE]


def test_the_encoder_of_searches_is_loaded_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []

    class Encoders(SmallEncoders):
        text_model = property(lambda _: loaded.append("encoder"))

    monkeypatch.setattr("rag_index.default_encoders", lambda _: Encoders())
    monkeypatch.setattr("listing.pipeline.build_pipeline", lambda *_: loaded.append("pipeline") or Ready())
    services = Services(Settings(home=tmp_path, model="some/model"))
    assert services.late is not None
    assert loaded == []
    services.late.start()
    services.close()
    assert loaded == ["pipeline", "encoder"]


def test_an_unwanted_draft_does_not_wait() -> None:
    loaded = threading.Event()
    late = LatePipeline(lambda: loaded.wait(10) and Ready(), 1)
    stop_when(lambda: True)
    try:
        with pytest.raises(Stopped, match="before the model was loaded"):
            next(late.run(REQUEST))
    finally:
        stop_when(never)
        loaded.set()
        late.close()


def test_a_failed_load_stops_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))

    def build() -> Ready:
        raise BackendError("no such model")

    late = LatePipeline(build, 1)
    with pytest.raises(BackendError, match="cannot be loaded") as said:
        next(late.run(REQUEST))
    assert not isinstance(said.value, Stopped), "a draft would be told that it took too long"
    late.close()
    assert str(late.failure) == "no such model"
    assert sent == [(os.getpid(), signal.SIGTERM)]


@pytest.mark.server
def test_a_server_without_a_model_ends(tmp_path: Path) -> None:
    arguments = ("serve", "--port", "0", "--no-rag", "--model", str(tmp_path))
    process = Forked(ipl, *arguments, IPL_HOME=str(tmp_path / "home"), IPL_SETUP="0")
    try:
        assert process.wait(200) == 1, process.said()
        assert process.said().strip().splitlines()[-1].startswith("ipl: ")
        assert "Traceback" not in process.said()
    finally:
        process.kill()


def test_a_page_for_which_there_is_no_room_says_so_and_goes_on_by_itself(build, tmp_path):
    pipeline = FakePipeline(hold_at="text")
    services = build(pipeline=pipeline, queue_length=7)
    first, second = Tab(services), Tab(services)
    for tab in (first, second):
        tab.take(jpeg(), folder=tmp_path)
        tab.press("write", note="Worn twice.")
    assert first.session.busy
    assert (second.session.busy, second.said) == (False, [])
    said = re.sub("<[^>]+>", " ", PageRenderer(services).status(second.session))
    assert "It begins by itself" in said
    assert "of your drafts are being written" in said
    assert "Many people" not in said
    second.hear(Actions.keep_note, "Worn once.")
    pipeline.go_on.set()
    assert becomes(lambda: second.draft.state == "ready" and not second.session.moves)
    assert "Worn once." in second.draft.description
    assert second.said == []

    pipeline.go_on.clear()
    for tab in (first, second):
        tab.press("write")
    tab.press("again")  # left: nothing begins
    pipeline.go_on.set()
    assert becomes(lambda: not second.session.writes)
    assert pipeline.runs == 3
