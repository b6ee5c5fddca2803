"""Past listings as annotated rows, and what of a seller's text may be taught.

A seller knows more than a photo shows. A sentence that names a number or a value which does not stand in the listing's
own facts is left out of the target: otherwise the model learns to make such things up.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from finetune.data.tasks import Task, form_task
from listing import prompts
from listing.intake.photos import intake
from listing.lexicon import load_lexicon
from listing.safety.contacts import find_contacts
from listing.taxonomy import CategoryNode, Taxonomy
from rag_index.imports.catalogue import Catalogue, PlainRow
from rag_index.imports.fetch import Fetcher, FetchProblem
from rag_index.imports.importer import BATCH, find_photos, read_some
from rag_index.imports.report import Report
from rag_index.imports.tables import RowProblem
from rag_index.storage.rows import chunks

UNNAMED = "one seller"  # whose name the table does not say
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_SENTENCE_WORDS = 4  # at least
_NUMBER = re.compile(r"\d+")


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


def supported_text(text: str, facts: Mapping[str, str], node: CategoryNode, taxonomy: Taxonomy) -> str:
    """The sentences of a seller's text that say nothing beyond the facts; "" with contact data in it.

    A line is at least one sentence. One with a number or a word for a value that is not among the facts goes, one with
    a claim that no listing may make (a guarantee, a price, delivery), and a heading.
    """
    if find_contacts(text):
        return ""
    lexicon = load_lexicon(taxonomy)
    known = " ".join([node.phrase, *facts.values()]).lower()
    stated = {name: {value} for name, value in facts.items()}
    stated["colour"] = {value for name in ("colour", "colour2") if (value := facts.get(name))}

    def fits(sentence: str) -> bool:
        words = sentence.lower()
        if not all(number in known for number in _NUMBER.findall(words)):
            return False
        if any(lexicon.claims[kind].search(words) for kind in lexicon.prohibited):
            return False
        return all(
            match[0] in known or any(stated.get(n, set()) & values for n, values in lexicon.meaning(match[0]).items())
            for match in lexicon.phrases.finditer(words)
        )

    lines = [" ".join(line.split()) for line in text.splitlines()]
    whole = [
        line if line[-1] in ".!?" or len(lines) == 1 else f"{line}." for line in lines if not _is_heading(line, lines)
    ]
    return " ".join(s for line in whole for s in _SENTENCE.split(line) if fits(s))


def _is_heading(line: str, lines: Sequence[str]) -> bool:
    """Whether a line has no word, or a few words alone among others."""
    return not any(c.isalpha() for c in line) or (
        len(lines) > 1 and len(line.split()) < _SENTENCE_WORDS and line[-1] not in ".!?"
    )


def listing_form(listing: Mapping[str, Any], taxonomy: Taxonomy) -> list[Task]:
    """The whole form, filled in with the category and the visible facts that the listing states."""
    if listing["category"] not in taxonomy.categories:
        return []
    given = listing.get("attributes") or {}
    shown = [a for a in taxonomy.schema(listing["category"]) if a.can_be("seen") and given.get(a.name) in a.values]
    return [form_task(listing["category"], {a.name: given[a.name] for a in shown}, taxonomy)]


def tasks_of(listing: Mapping[str, Any], taxonomy: Taxonomy) -> tuple[list[Task], list[Task]]:
    """(questions about the photo, texts from facts). What the listing does not state is not asked."""
    node = taxonomy.categories.get(listing["category"])
    if node is None:
        return [], []
    given = listing.get("attributes") or {}
    facts = {name: str(value)[:60] for name, value in given.items() if value}
    asked = [Task("category", prompts.CATEGORY, node.phrase)] if node.tuned else []
    shown = [a for a in taxonomy.schema(node.name) if a.can_be("seen") and given.get(a.name) in a.values]
    asked += [Task(a.name, prompts.attribute_question(a), given[a.name]) for a in shown]
    written = [
        Task(name, prompt(node, facts), target, photo=False)
        for name, prompt in (("title", prompts.title_prompt), ("description", prompts.description_prompt))
        if (target := supported_text(listing.get(name, ""), facts, node, taxonomy))
    ]
    return asked, written
