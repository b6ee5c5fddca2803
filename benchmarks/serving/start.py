"""Start of a server with many items on sale: seconds and CPU seconds of its services, no model loaded.

    python -m benchmarks.serving.start [--listings 20000]

Store and index are filled first (``benchmarks.serving.stock``; image vectors drawn at random, no photos). ``first``:
the feed writes down its facts of each item; ``again``: it reads that.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

import numpy as np
from sqlalchemy import select

from app.market.chroma_index import ChromaSearchIndex
from app.services import Services
from app.settings import Settings
from app.store.db import open_store
from app.store.tables import ListingRow
from benchmarks.common import arguments, machine
from benchmarks.serving.stock import fill
from listing.home import ipl_home
from listing.observe.past_listings import PastListings
from listing.taxonomy import load_taxonomy
from rag_index import IndexRecord, build, default_encoders, default_location
from tests.fakes import FakePipeline


def fill_index(home: Path, seed: int) -> None:
    """A photo's vector of each listing of the store."""
    rng, encoders = np.random.default_rng(seed), default_encoders(home)
    size = encoders.info.image.dimensions
    store = open_store(Settings(home=home).store_url)
    with store.read() as session:
        rows = session.execute(select(ListingRow.id, ListingRow.seller_id, ListingRow.category, ListingRow.title)).all()
    store.engine.dispose()

    def record(listing: str, seller: str, category: str, title: str) -> IndexRecord:
        vector = rng.standard_normal(size)
        return IndexRecord(
            listing_id=listing,
            seller_id=seller,
            category=category,
            phashes=["0" * 16],
            image_vectors=[(vector / np.linalg.norm(vector)).tolist()],
            text=title,
            text_vector=None,
            origin="user",
        )

    build((record(*row) for row in rows), default_location(home), encoders.info)


def start(home: Path) -> dict[str, float]:
    """Open the services of a home once; CPU seconds count all threads."""
    past = PastListings.open(home, load_taxonomy())
    began, cpu = time.perf_counter(), time.process_time()
    services = Services(Settings(home=home), pipeline=FakePipeline(), index=ChromaSearchIndex(past))
    times = {"s": time.perf_counter() - began, "cpu_s": time.process_time() - cpu}
    live = len(services.feed.feed.catalog)
    services.close()
    return {**{name: round(value, 2) for name, value in times.items()}, "on_sale": live}


def main() -> None:
    args = arguments(__doc__, listings=20_000, seed=0).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for name in ("models", "wheels"):
            (home / name).symlink_to(ipl_home() / name)
        fill(home, args.listings, args.seed)
        fill_index(home, args.seed)
        times = {when: start(home) for when in ("first", "again")}
    print(json.dumps({**times, **machine()}))


if __name__ == "__main__":
    main()
