"""Writes contact.jsonl: ``python -m tests.held.make_contact``. Same seed, same file."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

from tests.held.contact_clean import CLEAN, TEMPLATES, fill
from tests.held.contact_marks import PATTERNS
from tests.held.markup import unmark, write_rows

SEED = 7129
EACH_CONTACT = 6
EACH_CLEAN = 8
BEFORE = [
    "",
    "",
    "",
    "Worn twice. ",
    "Great condition! ",
    "Size 38, fits small. ",
    "Gr. M. ",
    "Only 15 €. ",
    "W32 L34, 100% cotton. ",
]
AFTER = ["", "", "", " Thanks!", " No swaps", " lg", " 20 € fixed", " (see photo 2)"]


def build() -> list[dict[str, Any]]:
    """All rows, each text once."""
    r = Random(SEED)
    rows: list[dict[str, Any]] = []
    seen: set[str] = set()

    def add(group: str, marked: str) -> None:
        text, spans = unmark(marked)
        if text not in seen:
            seen.add(text)
            contacts = [{"kind": kind, "text": span} for kind, span, _ in spans]
            rows.append({"id": f"hc{len(rows):04d}", "group": group, "text": text, "contacts": contacts})

    for group, make in PATTERNS.items():
        for i in range(EACH_CONTACT):
            marked = make(r)
            # The first of each pattern stands alone, the others inside a listing's sentences.
            add(group, marked if i == 0 else r.choice(BEFORE) + marked + r.choice(AFTER))
    for group, templates in TEMPLATES.items():
        for i in range(EACH_CLEAN):
            add("clean-" + group, r.choice(BEFORE if i else [""]) + fill(templates[i % len(templates)], r))
    for group, texts in CLEAN.items():
        for text in texts:
            add("clean-" + group, text)
    return rows


if __name__ == "__main__":
    print(write_rows(Path(__file__).with_name("contact.jsonl"), build()))
