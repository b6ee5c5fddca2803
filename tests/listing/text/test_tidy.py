"""Each fact once, nothing torn, nothing empty; and what is right stays as it is."""

from __future__ import annotations

import pytest

from listing.text.tidy import tidy
from listing.text.write import with_size

HOODIE = {"material": "cotton", "sleeve": "long", "neckline": "hood", "text": "HARBOUR", "audience": "women"}
PLAIN = {"pattern": "solid", "closure": "pull-on"}
DRESS = {"pattern": "floral", "sleeve": "short", "audience": "women"}


@pytest.mark.parametrize(
    ("text", "told", "wanted"),
    [
        ("A cotton hoodie with a hood and a hood.", HOODIE, "A cotton hoodie with a hood."),
        ('A hoodie with a hood. and the words "HARBOUR" on it.', HOODIE, "A hoodie with a hood."),
        ("Women's floral dress with a floral pattern", DRESS, "Women's floral dress"),
        ("A floral dress with a floral pattern and short sleeves.", DRESS, "A floral dress with short sleeves."),
        ("A women's dress with a floral pattern. For women.", DRESS, "A women's dress with a floral pattern."),
        (
            'A hoodie with a hood. It has a hood and "HARBOUR" on it.',
            HOODIE,
            'A hoodie with a hood. It has "HARBOUR" on it.',
        ),
        ("A hoodie with a hood. It has a hood.", HOODIE, "A hoodie with a hood."),
        ("A short-sleeved dress with a short sleeves.", DRESS, "A short-sleeved dress."),
        ("Here is a floral dress. You just look at it.", DRESS, "Here is a floral dress."),
        ("Plain plain skirt", PLAIN, "Plain skirt"),
        ("Plain solid trousers", PLAIN, "Plain trousers"),
        ("A plain skirt. It closes with a pull-on.", PLAIN, "A plain skirt. You just pull it on."),
        ("Plain trousers. They close with pull-on.", PLAIN, "Plain trousers. You just pull them on."),
    ],
)
def test_what_goes(text: str, told: dict[str, str], wanted: str) -> None:
    assert tidy(text, told) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "This is a floral dress with short sleeves. For women.",
        "Cotton hoodie with long sleeves. With a hood.",
        'A hoodie with a hood and the words "HARBOUR".',
        "Red mug.",
    ],
)
def test_what_stays(text: str) -> None:
    assert tidy(text, {**HOODIE, **DRESS, "colour": "red"}) == text


def test_two_words_for_one_thing_stay_together() -> None:
    text = "A t-shirt with a printed motif and a crew neck."
    assert tidy(text, {"pattern": "graphic", "neckline": "crew"}) == text


def test_a_friendly_line_belongs_to_the_warmer_tone() -> None:
    text = "A floral dress. I hope it finds a good home."
    assert tidy(text, DRESS, filler=True) == text
    assert tidy(text, DRESS) == "A floral dress."


def test_an_empty_text_stays_empty() -> None:
    assert tidy("", DRESS) == ""
    assert tidy(" . ", DRESS) == ""


def test_a_size_is_said_in_fixed_words_and_once() -> None:
    assert with_size("Navy hoodie", "M", "title") == "Navy hoodie, size M"
    assert with_size("A navy hoodie.", "M", "description") == "A navy hoodie. Size M."
    assert with_size("A hoodie in size M.", "M", "description") == "A hoodie in size M."
    assert with_size("Navy hoodie", "", "title") == "Navy hoodie"
