"""Past listings as annotated rows, and what is taught of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from finetune.data.tasks import Task, form_task
from finetune.data.voice import listing_task
from listing import prompts
from listing.intake.photos import intake
from listing.safety.contacts import find_contacts
from listing.taxonomy import Taxonomy
from rag_index.imports.catalogue import Catalogue, PlainRow
from rag_index.imports.fetch import Fetcher, FetchProblem
from rag_index.imports.importer import BATCH, find_photos, read_some
from rag_index.imports.report import Report
from rag_index.imports.tables import RowProblem
from rag_index.storage.rows import chunks

VARIANTS = 2  # prompts drawn of each listing's texts
UNNAMED = "one seller"  # whose name the table does not say


def listing_rows(catalogue: Catalogue, out: Path, fetcher: Fetcher) -> tuple[list[dict[str, Any]], Report]:
    """Rows ``{image, sender_id, item, listing}``, one a photo, and what became of the table's rows.

    The photos pass intake and are written to ``out/photos``, so that ``out`` can be taken elsewhere as it is.
    """
    report = Report()
    rows: list[dict[str, Any]] = []
    (out / "photos").mkdir(parents=True, exist_ok=True)
    for group in chunks(catalogue.rows(), BATCH):
        files = find_photos([row for row in group if isinstance(row, PlainRow)], catalogue, fetcher)
        for row in group:
            made = row if isinstance(row, RowProblem) else _photo_rows(row, files[row.place], out / "photos")
            if isinstance(made, RowProblem):
                report.add([made], [])
            else:
                report.add([], [True])
                rows += made
    return rows, report


def _photo_rows(row: PlainRow, files: Sequence[Path | FetchProblem], folder: Path) -> list[dict[str, Any]] | RowProblem:
    if not row.known:
        return RowProblem(row.place, "its category is not one of ours", row.category)
    if not files:
        return RowProblem(row.place, "it has no photo")
    try:
        photos = read_some(files, intake)
    except ValueError as error:
        return RowProblem(row.place, "none of its photos can be used", str(error))
    said = {"category": row.category, "attributes": dict(row.attributes), "title": row.title}
    listing = {**said, "description": row.description}
    item = f"{row.seller_id}:{row.listing_id}"
    rows = []
    for number, photo in enumerate(photos):
        file = folder / f"{hashlib.sha256(f'{item}:{number}'.encode()).hexdigest()[:20]}.jpg"
        file.write_bytes(photo.jpeg)
        rows.append({"image": str(file), "sender_id": row.seller_id or UNNAMED, "item": item, "listing": listing})
    return rows


def listing_tasks(listing: Mapping[str, Any], taxonomy: Taxonomy, rng: Random, others: list[str]) -> list[Task]:
    """Questions about the photo, the form, and the texts; what the listing does not state is not asked.

    others: see ``voice.listing_task``.
    """
    node = taxonomy.categories.get(listing["category"])
    if node is None:
        return []
    given = listing.get("attributes") or {}
    asked = [Task("category", prompts.CATEGORY, node.phrase)] if node.tuned else []
    shown = [a for a in taxonomy.schema(node.name) if a.can_be("seen") and given.get(a.name) in a.values]
    asked += [Task(a.name, prompts.attribute_question(a), given[a.name]) for a in shown]
    rng.shuffle(asked)  # each is asked of the photo alone when it serves
    asked.append(form_task(node.name, {a.name: given[a.name] for a in shown}, taxonomy))
    safe = not find_contacts(f"{listing['title']}\n{listing['description']}")
    written = [listing_task(listing, taxonomy, rng, others) for _ in range(VARIANTS if safe else 0)]
    return [*asked, *filter(None, written)]
