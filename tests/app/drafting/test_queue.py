"""The waiting line: as many at once as the model allows, fair, bounded."""

from __future__ import annotations

import threading
import time

import pytest

from app.drafting.queue import DraftQueue
from app.views import AppError, Busy
from listing.intake.photos import intake
from tests.fakes import FakePipeline, jpeg

pytestmark = pytest.mark.stores


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


def test_a_second_seller_is_served_before_the_third_draft_of_the_first():
    queue = line()
    tickets = [queue.join(name, name[0]) for name in ("a1", "a2", "a3", "b1", "c1", "b2")]
    assert queue.wait(tickets[0], 0) == 0
    assert served(queue, tickets) == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_a_late_seller_does_not_wait_for_old_rounds():
    queue = line()
    for number in range(5):
        ticket = queue.join(f"a{number}", "a")
        assert queue.wait(ticket, 0) == 0
        queue.leave(ticket)
    running = queue.join("a5", "a")
    assert queue.wait(running, 0) == 0
    more, late = queue.join("a6", "a"), queue.join("b", "b")
    assert (queue.wait(late, 0), queue.wait(more, 0)) == (1, 2)


def test_positions_count_the_drafts_before():
    queue = line()
    tickets = [queue.join(str(n), str(n)) for n in range(4)]
    assert [queue.wait(t, 0) for t in tickets] == [0, 1, 2, 3]
    queue.leave(tickets[1])
    assert [queue.wait(t, 0) for t in (tickets[2], tickets[3])] == [1, 2]


def test_a_full_line_says_when_to_come_back():
    queue = line(length=2)
    running = queue.join("r", "r")
    queue.wait(running, 0)
    for name in "ab":
        queue.join(name, name)
    with pytest.raises(Busy, match="try again in about") as caught:
        queue.join("c", "c")
    assert caught.value.http_status == 429
    assert caught.value.retry_after >= 1
    assert len(queue) == 3


def test_one_seller_cannot_fill_the_line():
    queue = line(per_seller=2)
    for name in "ab":
        queue.join(name, "x")
    with pytest.raises(Busy):
        queue.join("c", "x")
    queue.join("d", "y")


def test_one_draft_is_not_written_twice_at_once():
    queue = line()
    queue.join("a", "x")
    with pytest.raises(AppError, match="right now"):
        queue.join("a", "x")


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


def test_the_second_person_sees_a_position_at_once_and_the_model_works_on_one_draft(build):
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
    pipeline.go_on.set()
    states = [v.state for v in second]
    rest.join()
    assert states[-1] == "ready"
    assert services.pipeline.most_running == 1


def test_as_many_run_at_once_as_the_model_allows():
    queue = DraftQueue(9, 9, 10.0, at_once=3)
    tickets = [queue.join(str(n), str(n)) for n in range(8)]
    assert [queue.wait(t, 0) for t in tickets] == [0, 0, 0, 1, 2, 3, 4, 5]
    assert queue.seconds_left(tickets[3], 0.0) == pytest.approx(20, abs=0.1)
    assert queue.seconds_left(tickets[7], 0.0) == pytest.approx(30, abs=0.1), "the third round"
    queue.leave(tickets[1])
    assert [queue.wait(t, 0) for t in tickets[2:5]] == [0, 0, 1]


def test_one_who_leaves_lets_the_next_one_in_at_once():
    queue = DraftQueue(9, 9, 10.0, at_once=2)
    first, second, third = (queue.join(name, name) for name in "abc")
    assert [queue.wait(t, 0) for t in (first, second, third)] == [0, 0, 1]
    threading.Timer(0.05, queue.leave, [second]).start()
    begun = time.monotonic()
    assert queue.wait(third, 250) == 0
    assert time.monotonic() - begun < 100


def test_eight_sellers_are_served_at_once(build):
    services = build(pipeline=FakePipeline(delay=0.05, concurrency=8), queue_per_seller=1)
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


def test_a_refused_draft_leaves_nothing_behind(build):
    services = build(queue_length=1)
    services.queue.wait(services.queue.join("running", "a"), 0)
    services.queue.join("waiting", "b")
    with pytest.raises(Busy):
        services.draft_writer.start(services.sellers.only().id, intake([jpeg()]))
    assert list(services.media.ids()) == []


def test_a_run_that_was_stopped_says_nothing_of_the_next_one(build, photos):
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
