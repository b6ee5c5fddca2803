"""A model's server that says nothing: whoever stops, hangs up or has waited long enough frees the turn in the line."""

from __future__ import annotations

import os
import threading

import pytest

from listing.backends.openai import OpenAIBackend
from listing.intake.photos import intake
from tests.app.support.moments import becomes
from tests.app.support.silent_server import RemotePipeline, SilentServer
from tests.fakes import jpeg

SOON = 60.0
FAULTS = ("silent", "stalls", "drips")


@pytest.fixture
def server():
    with SilentServer() as server:
        yield server


@pytest.fixture
def services(build, server):
    backend = OpenAIBackend(server.url)
    yield build(pipeline=RemotePipeline(backend), draft_minutes=10)
    backend.close()


def begun(services, seller, server):
    """A draft whose request the server has taken and does not answer, and its views in a thread of their own."""
    run = services.draft_writer.start(seller, intake([jpeg()]))
    views = [next(run)]
    rest = threading.Thread(target=lambda: views.extend(run), daemon=True)
    rest.start()
    assert becomes(lambda: len(server.open) > 0)
    return views, rest


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
def test_stopping_frees_the_turn(services, me, server, mode):
    server.mode = mode
    views, rest = begun(services, me, server)
    services.drafts.stop(me, views[0].draft_id)
    rest.join(SOON)
    assert views[-1].state == "stopped"
    assert_free(services, server)


@pytest.mark.parametrize("mode", FAULTS)
def test_hanging_up_frees_the_turn(services, me, server, mode):
    server.mode = mode
    run = services.draft_writer.start(me, intake([jpeg()]))
    next(view for view in run if server.open and view.stage in (("facts",) if mode == "silent" else ("text",)))
    run.close()
    assert_free(services, server)


@pytest.mark.parametrize("mode", FAULTS)
def test_the_time_limit_frees_the_turn(build, server, mode):
    server.mode = mode
    services = build(pipeline=RemotePipeline(OpenAIBackend(server.url)), draft_minutes=1.5 / 60)
    views, rest = begun(services, services.sellers.only().id, server)
    rest.join(SOON)
    assert (views[-1].state, views[-1].problem.code) == ("failed", "too_slow")
    assert_free(services, server)


def test_nobody_watching_does_not_keep_the_turn(build, server):
    """A reader that neither reads on nor hangs up: the limit holds without anybody who asks for the next view."""
    services = build(pipeline=RemotePipeline(OpenAIBackend(server.url)), draft_minutes=1.5 / 60)
    run = services.draft_writer.start(services.sellers.only().id, intake([jpeg()]))
    next(run)
    assert becomes(lambda: len(server.open) > 0)
    assert becomes(lambda: len(services.queue) == 0)
    assert list(run)[-1].problem.code == "too_slow"


def test_nothing_is_left_of_twenty_such_drafts(services, me, server):
    def sockets():
        links = [os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]
        return sum(os.path.islink(link) and os.readlink(link).startswith("socket:") for link in links)

    def run(number):
        server.mode = FAULTS[number % 3]
        views, rest = begun(services, me, server)
        services.drafts.stop(me, views[0].draft_id)
        rest.join(SOON)
        assert becomes(lambda: len(services.queue) == 0 and not server.open)

    run(0)
    before = (threading.active_count(), sockets())
    for number in range(20):
        run(number)
    assert becomes(lambda: threading.active_count() <= before[0] and sockets() <= before[1]), (before, sockets())
    assert writes(services, server)
