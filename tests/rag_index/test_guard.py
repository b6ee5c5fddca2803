"""The last look against the set of contact strings: what was scrubbed passes, what was not is mostly stopped."""

from __future__ import annotations

import json
from pathlib import Path

from listing.safety.contacts import scrub_for_index
from rag_index.imports.record_checks import contact_kind

ROWS = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "sets" / "dev_contacts.jsonl").read_text(encoding="utf-8").splitlines()
]


def test_scrubbed_texts_pass() -> None:
    refused = [row["text"] for row in ROWS if contact_kind([scrub_for_index(row["text"])])]
    assert refused == []


def test_plain_contacts_are_stopped_and_ordinary_texts_are_not() -> None:
    clean = [row["text"] for row in ROWS if not row["contacts"]]
    assert len(clean) > 600
    assert sum(contact_kind([text]) is not None for text in clean) <= 1
    plain = [row["text"] for row in ROWS if row["group"] == "phone-plain"]
    assert sum(contact_kind([text]) is not None for text in plain) / len(plain) > 0.8
