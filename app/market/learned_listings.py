"""Published listings, as sellers confirmed them: rows beside the table that a shop was learned from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.store import listing_repo
from app.store.db import Store
from app.store.media import Media
from rag_index.imports.columns import Columns
from rag_index.imports.tables import RawRow, read_rows


def published_rows(store: Store, media: Media, columns: Columns, photos: Path) -> Iterator[dict[str, Any]]:
    """Published listings as cells of a table's columns; their photos are linked to in the folder ``photos``.

    A listing holds what its seller left as it was, corrected or added: a published draft is confirmed.
    """
    photos.mkdir(parents=True, exist_ok=True)
    with store.read() as session:
        listings = listing_repo.to_listings(
            session, listing_repo.by_ids(session, sorted(listing_repo.indexed_ids(session)))
        )
    for listing in listings:
        names = []
        for photo in listing.photos:
            link = photos / f"{photo.id}.jpg"
            if not link.is_symlink():
                link.symlink_to(media.path(photo.id).resolve())
            names.append(f"{photos.name}/{link.name}")
        fields = {
            "listing_id": listing.id, "seller_id": listing.seller_id, "category": listing.category,
            "title": listing.title, "description": listing.description, "price": listing.price,
            "currency": listing.currency, "sold": listing.status == "sold", "photos": names,
        }  # fmt: skip
        cells = {columns.fields.get(name, (name,))[0]: value for name, value in fields.items()}
        yield cells | {columns.attributes.get(name, name): value for name, value in listing.attributes.items()}


def write_with_store(table: Path | None, rows: Iterator[dict[str, Any]], out: Path) -> int:
    """Write the table's rows and the store's as JSON lines; returns how many are the store's."""
    out.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with out.open("w", encoding="utf-8") as file:
        for row in read_rows(table) if table else ():
            if isinstance(row, RawRow):
                file.write(json.dumps(row.cells, ensure_ascii=False, default=str) + "\n")
        for cells in rows:
            file.write(json.dumps(cells, ensure_ascii=False) + "\n")
            count += 1
    return count
