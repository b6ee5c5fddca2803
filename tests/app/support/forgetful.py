"""``python forgetful.py HOME WHAT WORD``: deletes WHAT and is killed before the first photo's file goes."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from app.services import Services
from listing.intake.photos import intake
from tests.app.support.small_index import open_services
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
        post = services.posts.publish(me, intake([jpeg()])[0], f"About {word}", f"{word} again", "Hoodie", "care")
        Path.unlink = die  # type: ignore[method-assign, assignment]
        services.posts.withdraw(me, post.id)
        return
    draft = list(services.draft_writer.start(me, intake([jpeg()]), f"The note says {word}."))[-1].draft_id
    services.drafts.edit(me, draft, "title", f"Hoodie {word}")
    if what == "listing":
        listing = services.publisher.publish(me, draft, key=f"key {word}").id
        Path.unlink = die  # type: ignore[method-assign, assignment]
        services.publisher.delete(me, listing)
    elif what == "draft":
        Path.unlink = die  # type: ignore[method-assign, assignment]
        services.drafts.abandon(me, draft)


if __name__ == "__main__":
    delete(open_services(Path(sys.argv[1])), *sys.argv[2:])
