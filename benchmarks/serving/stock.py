"""Items on sale in the store of a server that does not run."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np

from app.accounts.sellers import Sellers
from app.settings import load_settings
from app.store.db import open_store
from app.store.tables import ListingRow, SellerRow, now
from listing.taxonomy import load_taxonomy

COLOURS = ("navy", "black", "white", "red", "green", "grey")


def fill(home: Path, listings: int, seed: int, store: str | None = None) -> None:
    """Listings of fifty sellers, published over the last two days; ``store``: an address other than the home's."""
    rng, place = np.random.default_rng(seed), open_store(store or load_settings(home=home).store_url)
    Sellers(place, None).named("me")
    categories = sorted(load_taxonomy().categories)
    with place.write() as session:
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
    place.engine.dispose()
