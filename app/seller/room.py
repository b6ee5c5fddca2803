"""A draft for which the waiting line has no room: it begins by itself, whoever looks on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

from app.seller.session import SellerSession
from app.views import Busy, DraftView

PAUSE_SECONDS = 1.0  # between two tries


def with_room(
    session: SellerSession, views: Callable[[Mapping[str, str]], Iterator[DraftView]]
) -> Iterator[DraftView | None]:
    """The views of a writing; before them None each time that the line has no room.

    Another press that writes, stops or leaves the draft ends the wait.
    ``views`` begins to write, with the note of then.
    """
    run, latest = session.runs, dict[str, str]()
    while True:
        try:
            begun = views(latest)
            break
        except Busy as error:
            session.waits = str(error)
            yield None
        time.sleep(PAUSE_SECONDS)
        if not session.waits or session.runs != run or session.view is None:
            return
        latest = {"note": session.view.note}
    session.waits = ""
    yield from begun
