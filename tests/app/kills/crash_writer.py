"""Publishes, changes and deletes without end until it is killed; says each thing that it was promised.

``python tests/app/kills/crash_writer.py HOME``. The index is a real one on disk; only its vectors are small.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

from app.services import Services
from app.settings import Settings
from listing.intake.photos import intake
from tests.app.support.small_index import open_index
from tests.fakes import FakePipeline, jpeg


def open_services(home: Path) -> Services:
    """Services on the store and the index in ``home``, as a start of the server would open them."""
    return Services(Settings(home=home), pipeline=FakePipeline(), index=open_index(home / "index"))


WORDS = ("navy", "soft", "warm", "zip", "hooded", "plain", "long", "short")


def say(kind: str, **what: str) -> None:
    """A promise: what is said here was confirmed to the caller and must survive."""
    print(json.dumps({"kind": kind, **what}), flush=True)


def main(home: Path) -> None:
    services = open_services(home)
    me = services.sellers.only().id
    dice = random.Random()
    say("ready")
    while True:
        photos = intake([jpeg((dice.randrange(200), dice.randrange(200), dice.randrange(200)))])
        draft = list(services.draft_writer.start(me, photos))[-1].draft_id
        say("wish", draft=draft)
        listing = services.publisher.publish(me, draft, key=draft)
        say("published", draft=draft, listing=listing.id)
        if dice.random() < 0.3:
            title = "changed " + " ".join(dice.choices(WORDS, k=4))
            services.publisher.change(me, listing.id, {"title": title})
            say("changed", listing=listing.id, title=title)
        elif dice.random() < 0.4:
            say("deleting", listing=listing.id)
            services.publisher.delete(me, listing.id)
            say("deleted", listing=listing.id)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
