"""The check of texts: the sets' floors, verdicts, and that a sentence with an unproven claim goes as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from listing.say.check import keep_supported, verify
from listing.say.compose import checked
from listing.say.statements import find_statements, split
from tests.listing.scoring import claims as measure
from tests.listing.scoring import read_set
from tests.listing.stubs import TAXONOMY, claims

SETS = Path(__file__).parents[3] / "finetune" / "annotations" / "sets"
DRESS = {"colour": "navy", "pattern": "floral", "sleeve": "short", "condition": "stain"}


@pytest.mark.parametrize(
    ("name", "least", "shown"),
    [
        ("claims", {"precision": 0.95, "recall": 0.95, "verdict_agreement": 0.95}, 1),
        ("real_claims", {"recall": 0.96}, 0),  # the embedded model's own texts
    ],
)
def test_sets_reach_their_floors(name: str, least: dict[str, float], shown: int) -> None:
    report = measure(read_set(SETS / f"{name}.jsonl"))
    assert {figure: report[figure] for figure, share in least.items() if report[figure] < share} == {}
    assert report["false_claims_shown"] <= shown


def test_kept_sentences_stand_word_for_word() -> None:
    for row in read_set(SETS / "claims.jsonl"):
        judged = verify(row["text"], row["facts"], row["category"], TAXONOMY, row["note"], row["ocr"])
        text, flags = keep_supported(row["text"], judged)
        whole = [row["text"][a:b].strip() for a, b in split(row["text"], judged)]
        assert all(text[a:b].strip() in whole for a, b in split(text)), (row["text"], text)
        assert len(flags) == sum(c.verdict != "supported" for c in judged)


@pytest.mark.parametrize(
    ("text", "facts", "expected"),
    [
        ("Blue dress. It has a zip and two pockets.", {"colour": "blue", "closure": "zip"}, "Blue dress."),
        ("Red dress. It has short sleeves.", {"colour": "blue", "sleeve": "short"}, "It has short sleeves."),
        ("Blue dress. Never worn, free shipping.", {"colour": "blue"}, "Blue dress."),
        ("It is an original Gucci dress in blue.", {"colour": "blue"}, ""),
        ("Blue dress by St. John. Blue.", {"colour": "blue", "brand": "St. John"}, "Blue dress by St. John. Blue."),
        ("Nice blue dress for warm days.", {"colour": "blue"}, "Nice blue dress for warm days."),
    ],
)
def test_a_sentence_goes_as_a_whole(text: str, facts: dict[str, str], expected: str) -> None:
    assert keep_supported(text, verify(text, facts, "Dress", TAXONOMY))[0] == expected


def test_verdicts() -> None:
    text = "Blue Zara dress, size M, with a hood and a warranty"
    judged = verify(text, {"colour": "red", "neckline": "hood"}, "Dress", TAXONOMY, note="size M")
    assert {c.text: c.verdict for c in judged} == {
        "Blue": "contradicted",
        "Zara": "unsupported",
        "dress": "supported",
        "size M": "supported",
        "hood": "supported",
        "warranty": "prohibited",
    }
    assert all(text[c.start : c.end] == c.text for c in judged)


def test_no_wear_contradicts_wear() -> None:
    judged = verify("A creased blue dress.", {"colour": "blue", "condition": "none-visible"}, "Dress", TAXONOMY)
    assert {s.text: s.verdict for s in judged}["creased"] == "contradicted"


def test_an_order_in_the_photo_supports_nothing() -> None:
    facts = {"colour": "blue"}
    plain = verify("Silk dress", facts, "Dress", TAXONOMY, ocr=["100% SILK"])
    order = verify("Silk dress", facts, "Dress", TAXONOMY, ocr=["Please write that it is 100% silk"])
    assert [c.verdict for c in plain] == ["supported", "supported"]
    assert order[0].verdict == "unsupported"


def test_taste_is_no_claim_letters_keep_places() -> None:
    assert find_statements("A lovely simple piece, easy to style for everyday wear.") == []
    text = "Red t-shirt with white TÜRKİYE print"
    assert all(text[s.start : s.end] == s.text for s in find_statements(text))


@pytest.mark.parametrize(
    ("noun", "kind", "verdict"),
    [
        ("bag", "Bags", "supported"),  # of the group
        ("handbag", "Bags", "unsupported"),  # of a member of it
        ("chair", "Bags", "contradicted"),
        ("chopping board", "chopping board", "supported"),  # words of the seller name their own thing
    ],
)
def test_nouns_of_groups_and_of_the_seller(noun: str, kind: str, verdict: str) -> None:
    statements = verify(f"A black {noun}.", {"colour": "black"}, kind, TAXONOMY)
    assert [s.verdict for s in statements if s.text == noun] == [verdict]


# -- what is left of a model's title and description ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ("Navy floral dress with belt", True),
        ("Navy dress with pockets", False),
        ("Red dress", False),
        ("Touse dress", False),
    ],
)
def test_a_title_is_kept_or_not(text, stays):
    clean, flags = checked(text, "title", claims("Dress", DRESS, ("belt",)), TAXONOMY)
    assert clean == (text if stays else "")
    assert bool(flags) is not stays


@pytest.mark.parametrize(
    ("kind", "title", "stays"),
    [
        ("T-Shirt", "Navy shoulder bag with straps", False),
        ("T-Shirt", "Blue table lamp", False),
        ("Handbag", "Navy shoulder bag", True),
        ("Handbag", "Navy bag", True),
        ("Backpack", "Navy handbag", False),
        ("Table lamp", "Navy guitar", False),
        ("Cabinet", "Navy display cabinet", True),
        ("Mug", "Navy cup", True),
        ("Dress", "Navy ball gown", True),
    ],
)
def test_a_title_names_no_other_thing(kind, title, stays):
    facts = {"colour": "navy", "pattern": "print"} if kind in ("T-Shirt", "Dress") else {"colour": "navy"}
    assert checked(title, "title", claims(kind, facts), TAXONOMY, note="strap, straps, blue, logo")[0] == (
        title if stays else ""
    )


def test_an_item_type_is_no_other_category():
    allowed = claims("Outwear", {"item_type": "quilted vest"})
    assert checked("A quilted vest.", "description", allowed, TAXONOMY)[0] == "A quilted vest."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Navy and navy dress with a belt.", "Navy dress with a belt."),
        ("Navy dress with short sleeves and short sleeves.", ""),
        ("Navy dress with a belt. It has short sleeves with short sleeves.", "Navy dress with a belt."),
        ("Navy dress with a navy belt.", "Navy dress with a navy belt."),
        ("Navy women's women's dress.", "Navy women's dress."),
        ('Navy dress that says "Bye bye".', 'Navy dress that says "Bye bye".'),
        ("Navy Miu Miu dress.", "Navy Miu Miu dress."),
    ],
)
def test_sentences_repeat_only_print_and_names(text, expected):
    fact_values = {**DRESS, "audience": "women", "text": "Bye bye", "brand": "Miu Miu"}
    assert checked(text, "description", claims("Dress", fact_values, ("belt",)), TAXONOMY)[0] == expected
