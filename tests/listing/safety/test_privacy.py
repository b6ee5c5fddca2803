"""Contact data: the development set's floors, offsets, idempotence, and what must stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.drafts.evidence_sets import contacts, read_set
from listing.safety.contacts import MASK, find_contacts, has_contacts, scrub

SETS = Path(__file__).parents[2] / "sets"


@pytest.mark.parametrize(("name", "rows"), [("dev_contacts", 1300), ("dev3_contacts", 1300), ("dev4_contacts", 650)])
def test_development_sets_reach_their_floors(name: str, rows: int) -> None:
    report = contacts(read_set(SETS / f"{name}.jsonl"))
    assert report["rows"] >= rows
    assert report["recall"] >= 0.99
    assert report["precision"] >= 0.97
    assert report["unstable"] == 0


@pytest.mark.parametrize(
    ("text", "kind", "contact"),
    [
        ("ring ０７７００ ９００１２３ now", "phone", "０７７００ ９００１２３"),
        ("oh seven 7 double nine four six one two three", "phone", "oh seven 7 double nine four six one two three"),
        ("wechat: jane_88", "messenger", "jane_88"),
        ("name.x at gmail dot com please", "email", "name.x at gmail dot com"),
        ("more at hxxp://shop[.]com", "url", "shop[.]com"),
        ("pick up at 12 Baker Street, London", "address", "12 Baker Street, London"),
        ("Style 020 7946 0123", "phone", "020 7946 0123"),
        ("Jeans size 38. 0,7,7,0,0,9,0,0,2,8,1", "phone", "0,7,7,0,0,9,0,0,2,8,1"),
        ("lea |at| gmail |dot| com", "email", "lea |at| gmail |dot| com"),
    ],
)
def test_spans_are_offsets_of_the_text_as_written(text: str, kind: str, contact: str) -> None:
    spans = find_contacts(text)
    assert all(text[s.start : s.end] == s.text for s in spans)
    assert any(contact in s.text and s.kind == kind for s in spans), spans


@pytest.mark.parametrize(
    "text",
    [
        "Sizes 36 38 40 42 44",
        "numéro de série 48291058",
        "robe noire.fr 38",
        "thread count 400 600 800 1000",
        "EAN 4006381333931",
        "A-line skirt, snap buttons",
        "Jacket.It has pockets",
        "",
    ],
)
def test_look_alikes_stay(text: str) -> None:
    assert scrub(text) == text
    assert not has_contacts(text)


def test_scrub_masks_once_and_settles() -> None:
    text = "WhatsApp 07700900123 or 07700900124, mail a.b@web.de"
    once = scrub(text)
    assert scrub(once) == once
    assert MASK in once
    assert not any(c.isdigit() for c in once)
    assert scrub(text, mask="") == scrub(scrub(text, mask=""), mask="")
