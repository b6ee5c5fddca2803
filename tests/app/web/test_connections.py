"""Whose connection makes room, where the moment matters: a real server meets these moments only by chance."""

from __future__ import annotations

from dataclasses import dataclass

from app.web.connections import Ledger


@dataclass(eq=False)
class Connection:
    address: str = "192.0.2.1"
    signed_in: bool = False
    counted: bool = True
    dropped: bool = False

    def drop(self) -> None:
        self.dropped = True


def test_first_requests_of_strangers_make_room_before_they_are_looked_at():
    ledger = Ledger(total=100, each=4)
    early, *strangers = (Connection() for _ in range(5))
    assert ledger.enter(early)
    ledger.known(early, True)
    ledger.idle(early, True)
    for each in strangers:
        assert ledger.enter(each)
        ledger.idle(each, False)  # the headers are there, nobody has asked yet who it is
    assert [each.dropped for each in (early, *strangers)] == [False, True, False, False, False]


def test_where_all_are_signed_in_the_idle_one_of_longest_makes_room():
    ledger = Ledger(total=100, each=4)
    early = [Connection(signed_in=True) for _ in range(4)]
    for each in early:
        assert ledger.enter(each)
        ledger.idle(each, True)
    assert ledger.enter(Connection())
    assert [each.dropped for each in early] == [True, False, False, False]


def test_who_was_signed_in_is_no_stranger_while_the_next_request_comes():
    ledger = Ledger(total=100, each=2)
    early, idle, newcomer = (Connection() for _ in range(3))
    for each in (early, idle):
        ledger.enter(each)
        ledger.known(each, True)
        ledger.idle(each, True)
    ledger.idle(early, False)
    assert ledger.enter(newcomer)
    assert (early.dropped, idle.dropped) == (False, True)
