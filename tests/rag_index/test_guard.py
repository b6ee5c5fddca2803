"""The last look at a record: what was scrubbed passes, a forgotten scrub is mostly stopped, honest numbers pass."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from listing.safety.contacts import scrub_for_index, sure_contact
from rag_index.errors import BadRecord
from rag_index.index import ListingIndex, build
from tests.rag_index.listings import INFO, make

ROWS = [
    json.loads(line)
    for line in Path("finetune/annotations/sets/contacts/development.jsonl").read_text("utf-8").splitlines()
]


def test_scrubbed_texts_pass() -> None:
    refused = [row["text"] for row in ROWS if sure_contact(scrub_for_index(row["text"]))]
    assert refused == []


def test_contacts_are_mostly_stopped_and_ordinary_texts_are_not() -> None:
    clean = [row["text"] for row in ROWS if not row["contacts"]]
    dirty = [row["text"] for row in ROWS if row["contacts"]]
    assert sum(sure_contact(text) is not None for text in clean) / len(clean) <= 0.01
    assert sum(sure_contact(text) is not None for text in dirty) / len(dirty) >= 0.5


@pytest.mark.parametrize(
    "change",
    [
        {"text": "Write me at anna.b@example.com"},
        {"text": "call 0171 234 56 78"},
        {"text": "ring ０１７１２３４５６７８"},
        {"attributes": {"text": "see www.example.com"}},
        {"text": "more on shop-example.com/x"},
        {"text": "+49171 2345678"},
    ],
)
def test_a_forgotten_scrub_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    with pytest.raises(BadRecord, match="contact data") as refused:
        build([make(1, **change)], tmp_path / "index", INFO, contact_check=sure_contact)
    assert "example" not in str(refused.value)
    build([], tmp_path / "index", INFO)
    with ListingIndex.open(tmp_path / "index", INFO, contact_check=sure_contact) as index:
        with pytest.raises(BadRecord, match="contact data"):
            index.add([make(2), make(3, **change)])
        assert index.count() == 0
