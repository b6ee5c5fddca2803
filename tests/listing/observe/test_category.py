"""Fusion of the sources, the two ranges, and 'outside what I know'. Plain dicts stand for the models."""

import numpy as np
import pytest
from pydantic import ValidationError

from listing.decide.category import CategoryRule, decide, garment_probability, load_rule, log_ratio
from listing.taxonomy import load_taxonomy

TAXONOMY = load_taxonomy()
RULE = CategoryRule(
    garment_threshold=-1.0,
    garment_quantile=0.02,
    garment_slope=2.0,
    unsure=0.2,
    min_confidence=0.1,
    weights={"mllm": 0.4, "classifier": 0.6, "neighbours": 0.2},
    other_weights={"imagenet": 1.0, "mllm": 0.5, "neighbours": 0.5},
)
SHIRT = {"Shirt": 0.7, "Blouse": 0.2, "Polo": 0.1}
SOFA = {"Sofa": 0.6, "Bed": 0.2, "Armchair": 0.1, "Dress": 0.05}


def one_hot(*indices: int) -> np.ndarray:
    p = np.zeros(1000)
    p[list(indices)] = 1 / len(indices)
    return p


def test_a_garment_gets_three_candidates_and_each_source_its_own_word() -> None:
    found = decide({"mllm": SHIRT, "classifier": {"Blouse": 0.9, "Shirt": 0.1}}, TAXONOMY, rule=RULE)
    assert found.value == "Blouse"
    assert found.in_range
    assert [c.value for c in found.candidates][:2] == ["Blouse", "Shirt"]
    assert len(found.candidates) == 3
    assert found.sources["mllm"].value == "Shirt"
    assert found.sources["mllm"].confidence == pytest.approx(0.7)
    assert found.sources["classifier"].value == "Blouse"


def test_the_mllm_alone_is_not_touched_by_the_others() -> None:
    alone = decide({"mllm": SHIRT}, TAXONOMY, rule=RULE).sources["mllm"]
    among = decide({"mllm": SHIRT, "classifier": {"Hat": 1.0}, "neighbours": {"Hat": 1.0}}, TAXONOMY, rule=RULE)
    assert among.sources["mllm"] == alone
    assert among.value == "Hat"


def test_garment_confidences_are_a_distribution_that_agreement_does_not_sharpen() -> None:
    one = decide({"mllm": SHIRT}, TAXONOMY, rule=RULE)
    three = decide({"mllm": SHIRT, "classifier": SHIRT, "neighbours": SHIRT}, TAXONOMY, rule=RULE)
    assert [c.value for c in three.candidates] == [c.value for c in one.candidates]
    assert [c.confidence for c in three.candidates] == pytest.approx([c.confidence for c in one.candidates])
    assert sum(c.confidence for c in one.candidates) <= 1.0


def test_one_source_cannot_veto() -> None:
    found = decide({"mllm": {"Shirt": 1.0}, "classifier": {"Polo": 0.55, "Shirt": 0.45}}, TAXONOMY, rule=RULE)
    assert found.value == "Shirt"
    assert "Polo" in [c.value for c in found.candidates]


def test_beyond_garments_the_imagenet_head_speaks() -> None:
    found = decide({"mllm": SHIRT, "classifier": SHIRT, "imagenet": SOFA}, TAXONOMY, garment=0.02, rule=RULE)
    assert [c.value for c in found.candidates] == ["Sofa", "Bed", "Armchair"]
    assert found.in_range
    assert not TAXONOMY.categories[str(found.value)].tuned
    assert found.sources["classifier"].value == "Sofa"
    assert found.sources["mllm"].value == "Shirt"


def test_neighbours_help_beyond_garments() -> None:
    torn = {"Sofa": 0.3, "Armchair": 0.3}
    found = decide({"imagenet": torn, "neighbours": {"Sofa": 1.0}}, TAXONOMY, garment=0.0, rule=RULE)
    assert found.value == "Sofa"
    assert found.confidence > 0.3


def test_an_unsure_range_names_the_best_of_the_other() -> None:
    opinions = {"classifier": {"Hat": 0.9, "Shirt": 0.1}, "imagenet": {"Bowl": 0.5, "Plate": 0.2, "Tray": 0.1}}
    garment = decide(opinions, TAXONOMY, garment=0.6, rule=RULE)
    assert [c.value for c in garment.candidates] == ["Hat", "Shirt", "Bowl"]
    thing = decide(opinions, TAXONOMY, garment=0.4, rule=RULE)
    assert [c.value for c in thing.candidates] == ["Bowl", "Plate", "Hat"]
    sure = decide(opinions, TAXONOMY, garment=0.05, rule=RULE)
    assert [c.value for c in sure.candidates] == ["Bowl", "Plate", "Tray"]


def test_a_sure_tower_cannot_turn_a_thing_into_a_garment() -> None:
    """Its probabilities sum to 1 over garments, whatever the photo shows."""
    opinions = {"classifier": {"Hat": 1.0}, "mllm": {"Hat": 1.0}, "imagenet": {"Bowl": 0.05}}
    found = decide(opinions, TAXONOMY, garment=0.3, rule=RULE)
    assert found.value is None
    assert found.candidates[0].value == "Bowl"


def test_what_maps_to_nothing_is_outside_with_the_nearest_candidates() -> None:
    found = decide({"imagenet": {"Soft toy": 0.06, "Ball": 0.02}, "mllm": SHIRT}, TAXONOMY, garment=0.01, rule=RULE)
    assert found.value is None
    assert not found.in_range
    assert [c.value for c in found.candidates][:2] == ["Soft toy", "Ball"]


@pytest.mark.parametrize("opinions", [{}, {"mllm": {}}, {"mllm": {"Spaceship": 1.0}}, {"imagenet": {"Sofa": 0.0}}])
def test_silence_is_outside(opinions: dict) -> None:
    found = decide(opinions, TAXONOMY, garment=0.5, rule=RULE)
    assert found.value is None
    assert not found.in_range
    assert found.candidates == []
    assert found.sources == {}


def test_the_order_of_dicts_decides_nothing() -> None:
    tie = {"Shirt": 0.4, "Polo": 0.4, "Hat": 0.2}
    turned = dict(reversed(tie.items()))
    assert decide({"mllm": tie}, TAXONOMY, rule=RULE) == decide({"mllm": turned}, TAXONOMY, rule=RULE)


def test_the_range_follows_the_imagenet_head() -> None:
    jersey, sofa, acorn = one_hot(610), one_hot(831), one_hot(988)
    assert garment_probability(jersey, TAXONOMY, RULE) > 0.95
    assert garment_probability(sofa, TAXONOMY, RULE) < 0.05
    # Neither: the ratio is even, and the threshold leans to garments, which are what most sellers show.
    assert log_ratio(acorn, TAXONOMY) == pytest.approx(0.0)
    # Clothes without a leaf (a lab coat) are clothes all the same.
    assert garment_probability(one_hot(617), TAXONOMY, RULE) > 0.95


def test_the_shipped_rule_is_complete() -> None:
    rule = load_rule()
    assert set(rule.weights) == {"mllm", "classifier", "neighbours"}
    assert -3 < rule.garment_threshold < 1
    with pytest.raises(ValidationError):
        CategoryRule.model_validate({**rule.model_dump(), "surprise": 1})
