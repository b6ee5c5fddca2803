"""Phone numbers as people write them are found, and numbers of other kinds stay."""

from __future__ import annotations

import pytest

from listing.safety.contacts import find_contacts

FOUND = (
    "WhatsApp 4917644322109", "Telefon 017644322109", "Jacke, 4917644322109", "tel. 0031655501733",
    "wapp 5511904295020", "Jeans size 38. 666-118-289", "W/A 89166536555",
    "Vestido azul, móvil 644209815", "coat 447700900331",
    "Hoodie ⓪①⑦⑥④④③②②①⓪⑨", "call 60Ɩᄅᄅ3ㄣㄣ9ㄥƖ0", "01७6٤٤३२२10९", "０１７６４４３２２１０９",
    "Babybett 0️⃣1️⃣7️⃣6️⃣4️⃣4️⃣3️⃣2️⃣2️⃣1️⃣0️⃣9️⃣",
    "O176 443 221O9", "+49 (0)176 443 22109", "0176 - 443 - 22109", "Vorwahl ist 0176, der Rest 44322109",
    "WhatsApp 4006381333931",
)  # fmt: skip
STAY = (
    "EAN 4006381333931", "4006381333931", "4 006381 333931", "UPC 012345678905", "ISBN 978-3-16-148410-0",
    "ISBN 3-16-148410-X",
    "Art.-Nr. 123456789012", "Style-Nr. 4917644322109", "Bestell-Nr. 512-577-194", "Modell GX-2000 8GB",
    "Zara 7495/211/576",
    "IMEI 356938035643809", "order 304-1234567-1234567", "2024-05-12 12:30", "20.12.2023-05.01.2024", "90x60x75 cm",
    "36 38 40 42 44 46", "was £149.99, then £99.99, now £45", "1 250 000 zł", "5000 mAh 20000 mAh", "Mo–Fr 11.00–19.30",
    "Abholung in 50667 Köln", "Odbiór 31-041 Kraków", "BMW 320 325 330", "IKEA 803.456.12", "thread count 400 600 800",
)  # fmt: skip


@pytest.mark.parametrize("text", FOUND)
def test_phone_numbers_are_found(text: str) -> None:
    digits = [n for n, char in enumerate(text) if char.isnumeric()]
    spans = find_contacts(text)
    assert any(s.start <= digits[-3] and digits[-1] < s.end for s in spans), spans


@pytest.mark.parametrize("text", STAY)
def test_other_numbers_stay(text: str) -> None:
    assert find_contacts(text) == []


@pytest.mark.parametrize("text", ["t,me/name", "T.me/shop", "t;me/anna", "t me/anna", "wa,me/49176123456"])
def test_short_links_in_any_marks(text: str) -> None:
    assert [(span.kind, span.text) for span in find_contacts(text)] == [("url", text)]
