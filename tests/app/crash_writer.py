"""Publishes, changes and deletes without end until it is killed; says each thing that it was promised.

``python tests/app/crash_writer.py HOME``. The index is a real one on disk; only its vectors are small.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from app import handlers
from app.services import Services, build_services
from app.settings import Settings
from listing.photos import intake
from tests.fakes import FakePipeline, jpeg


class SmallEncoders:
    """Vectors of 8 numbers from the bytes; the index does not care what they mean."""

    def __init__(self) -> None:
        from rag_index.manifest import EncoderInfo, EncodersInfo

        one = EncoderInfo(model="small", revision="1", dimensions=8)
        self.info = EncodersInfo(image=one, text=one)

    def image_vectors(self, photos: Sequence[object]) -> np.ndarray:
        return np.stack([_vector(np.asarray(p).tobytes()) for p in photos])

    def text_vectors(self, texts: Sequence[str]) -> np.ndarray:
        return np.stack([_vector(t.encode()) for t in texts])


def _vector(data: bytes) -> np.ndarray:
    numbers = np.random.default_rng(int.from_bytes(hashlib.sha256(data).digest()[:8], "big")).normal(size=8)
    return (numbers / np.linalg.norm(numbers)).astype(np.float32)


def open_services(home: Path) -> Services:
    """Services on the store and the index in ``home``, as a start of the server would open them."""
    settings = Settings(home=home)
    from app.chroma_index import ChromaSearchIndex
    from rag_index.errors import IndexMissing
    from rag_index.index import ListingIndex, build

    encoders = SmallEncoders()
    try:
        index = ListingIndex.open(home / "index", encoders.info)
    except IndexMissing:
        build([], home / "index", encoders.info)
        index = ListingIndex.open(home / "index", encoders.info)
    past = SimpleNamespace(index=index, encoders=encoders)
    return build_services(settings, pipeline=FakePipeline(), index=ChromaSearchIndex(past))


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
        draft = list(handlers.start_draft(services, me, photos))[-1].draft_id
        say("wish", draft=draft)
        listing = handlers.publish(services, me, draft, key=draft)
        say("published", draft=draft, listing=listing.id)
        if dice.random() < 0.3:
            title = "changed " + " ".join(dice.choices(WORDS, k=4))
            handlers.edit_listing(services, me, listing.id, {"title": title})
            say("changed", listing=listing.id, title=title)
        elif dice.random() < 0.4:
            say("deleting", listing=listing.id)
            handlers.delete(services, me, listing.id)
            say("deleted", listing=listing.id)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
