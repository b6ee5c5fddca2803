"""Contact data: floors on texts of unseen authors, offsets, what is left of a text, what must stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.drafts.evidence_sets import contacts, read_set
from listing.safety.contacts import MASK, find_contacts, scrub, sure_contact

ANNOTATIONS = Path(__file__).parents[3] / "finetune" / "annotations"


@pytest.mark.parametrize(
    ("file", "recall", "alarms"),
    [("sets/contacts/development.jsonl", 0.94, 0.017), ("held/contacts.jsonl", 0.85, 0.02)],
)
def test_texts_of_other_authors(file: str, recall: float, alarms: float) -> None:
    report = contacts(read_set(ANNOTATIONS / file))
    assert report["rows"] >= 500
    assert report["recall"] >= recall
    assert report["alarms"] <= alarms
    assert report["unstable"] == 0


def test_contact_data_in_disguise_are_found() -> None:
    report = contacts(read_set(ANNOTATIONS / "held" / "contacts_disguised.jsonl"))
    assert report["recall"] >= 0.9  # the goal is .93
    assert report["alarms"] <= 0.033
    assert report["unstable"] == 0


@pytest.mark.parametrize(
    ("text", "contact"),
    [
        ("Ring me on 07700 900 412 after six", "07700 900 412"),
        ("ring ０７７００ ９００１２３ now", "０７７００ ９００１２３"),
        ("whatsapp +44 7700 900123 any time", "+44 7700 900123"),
        (
            "call oh seven seven double oh nine hundred four one two",
            "oh seven seven double oh nine hundred four one two",
        ),
        (
            "ruf an: null eins sieben eins drei neun zwei null null vier",
            "null eins sieben eins drei neun zwei null null vier",
        ),
        ("wechat: jane_88", "jane_88"),
        ("my insta is @lea.closet", "@lea.closet"),
        ("mail a.b@web.de for more photos", "a.b@web.de"),
        ("name.x at gmail dot com please", "name.x at gmail dot com"),
        ("lea (at) gmail (punkt) com", "lea (at) gmail (punkt) com"),
        ("more at https://shop.example.com/x?y=1", "https://shop.example.com/x?y=1"),
        ("pick up at 12 Baker Street, London", "12 Baker Street"),
        ("Abholung: Karl-Marx-Allee 12, 10178 Berlin", "Karl-Marx-Allee 12, 10178 Berlin"),
        ("Jeans size 38. Call 0,7,7,0,0,9,0,0,2,8,1", "0,7,7,0,0,9,0,0,2,8,1"),
        ("more at t . me / annsells", "t . me / annsells"),
        ("w a . m e / 447700900826 is quicker", "w a . m e / 447700900826"),
        ("find me on vinted as annsells", "annsells"),
        ("snap👻 annsells", "annsells"),
        ("ring 0151x2345x6789", "0151x2345x6789"),
        ("i n s t a : a n n s e l l s", "a n n s e l l s"),
        ("mail апп.ѕ@gmаіl.сом", "апп.ѕ@gmаіl.сом"),
        ("tel 07\u200b700\u200b 900\u200b 123", "07\u200b700\u200b 900\u200b 123"),
    ],
)
def test_spans_are_offsets_of_the_text_as_written(text: str, contact: str) -> None:
    spans = find_contacts(text)
    assert all(text[s.start : s.end] == s.text for s in spans)
    assert any(contact in s.text for s in spans), spans
    assert sum(len(s.text) for s in spans) <= len(contact) + 12


@pytest.mark.parametrize(
    "text",
    [
        "Sizes 36 38 40 42 44",
        "size 42/44, DM 39",
        "Levi's 501 from 1994, W32 L34, £25",
        "numéro de série 48291058",
        "thread count 400 600 800 1000",
        "EAN 4006381333931",
        "ISBN 978-3-16-148410-0, 3 books",
        "120 x 60 x 75 cm, 2019, 12.50 €",
        "A-line skirt, snap buttons",
        "Jacket.It has pockets",
        "Telegram print tee, never worn",
        "N I K E across the chest, G A P on the label",
        "blue / red . size M . never worn",
        "S / M / L / X",
        "📸 last photo is of the tear, 👻 costume",
        "Drill bits 2 3 4 5 6 7 8 9 10 mm",
        "4x6 print, 30x40x50 cm",
        "Nothing but [removed] and [removed]",
        "",
    ],
)
def test_look_alikes_stay(text: str) -> None:
    assert scrub(text) == text
    assert not find_contacts(text)
    assert sure_contact(text) is None


def test_scrubbing_leaves_a_readable_text() -> None:
    text = "Blue wool coat, size 42/44, £25. Ring me on 07700 900 412 or mail a.b@web.de. Two buttons are new."
    assert scrub(text) == f"Blue wool coat, size 42/44, £25. Ring me on {MASK} or mail {MASK}. Two buttons are new."


def test_scrub_masks_once_and_settles() -> None:
    text = "WhatsApp 07700900123 or 07700900124, mail a.b@web.de"
    once = scrub(text)
    assert scrub(once) == once
    assert MASK in once
    assert not any(c.isdigit() for c in once)
    assert scrub(text, mask="") == scrub(scrub(text, mask=""), mask="")


def test_kinds() -> None:
    text = "Ring 07700 900 412, mail a.b@web.de, see https://example.com/shop"
    assert [span.kind for span in find_contacts(text)] == ["phone", "email", "url"]
