"""Items on sale in the store of a server that does not run, and a log of several days that is played in minutes.

    python -m benchmarks.serving.stock fill --home HOME --listings 2000    # an empty home, before the server starts
    python -m benchmarks.serving.stock age --home HOME --hours 24          # all that was written so far, into the past

Visitors who look, click and buy come with ``benchmarks.serving.load --url URL --pid PID``.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
from sqlalchemy import select

from app.accounts.sellers import Sellers
from app.settings import load_settings
from app.store.db import Store, open_store
from app.store.tables import FeedEventRow, FeedPageRow, FeedRow, ListingRow, OrderRow, SellerRow, now
from benchmarks.common import arguments
from listing.taxonomy import load_taxonomy

COLOURS = ("navy", "black", "white", "red", "green", "grey")


def fill(home: Path, listings: int, seed: int, store: str | None = None) -> None:
    """Listings of fifty sellers, published over the last two days; ``store``: an address other than the home's."""
    _fill(open_store(store or load_settings(home=home).store_url), listings, np.random.default_rng(seed))


def _fill(store: Store, listings: int, rng: np.random.Generator) -> None:
    Sellers(store, None).named("me")
    categories = sorted(load_taxonomy().categories)
    with store.write() as session:
        session.add_all([SellerRow(id=f"seller{n:03d}", name=f"seller{n:03d}") for n in range(50)])
        session.flush()
        for n in range(listings):
            category, colour = str(rng.choice(categories)), str(rng.choice(COLOURS))
            session.add(
                ListingRow(
                    id=f"ipl-{n:024d}",
                    seller_id=f"seller{int(rng.integers(50)):03d}",
                    category=category,
                    title=f"{colour.capitalize()} {category.lower()}",
                    description=f"{colour.capitalize()} {category.lower()}, worn a few times.",
                    attributes={"colour": colour},
                    price=round(float(rng.lognormal(2.7, 0.6)), 2),
                    currency="EUR",
                    stock=1 if rng.random() < 0.85 else 8,
                    published_at=now() - timedelta(hours=float(rng.uniform(0, 47))),
                )
            )
    store.engine.dispose()


def age(home: Path, hours: float) -> None:
    """Move pages, events, orders and the listings' publishing into the past."""
    store = open_store(load_settings(home=home).store_url)
    by = timedelta(hours=hours)
    with store.write() as session:
        moved = {
            FeedPageRow: ["at"],
            FeedRow: ["seen_at"],
            FeedEventRow: ["at"],
            OrderRow: ["at", "completed_at", "refunded_at"],
            ListingRow: ["published_at", "created_at"],
        }
        for table, names in moved.items():
            for row in session.scalars(select(table)):
                for name in names:
                    if getattr(row, name) is not None:
                        setattr(row, name, getattr(row, name) - by)
    store.engine.dispose()


def main() -> None:
    parser = arguments(__doc__, listings=2_000, hours=24.0)
    parser.add_argument("what", choices=("fill", "age"))
    parser.add_argument("--home", type=Path, required=True)
    args = parser.parse_args()
    if args.what == "fill":
        fill(args.home, args.listings, seed=0)
    else:
        age(args.home, args.hours)


if __name__ == "__main__":
    main()
