"""Past listings as annotated rows, and what of a seller's text may be taught.

A seller knows more than a photo shows. A sentence that names a number or a value which does not stand in the listing's
own facts is left out of the target: otherwise the model learns to make such things up.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finetune.data.tasks import Task, form_task
from finetune.errors import DataError
from listing import prompts
from listing.safety.contacts import find_contacts
from listing.taxonomy import CategoryNode, Taxonomy

_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_NUMBER = re.compile(r"\d+")


def read_listings(file: Path, photos: Path) -> list[dict[str, Any]]:
    """Rows ``{image, sender_id, listing}`` of a JSONL of listings (docs/tuning.md), one for each photo that is there.

    Photos are looked for as ``photos/ab/abcd....jpg`` (the store's media folder) and ``photos/abcd....jpg``.

    Raises:
        DataError: the file is missing, a line is no listing, or no photo is found at all.
    """
    if not file.is_file():
        raise DataError(f"There is no {file}; name a JSONL of published listings with --listings.")
    rows = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        try:
            given = json.loads(line)
            ids = [photo["id"] for photo in given["photos"]]
            sender, _ = given["seller_id"], given["category"]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{file}, line {number} is no listing ({error}).") from error
        places = [p for i in ids for p in (photos / i[:2] / f"{i}.jpg", photos / f"{i}.jpg") if p.is_file()]
        rows += [{"image": str(place), "sender_id": sender, "listing": given} for place in places]
    if not rows:
        raise DataError(f"No photo of {file} lies in {photos}; name their folder with --photos.")
    return rows


def supported_text(text: str, facts: Mapping[str, str], node: CategoryNode, taxonomy: Taxonomy) -> str:
    """The sentences of a seller's text that say nothing beyond the facts; "" with contact data in it."""
    if find_contacts(text):
        return ""
    known = " ".join([node.phrase, *facts.values()]).lower()
    foreign = [v for a in taxonomy.attributes.values() for v in a.values if not _names(known, v)]

    def fits(sentence: str) -> bool:
        numbers = all(n in known for n in _NUMBER.findall(sentence))
        return numbers and not any(_names(sentence.lower(), value) for value in foreign)

    return " ".join(s for s in _SENTENCE.split(" ".join(text.split())) if s and fits(s))


def _names(text: str, value: str) -> bool:
    words = re.escape(value.replace("-", " ")).replace(r"\ ", "[ -]")
    return re.search(rf"\b{words}\b", text) is not None


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
