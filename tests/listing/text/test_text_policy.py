"""What a text may say: less than the form."""

from __future__ import annotations

import pytest

from listing.facts.ensemble import AttributeCalibration, Calibration
from listing.schema import AttributeValue, Candidate, Category, Evidence
from listing.taxonomy import load_taxonomy
from listing.text.ground import verify
from listing.text.text_policy import NAMED, subject, sure_facts, text_values

TAXONOMY = load_taxonomy()
RULE = AttributeCalibration(weights={"mllm": 1.0}, threshold=0.7, told=0.9)
CALIBRATION = Calibration(questions={"neckline": RULE, "material": RULE, "colour": RULE})


def fact(name: str, value: str, confidence: float = 1.0, source: str = "mllm", locked: bool = False) -> AttributeValue:
    evidence = [Evidence(source=source)]  # type: ignore[arg-type]
    return AttributeValue(
        name=name, value=value, status="supported", confidence=confidence, evidence=evidence, locked=locked
    )


def told(*facts: AttributeValue) -> dict[str, str]:
    return text_values(sure_facts(facts, TAXONOMY, CALIBRATION), TAXONOMY)


@pytest.mark.parametrize(("confidence", "said"), [(0.75, False), (0.89, False), (0.9, True), (0.99, True)])
def test_a_text_asks_for_more_than_the_form(confidence: float, said: bool) -> None:
    assert told(fact("neckline", "crew", confidence)) == ({"neckline": "crew"} if said else {})


@pytest.mark.parametrize(("name", "value"), [("material", "cotton"), ("audience", "women"), ("material", "leather")])
def test_what_no_photo_settles_waits_for_a_label_or_the_seller(name: str, value: str) -> None:
    assert told(fact(name, value, 1.0)) == {}
    assert told(fact(name, value, 0.8, source="ocr")) == {name: value}
    assert told(fact(name, value, 1.0, source="seller", locked=True)) == {name: value}


def test_what_a_photo_settles_is_told() -> None:
    assert told(fact("sleeve", "long"), fact("audience", "baby")) == {"sleeve": "long", "audience": "baby"}


def test_other_measures_keep_their_own_threshold() -> None:
    """Pixels alone, and attributes that were never calibrated, have passed the only threshold that is known of them."""
    assert told(fact("colour", "navy", 0.75, source="pixels"), fact("sleeve", "long", 0.75)) == {
        "colour": "navy",
        "sleeve": "long",
    }


def test_without_an_own_threshold_the_forms_counts() -> None:
    old = AttributeCalibration(weights={"mllm": 1.0}, threshold=0.7)
    assert old.text_threshold == 0.7
    assert AttributeCalibration(weights={}, threshold=0.7, told=0.5).text_threshold == 0.7  # a text never asks for less


def category(confidence: float, *names: str) -> Category:
    candidates = [Candidate(value=name, confidence=confidence / (i + 1)) for i, name in enumerate(names)]
    return Category(value=names[0], confidence=confidence, candidates=candidates, in_range=True)


@pytest.mark.parametrize(
    ("names", "noun"),
    [
        (("Longsleeve", "Shirt", "Polo"), "top"),
        (("Dress", "Top", "Blouse"), "garment"),
        (("Armchair", "Sofa", "Bench"), "seat"),
        (("Armchair", "Table", "Bookcase"), "piece of furniture"),
        (("Sleeping bag", "Outwear", "Bedding"), "item"),
    ],
)
def test_a_doubtful_thing_gets_the_word_that_holds_for_every_candidate(names: tuple[str, ...], noun: str) -> None:
    node, known = subject(category(NAMED - 0.01, *names), TAXONOMY)
    assert node.phrase == noun
    assert known.categories[node.name] is node
    assert subject(category(NAMED, *names), TAXONOMY) == (TAXONOMY.categories[names[0]], TAXONOMY)


def test_the_checks_find_every_leafs_name_unsupported_then() -> None:
    node, known = subject(category(0.4, "Dress", "Top", "Blouse"), TAXONOMY)
    for text, verdict in (("Navy dress", "contradicted"), ("Navy blouse", "contradicted"), ("Navy garment", None)):
        nouns = [c for c in verify(text, {"colour": "navy"}, node.name, known) if c.kind == "category"]
        assert [c.verdict for c in nouns] == ([verdict] if verdict else []), text
    node, known = subject(category(0.4, "Longsleeve", "Shirt", "Polo"), TAXONOMY)
    assert [c.verdict for c in verify("Navy top", {"colour": "navy"}, node.name, known) if c.kind == "category"] == [
        "supported"
    ]


def test_every_noun_stands_in_a_text_as_it_is() -> None:
    for noun in TAXONOMY.nouns.values():
        assert noun == noun.lower().strip()
