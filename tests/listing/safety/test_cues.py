"""Contact data by the words beside them: what is found, and what is left alone because only the cue is there."""

from __future__ import annotations

import pytest

from listing.safety.contacts import cue_matches, is_phone
from listing.safety.fold import fold


def contacts_in(text: str) -> list[str]:
    folded = fold(text)
    return [folded.source[slice(*folded.source_span(start, end))] for _, start, end in cue_matches(folded)]


@pytest.mark.parametrize(
    ("text", "contact"),
    [
        ("📷 zoe.and.ivy for more", "zoe.and.ivy"),
        ("1nsta lanas.y.lunas", "lanas.y.lunas"),
        ("insta is p\u200br\u200bu\u200be\u200bquilts", "p\u200br\u200bu\u200be\u200bquilts"),
        ("ａｎｎａｓｈｏｐ on insta", "ａｎｎａｓｈｏｐ"),
        ("s n a p a n n a s e l l s", "s n a p a n n a s e l l s"),
        ("snap👻 annsells", "annsells"),
        ("look for annasells on depop", "annasells"),
        ("auf Vinted heiße ich Knopfliebe, dort billiger", "Knopfliebe"),
        ("sur leboncoin cherchez Grenier Lulu", "Grenier Lulu"),
        ("my Depop shop is called annasells", "annasells"),
        ("addmeonsnapchatannasells", "addmeonsnapchatannasells"),
        ("annasellsatgmaildotcom", "annasellsatgmaildotcom"),
        ("t dot me slash annasells", "t dot me slash annasells"),
        ("тэ точка мэ слэш anna_sells", "тэ точка мэ слэш anna_sells"),
        ("ring 07700x900x123", "07700x900x123"),
        ("first 07700, then 900 123", "07700, then 900 123"),
    ],
)
def test_contact_data_are_found_by_their_cue(text: str, contact: str) -> None:
    assert contact in contacts_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "Seen on Vinted, size W32.L30", "bought on depop for 40, never worn", "📷 photo 3 shows the tear",
        "snap buttons",
        "30x40x50 cm, 1200x800x1800 mm", "I do have an eBay shop with 2,000 sales", "Vu sur insta, porté une fois",
        "dot print dress, slash neck", "installation manual, instax film", "washed 2 times, then 3 more",
        "pulli grün wie WhatsApp, Größe 40", "Telegram boy cap, wool",
    ],
)  # fmt: skip
def test_a_cue_alone_is_no_contact(text: str) -> None:
    assert contacts_in(text) == []


def test_numbers_that_may_be_dialled() -> None:
    assert is_phone("07700900123")
    assert is_phone("0639981234")
    assert not is_phone("9780007123456")
    assert not is_phone("12345")
