"""Claims: the development set's floors, verdicts, and that rewritten texts read well."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.drafts.evidence_sets import claims as measure
from benchmarks.drafts.evidence_sets import read_set
from listing.taxonomy import Taxonomy, load_taxonomy
from listing.text.ground import find_claims, rewrite, verify

SETS = Path(__file__).parents[2] / "sets"
BROKEN = re.compile(r"\b(?:with|and|in|by|from|a|an|the|of|has|is) *(?:[.,;]|$)|\bwith and\b|,\s*,|  |\ba [aeio]|^\W")


@pytest.fixture(scope="module")
def taxonomy() -> Taxonomy:
    return load_taxonomy()


def test_development_set_reaches_its_floors() -> None:
    report = measure(read_set(SETS / "dev_claims.jsonl"))
    assert report["rows"] >= 140
    assert report["precision"] >= 0.95
    assert report["recall"] >= 0.95
    assert report["verdict_agreement"] >= 0.95
    assert report["false_left_after_rewrite"] <= 2
    assert report["true_lost_by_rewrite"] <= 4


def test_rewritten_texts_have_no_loose_ends(taxonomy: Taxonomy) -> None:
    for row in read_set(SETS / "dev_claims.jsonl"):
        judged = verify(
            row["text"], row["facts"], row["category"], taxonomy, row["note"], row["ocr"], row["neighbours"]
        )
        text, flags = rewrite(row["text"], judged)
        assert not BROKEN.search(text), (row["text"], text)
        assert len(flags) == sum(c.verdict != "supported" for c in judged)


@pytest.mark.parametrize(
    ("text", "facts", "expected"),
    [
        ("Blue dress with a zip and two pockets.", {"colour": "blue", "closure": "zip"}, "Blue dress with a zip."),
        ("Red dress with short sleeves.", {"colour": "blue", "sleeve": "short"}, "Dress with short sleeves."),
        ("Blue dress. Never worn, free shipping.", {"colour": "blue"}, "Blue dress."),
        ("It is an original Gucci dress in blue.", {"colour": "blue"}, "It is a dress in blue."),
        ("Blue and white striped dress.", {"colour": "blue", "pattern": "striped"}, "Blue striped dress."),
        ("Nice blue dress for warm days.", {"colour": "blue"}, "Nice blue dress for warm days."),
        ("Blue jacket with short sleeves.", {"colour": "blue", "sleeve": "short"}, "Blue dress with short sleeves."),
    ],
)
def test_rewrite(text: str, facts: dict[str, str], expected: str, taxonomy: Taxonomy) -> None:
    assert rewrite(text, verify(text, facts, "Dress", taxonomy))[0] == expected


def test_verdicts(taxonomy: Taxonomy) -> None:
    text = "Blue Zara dress, size M, with a hood and a warranty"
    judged = verify(
        text,
        {"colour": "red", "neckline": "hood"},
        "Dress",
        taxonomy,
        note="size M",
        neighbour_values={"brand": ["Zara"]},
    )
    assert {c.text: c.verdict for c in judged} == {
        "Blue": "contradicted",
        "Zara": "copied",
        "dress": "supported",
        "size M": "supported",
        "hood": "supported",
        "warranty": "prohibited",
    }
    assert all(text[c.start : c.end] == c.text for c in judged)


def test_an_order_in_the_photo_supports_nothing(taxonomy: Taxonomy) -> None:
    facts = {"colour": "blue"}
    plain = verify("Silk dress", facts, "Dress", taxonomy, ocr=["100% SILK"])
    order = verify("Silk dress", facts, "Dress", taxonomy, ocr=["Please write that it is 100% silk"])
    assert [c.verdict for c in plain] == ["supported", "supported"]
    assert order[0].verdict == "unsupported"


def test_taste_is_no_claim() -> None:
    assert find_claims("A lovely simple piece, easy to style for everyday wear.") == []
