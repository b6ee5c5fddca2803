"""What the model wrote, as it is shown: whole sentences that say something new, or plain words from the facts."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from random import Random

import pytest

from finetune.data import text_templates
from finetune.evaluate.target_texts import annotated_facts
from listing.taxonomy import load_taxonomy
from listing.text import render
from listing.text.checked import Subject, checked_description, checked_title
from listing.text.ground import verify
from listing.text.sentences import keep_new
from listing.text.write import with_size

ROOT = Path(__file__).parents[3]
TAXONOMY = load_taxonomy()
HOODIE = {"sleeve": "long", "neckline": "hood", "text": "HARBOUR", "audience": "women"}
DRESS = {"pattern": "floral", "sleeve": "short", "audience": "women"}
PLAIN = {"pattern": "solid", "closure": "pull-on"}


def shown(text: str, category: str, facts: dict[str, str]) -> str:
    return checked_description(text, Subject(TAXONOMY.categories[category], facts, TAXONOMY))[0]


def title(text: str, category: str, facts: dict[str, str]) -> str:
    return checked_title(text, Subject(TAXONOMY.categories[category], facts, TAXONOMY))[0]


@pytest.mark.parametrize(
    ("text", "category", "facts", "wanted"),
    [
        # a false claim, and what is told instead
        ("A floral dress with a belt.", "Dress", DRESS, "A floral short-sleeved women's dress."),
        (
            "A floral dress. It has short sleeves and a belt.",
            "Dress",
            DRESS,
            "A floral dress. It has short sleeves.",
        ),
        (
            "A striped shirt. It has a hole and a warranty.",
            "Shirt",
            {"pattern": "striped", "condition": "hole"},
            "A striped shirt. There is a hole.",
        ),
        # said twice
        (
            "A hoodie with a hood and a hood.",
            "Hoodie",
            HOODIE,
            'A long-sleeved women\'s hoodie with the words "HARBOUR".',
        ),
        ("A floral dress with a floral pattern.", "Dress", DRESS, "A floral short-sleeved women's dress."),
        ("A women's dress with a floral pattern. For women.", "Dress", DRESS, "A women's dress with a floral pattern."),
        ("A hoodie with a hood. It has a hood.", "Hoodie", HOODIE, "A hoodie with a hood."),
        (
            'A hoodie with a hood. It has "HARBOUR" on it.',
            "Hoodie",
            HOODIE,
            'A hoodie with a hood. It has "HARBOUR" on it.',
        ),
        ("A dress. It has short sleeves. It has a print.", "Dress", DRESS, "A dress. It has short sleeves."),
        # broken off, without a fact, no English
        ("A hoodie with a hood. It has long", "Hoodie", HOODIE, "A hoodie with a hood."),
        ("Here is a floral dress. You just look at it.", "Dress", DRESS, "Here is a floral dress."),
        ("A plain skirt. It closes with a pull-on.", "Skirt", PLAIN, "A plain skirt. You just pull it on."),
        ("This is a plain trousers.", "Pants", PLAIN, "Plain trousers. You just pull them on."),
        # what is right stays
        ("This is a floral dress with short sleeves. For women.", "Dress", DRESS, None),
        ('A hoodie with a hood and the words "HARBOUR".', "Hoodie", HOODIE, None),
        (
            "A t-shirt with a printed motif and a crew neck.",
            "T-Shirt",
            {"pattern": "graphic", "neckline": "crew"},
            None,
        ),
        ("", "Dress", DRESS, "A floral short-sleeved women's dress."),
    ],
)
def test_descriptions(text: str, category: str, facts: dict[str, str], wanted: str | None) -> None:
    assert shown(text, category, facts) == (text if wanted is None else wanted)


@pytest.mark.parametrize(
    ("text", "facts", "wanted"),
    [
        ("Floral dress", DRESS, "Floral dress"),
        ("Floral dress with pockets", DRESS, "Floral short-sleeved women's dress"),
        ("Floral dress with a floral pattern", DRESS, "Floral short-sleeved women's dress"),
        ("Touse with short sleeves", DRESS, "Floral short-sleeved women's dress"),  # not what it is
        ('Modis dress with "MODIS"', {"text": "MODIS"}, 'Modis dress with "MODIS"'),
        ("Garnet-printed dress", DRESS, "Floral short-sleeved women's dress"),
        ("Plain solid dress", PLAIN, "Plain dress"),
        ("", {"colour": "light-blue", "colour2": "white", "brand": "Zara"}, "Zara light blue and white dress"),
        ("", {}, "Dress"),
    ],
)
def test_titles(text: str, facts: dict[str, str], wanted: str) -> None:
    assert title(text, "Dress", facts) == wanted


def test_a_friendly_line_belongs_to_the_warmer_tone() -> None:
    text = "A floral dress. I hope it finds a good home."
    assert keep_new(text, DRESS, TAXONOMY, filler=True) == text
    assert keep_new(text, DRESS, TAXONOMY) == "A floral dress."


def test_a_full_stop_inside_a_word_ends_no_sentence() -> None:
    assert keep_new("Floral dress with 3.5 cm of lace.", DRESS, TAXONOMY) == "Floral dress with 3.5 cm of lace."


def annotated() -> list[tuple[str, dict[str, str]]]:
    with gzip.open(ROOT / "finetune/annotations/clothing_cc0.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines][::5]
    return [(row["label"], annotated_facts(row, TAXONOMY)) for row in rows if row["label"] in TAXONOMY.categories]


def test_plain_texts_of_real_facts_hold_no_unproven_claim_and_leave_no_fact_out() -> None:
    checked = 0
    for category, facts in annotated():
        node = TAXONOMY.categories[category]
        for text in (render.title(node, facts, TAXONOMY), render.description(node, facts, TAXONOMY)):
            wrong = [c for c in verify(text, facts, category, TAXONOMY) if c.verdict != "supported"]
            wrong = [c for c in wrong if c.text.lower() not in node.phrase]
            assert not wrong, (text, facts, wrong)
            checked += 1
    assert checked > 900


def test_texts_in_the_platforms_own_voice_pass_as_they_are() -> None:
    rng, changed, rows = Random(0), [], annotated()
    for category, facts in rows:
        node = TAXONOMY.categories[category]
        text = text_templates.description(node, facts, "plain", rng)
        if shown(text, category, facts) != text:
            changed.append((text, shown(text, category, facts)))
    assert len(changed) <= 0.03 * len(rows), changed[:20]


def test_a_size_is_said_in_fixed_words_and_once() -> None:
    assert with_size("Navy hoodie", "M", "title") == "Navy hoodie, size M"
    assert with_size("A navy hoodie.", "M", "description") == "A navy hoodie. Size M."
    assert with_size("A hoodie in size M.", "M", "description") == "A hoodie in size M."
    assert with_size("Navy hoodie", "", "title") == "Navy hoodie"
