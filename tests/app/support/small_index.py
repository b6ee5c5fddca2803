"""A real index with small encoders: texts are near each other by the words they share, photos by being the same.

``delete_and_die(HOME, WHAT, WORD)`` deletes WHAT and is killed before the first photo's file goes.
"""

from __future__ import annotations

import hashlib
import os
import re
import signal
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from app.market.chroma_index import ChromaSearchIndex
from app.services import Services
from app.settings import Settings
from listing.intake.photos import intake
from listing.observe.past_listings import PastListings
from listing.safety.contacts import sure_contact
from listing.taxonomy import load_taxonomy
from rag_index import EncoderInfo, EncodersInfo, IndexMissing, ListingIndex, build
from tests.fakes import FakePipeline, jpeg

SIZE = 64


class SmallEncoders:
    """Vectors of 64 numbers: of a photo from its bytes, of a text the sum of its words' vectors."""

    batch_size = 32

    def __init__(self) -> None:
        one = EncoderInfo(model="small", revision="2", dimensions=SIZE)
        self.info = EncodersInfo(image=one, text=one)

    def image_vectors(self, photos: Sequence[object]) -> np.ndarray:
        return np.stack([_unit(_drawn(np.asarray(p).tobytes())) for p in photos])

    def text_vectors(self, texts: Sequence[str]) -> np.ndarray:
        return np.stack([_unit(sum(_drawn(w.encode()) for w in _words(t))) for t in texts])


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower()) or [text]


def _drawn(data: bytes) -> np.ndarray:
    seed = int.from_bytes(hashlib.sha256(data).digest()[:8], "big")
    return np.random.default_rng(seed).normal(size=SIZE)


def _unit(numbers: np.ndarray) -> np.ndarray:
    return (numbers / np.linalg.norm(numbers)).astype(np.float32)


def open_index(location: str | Path) -> ChromaSearchIndex:
    """The index in a folder or at a server's address; an empty one is made where there is none."""
    encoders = SmallEncoders()
    try:
        index = ListingIndex.open(location, encoders.info, contact_check=sure_contact)
    except IndexMissing:
        build([], location, encoders.info)
        index = ListingIndex.open(location, encoders.info, contact_check=sure_contact)
    return ChromaSearchIndex(PastListings(index, encoders, load_taxonomy()))  # type: ignore[arg-type]


def open_services(home: Path) -> Services:
    """Services on the store and the index in ``home``, as a start of the server would open them."""
    return Services(Settings(home=home), pipeline=FakePipeline(), index=open_index(home / "index"))


def titles_in(index: ChromaSearchIndex) -> dict[str, str]:
    """The title of every listing in the index."""
    return {record.listing_id: record.text.split("\n")[0] for record in index.past.index.records()}


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


def delete_and_die(home: str, what: str, word: str) -> None:
    delete(open_services(Path(home)), what, word)
