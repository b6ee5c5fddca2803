"""Past listings as annotated rows, and what is taught of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from PIL import Image

from finetune.data.claims import claims_task
from finetune.data.listing_texts import listing_task
from finetune.data.tasks import Task, form_task
from listing import prompts
from listing.intake.photos import intake
from listing.observe.printed.labels import label_words
from listing.observe.printed.ocr import Reader
from listing.safety.contacts import find_contacts
from listing.taxonomy import Taxonomy
from rag_index.imports.catalogue import Catalogue, PlainRow
from rag_index.imports.fetch import Fetcher, FetchProblem, find_photos
from rag_index.imports.importer import BATCH, read_some
from rag_index.imports.report import Report
from rag_index.imports.tables import RowProblem
from rag_index.storage.rows import chunks

LABEL_LINES = 2  # of a label's words on a photo, for it to show one
MAX_READ = 200  # further photos of a table that are read for this: half a second each, and few labels teach enough
LABEL_QUESTIONS = 4  # about a photo that answers none
VARIANTS = 2  # prompts drawn of each listing's texts
UNNAMED = "one seller"  # whose name the table does not say


def listing_rows(catalogue: Catalogue, out: Path, fetcher: Fetcher) -> tuple[list[dict[str, Any]], Report]:
    """Rows ``{image, sender_id, item, listing, role, more}``, one a photo, and the report of the table's rows.

    role: ``cover`` of a listing's first photo, whose ``more`` are the others; of these ``label`` or ``side``.
    The photos pass intake and are written to ``out/photos``, so that ``out`` can be taken elsewhere as it is.
    """
    report = Report()
    rows: list[dict[str, Any]] = []
    (out / "photos").mkdir(parents=True, exist_ok=True)
    labels = LabelFinder()
    for group in chunks(catalogue.rows(), BATCH):
        named = (name for row in group if isinstance(row, PlainRow) for name in row.photos)
        files = find_photos(named, catalogue.find_photo, fetcher)
        for row in group:
            if isinstance(row, RowProblem):
                report.add([row], [])
                continue
            outcome = _photo_rows(row, [files[name] for name in row.photos], out / "photos", labels)
            if isinstance(outcome, RowProblem):
                report.add([outcome], [])
            else:
                report.add([], [True])
                rows += outcome
    return rows, report


class LabelFinder:
    """Finds labels on photos; after ``MAX_READ`` photos it finds none."""

    def __init__(self) -> None:
        self.reader, self.left = Reader(), MAX_READ

    def __call__(self, image: Image.Image) -> bool:
        if not self.left:
            return False
        self.left -= 1
        return label_words(self.reader.read(image)) >= LABEL_LINES


def _photo_rows(
    row: PlainRow, files: Sequence[Path | FetchProblem], folder: Path, labels: LabelFinder
) -> list[dict[str, Any]] | RowProblem:
    if not row.in_vocabulary:
        return RowProblem(row.place, "its category is not one of ours", row.category)
    if not files:
        return RowProblem(row.place, "it has no photo")
    try:
        photos = read_some(files, intake)
    except ValueError as error:
        return RowProblem(row.place, "none of its photos can be used", str(error))
    stated = {"category": row.category, "attributes": dict(row.attributes), "title": row.title}
    listing = {**stated, "description": row.description}
    item = f"{row.seller_id}:{row.listing_id}"
    rows: list[dict[str, Any]] = []
    for number, photo in enumerate(photos):
        file = folder / f"{hashlib.sha256(f'{item}:{number}'.encode()).hexdigest()[:20]}.jpg"
        file.write_bytes(photo.jpeg)
        role = "cover" if not number else "label" if labels(photo.image) else "side"
        sender = row.seller_id or UNNAMED
        rows.append({"image": str(file), "sender_id": sender, "item": item, "listing": listing, "role": role})
    rows[0]["more"] = [further["image"] for further in rows[1:]]
    return rows


def listing_tasks(listing: Mapping[str, Any], taxonomy: Taxonomy, rng: Random, others: list[str]) -> list[Task]:
    """Questions about the photo, the form, and the texts; what the listing does not state is not asked.

    others: see ``listing_texts.listing_task``.
    """
    node = taxonomy.categories.get(listing["category"])
    if node is None:
        return []
    attributes = listing.get("attributes") or {}
    asked = [Task("category", prompts.CATEGORY, node.phrase)] if node.tuned else []
    visible = [a for a in taxonomy.schema(node.name) if a.can_be("seen") and attributes.get(a.name) in a.values]
    asked += [Task(a.name, prompts.attribute_question(a), attributes[a.name]) for a in visible]
    rng.shuffle(asked)  # each is asked of the photo alone when it serves
    asked.append(form_task(node.name, {a.name: attributes[a.name] for a in visible}, taxonomy))
    safe = not find_contacts(f"{listing['title']}\n{listing['description']}")
    written = [listing_task(listing, taxonomy, rng, others) for _ in range(VARIANTS if safe else 0)]
    texts = [text for task in filter(None, written[:1]) for text in task.answer.split("\n")]
    asked += claims_task(node.name, {a.name: attributes[a.name] for a in visible}, texts, taxonomy, rng)
    return [*asked, *filter(None, written)]


def unanswered(listing: Mapping[str, Any], taxonomy: Taxonomy, rng: Random) -> list[Task]:
    """Questions that a photo of nothing but a label leaves open: without them a model forgets to say ``unknown``."""
    if listing["category"] not in taxonomy.categories:
        return []
    visible = [a for a in taxonomy.schema(listing["category"]) if a.values and a.knowable_by == ("seen",)]
    asked = rng.sample(visible, min(LABEL_QUESTIONS, len(visible)))
    return [Task(a.name, prompts.attribute_question(a), prompts.UNKNOWN) for a in asked]
