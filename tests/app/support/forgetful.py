"""``python forgetful.py HOME WHAT WORD``: deletes WHAT and is killed before the first photo's file goes."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from app import handlers
from app.market import posts
from app.services import Services
from listing.intake.photos import intake
from tests.app.kills.crash_writer import open_services
from tests.fakes import jpeg


def die(path: Path, missing_ok: bool = False) -> None:
    """In the place of ``Path.unlink``: kill this process once a stored photo is to go."""
    if path.suffix == ".jpg":
        os.kill(os.getpid(), signal.SIGKILL)
    os.unlink(path)


def delete(services: Services, what: str, word: str) -> None:
    """Make a listing, a draft or a post that holds the word, and delete it."""
    me = services.sellers.only().id
    if what == "post":
        post = posts.publish(services, me, intake([jpeg()])[0], f"About {word}", f"{word} again", "Hoodie", "care")
        Path.unlink = die  # type: ignore[method-assign, assignment]
        posts.withdraw(services, me, post.id)
        return
    draft = list(handlers.start_draft(services, me, intake([jpeg()]), f"The note says {word}."))[-1].draft_id
    handlers.edit_field(services, me, draft, "title", f"Hoodie {word}")
    if what == "listing":
        listing = handlers.publish(services, me, draft, key=f"key {word}").id
        Path.unlink = die  # type: ignore[method-assign, assignment]
        handlers.delete(services, me, listing)
    elif what == "draft":
        Path.unlink = die  # type: ignore[method-assign, assignment]
        handlers.abandon(services, me, draft)


if __name__ == "__main__":
    delete(open_services(Path(sys.argv[1])), *sys.argv[2:])
