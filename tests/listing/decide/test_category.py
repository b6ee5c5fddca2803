"""The category from observations: two ranges, one pool, the seller's word, and 'outside what I know'."""

from __future__ import annotations

import pytest

from listing.calibration import GENERAL, UNCALIBRATED, Calibration, CategoryRange, QuestionCalibration
from listing.schema import Category, Observation
from tests.listing.stubs import TAXONOMY, decided, on

RANGE = CategoryRange(
    garment_threshold=-1.0,
    tower_weight=0.0,
    tower_neutral=0.0,
    sharpness=1.0,
    weights={"mllm": 0.4, "classifier": 0.6, "neighbours": 0.2},
)
# The category's own weights are empty, so that those of the range hold, as in what is shipped.
RULE = Calibration(questions={"category": QuestionCalibration(weights={}, threshold=0.6)}, range=RANGE)
SHIRT = {"Shirt": 0.7, "Blouse": 0.2, "Polo": 0.1}
SOFA = {"Sofa": 0.6, "Bed": 0.2, "Armchair": 0.1, "Dress": 0.05}
CLOTHES, FURNITURE = {"clothes": 0.9}, {"clothes": 0.001}


def category(*observations: Observation, rule: Calibration = RULE) -> Category:
    return decided(observations, rule).category


def says(**sources: dict[str, float]) -> list[Observation]:
    return [on(source, "category", shares, None if source == "neighbours" else 0) for source, shares in sources.items()]


def test_each_source_keeps_its_vote_beside_the_candidates() -> None:
    result = category(*says(mllm=SHIRT, tower={"Blouse": 0.9, "Shirt": 0.1}))
    assert (result.value, result.in_range) == ("Tops", True), "no name below .8"
    assert [c.value for c in result.candidates][:2] == ["Blouse", "Shirt"]
    assert len(result.candidates) == 3
    assert result.sources["mllm"].value == "Shirt"
    assert result.sources["mllm"].confidence == pytest.approx(0.7)
    assert result.sources["classifier"].value == "Blouse"
    both = category(*says(tower={"Blouse": 0.8, "Shirt": 0.2}, evidence_tower={"Blouse": 0.2, "Shirt": 0.8}))
    assert both.candidates[0].confidence == pytest.approx(both.candidates[1].confidence), "towers are heard as a mean"


def test_agreement_does_not_sharpen_garments() -> None:
    one = category(*says(mllm=SHIRT))
    three = category(*says(mllm=SHIRT, tower=SHIRT, neighbours=SHIRT))
    assert [c.value for c in three.candidates] == [c.value for c in one.candidates]
    assert [c.confidence for c in three.candidates] == pytest.approx([c.confidence for c in one.candidates])


def test_one_source_cannot_veto() -> None:
    result = category(*says(mllm={"Shirt": 1.0}, tower={"Polo": 0.55, "Shirt": 0.45}))
    assert [c.value for c in result.candidates[:2]] == ["Shirt", "Polo"]


def test_beyond_garments_imagenet_decides() -> None:
    result = category(*says(mllm=SHIRT, tower=SHIRT, imagenet=SOFA), on("imagenet", "garment", FURNITURE))
    assert [c.value for c in result.candidates] == ["Sofa", "Bed", "Armchair"]
    assert result.sources["classifier"].value == "Sofa"
    assert result.sources["mllm"].value == "Shirt"


def test_past_listings_help_beyond_garments() -> None:
    torn = says(imagenet={"Sofa": 0.3, "Armchair": 0.3}, neighbours={"Sofa": 1.0})
    result = category(*torn, on("imagenet", "garment", FURNITURE))
    assert (result.candidates[0].value, result.value) == ("Sofa", "Seating")
    assert result.candidates[0].confidence > 0.3


def test_both_ranges_give_candidates_by_probability() -> None:
    votes = says(tower={"Hat": 0.9, "Shirt": 0.1}, imagenet={"Bowl": 0.5, "Plate": 0.2, "Tray": 0.1})
    garment = category(*votes, on("imagenet", "garment", {"clothes": 0.35}))
    assert [c.value for c in garment.candidates] == ["Hat", "Bowl", "Plate"]
    item = category(*votes, on("imagenet", "garment", {"clothes": 0.25}))
    assert [c.value for c in item.candidates] == ["Bowl", "Hat", "Plate"]


def test_group_is_named_where_no_leaf_is_sure() -> None:
    def named(**shares: float) -> Category:
        return category(*says(imagenet=shares), on("imagenet", "garment", FURNITURE))

    bags = named(Backpack=0.45, Handbag=0.4, Sofa=0.15)
    assert (bags.value, round(bags.confidence, 2)) == ("Bags", 0.85)
    assert [c.value for c in bags.candidates] == ["Backpack", "Handbag", "Sofa"]
    assert named(Sofa=0.3, Bed=0.3, Table=0.3, Violin=0.1).value == "Furniture"
    for p, value in ((0.79, None), (0.82, "Sofa")):
        assert named(Sofa=p, Violin=1 - p).value == value


def test_sure_tower_makes_no_garment_of_everything() -> None:
    result = category(*says(tower={"Hat": 1.0}, imagenet={"Bowl": 0.05}), on("imagenet", "garment", {"clothes": 0.012}))
    assert result.value is None


@pytest.mark.parametrize("votes", [{}, {"mllm": {}}, {"imagenet": {"Sofa": 0.0}}, {"imagenet": {"Ball": 0.06}}])
def test_silence_and_what_is_hardly_likely_are_outside(votes: dict[str, dict[str, float]]) -> None:
    result = category(*says(**votes), on("imagenet", "garment", FURNITURE))
    assert (result.value, result.in_range) == (None, False)
    assert bool(result.candidates) is (votes.get("imagenet") == {"Ball": 0.06})


def test_the_order_of_values_decides_nothing() -> None:
    tie = {"Shirt": 0.4, "Polo": 0.4, "Hat": 0.2}
    assert category(*says(mllm=tie)) == category(*says(mllm=dict(reversed(tie.items()))))


def test_photos_of_nothing_name_candidates_and_decide_nothing() -> None:
    votes = says(tower={"Hat": 0.3, "Shirt": 0.3}, imagenet={"Lamp": 0.4, "Vase": 0.01})
    result = category(*votes, on("imagenet", "garment", {"clothes": 0.3}), on("roles", "role", "nothing"))
    assert (result.value, result.confidence) == (None, 0.0)
    assert result.candidates


def test_form_over_the_tree_is_one_pool() -> None:
    rule = Calibration(default=QuestionCalibration(weights={"mllm": 1.0, "neighbours": 1.0}, threshold=0.8))
    form = on("mllm", "category", {"Sofa": 0.5, "Shirt": 0.1}, None)
    assert category(form, rule=rule).value == "Sofa"
    nothing = on("mllm", "category", {"Sofa": 0.2}, None)  # "something else" is what is missing
    assert category(nothing, rule=rule).value is None


def test_two_kinds_of_item_are_noticed() -> None:
    def flags(*views: dict[str, float]) -> list[str]:
        towers = [on("evidence_tower", "category", view, i) for i, view in enumerate(views)]
        all_flags = decided(towers, RULE, photos=len(views)).flags
        return [flag.message for flag in all_flags if flag.code == "several-items"]

    shirt, shoes, unsure = {"Shirt": 0.95, "Shoes": 0.0}, {"Shoes": 0.9, "Shirt": 0.01}, {"Shirt": 0.5, "Shoes": 0.4}
    assert "shirt and shoes" in flags(shirt, shoes)[0]
    assert flags(shirt, shirt) == flags(unsure, shoes) == []  # it may be the same shoes
    likely = {"Dress": 0.5, "Skirt": 0.3, "Shoes": 0.01}
    assert flags(likely, shoes)
    assert flags({name: p / 2 for name, p in likely.items()}, shoes) == []


@pytest.mark.parametrize("count", [1, 1000])
@pytest.mark.parametrize("weight", [0.0, 1.0, None])
def test_past_listings_never_overrule_a_sure_model(count: int, weight: float | None) -> None:
    ids = [str(number) for number in range(count)]
    observations = [
        on("mllm", "category", {"Hoodie": 0.99}, None),
        on("mllm", "colour", {"navy": 0.99}, None),
        on("neighbours", "category", "Skirt", None, listing_ids=ids),
        on("neighbours", "colour", "red", None, listing_ids=ids),
    ]
    rule = UNCALIBRATED  # past listings that were not measured do not vote
    if weight is not None:
        rule = Calibration(default=QuestionCalibration(weights={"mllm": 1.0, "neighbours": weight}, threshold=0.8))
    decision = decided(observations, rule)
    colour = next(fact for fact in decision.facts if fact.name == "colour")
    assert (decision.category.value, colour.value or colour.suggestion) == ("Hoodie", "navy")


def test_studio_ground_tempers_a_garment() -> None:
    tempered = RANGE.model_copy(update={"temper_studio": -1.0, "temper_ratio": 0.5})
    rule = RULE.model_copy(update={"range": tempered})
    clothes = [on("imagenet", "garment", CLOTHES), on("imagenet", "category", {"Dress": 0.01})]
    doubtful = [on("imagenet", "garment", {"clothes": 0.2}), on("imagenet", "category", {"Sofa": 0.2})]
    studio = on("evidence_tower", "ground", "studio")
    at_home = category(*says(tower=SHIRT), *doubtful, rule=rule)
    in_studio = category(*says(tower=SHIRT), *doubtful, studio, rule=rule)
    first = [result.candidates[0] for result in (in_studio, at_home, category(*says(tower=SHIRT), *clothes, rule=rule))]
    assert {candidate.value for candidate in first} == {"Shirt"}
    assert first[0].confidence < first[1].confidence < first[2].confidence
    for tempered_one in (at_home, in_studio):
        assert sum(c.confidence for c in tempered_one.candidates) <= 1.0
    sofa = [on("imagenet", "garment", FURNITURE), on("imagenet", "category", SOFA)]
    assert category(*sofa, studio, rule=rule) == category(*sofa, rule=RULE)


@pytest.mark.parametrize(
    ("p", "others", "name"),
    [
        (0.16, ["Bed", "Desk", "Stool", "Cabinet", "Mirror", "Rug"], "Sofa"),
        (0.14, ["Bed", "Desk", "Stool", "Cabinet", "Mirror", "Rug", "Armchair"], "Seating"),
        (0.14, ["Mug", "Book", "Dress", "Backpack", "Guitar", "Laptop", "Candle"], None),
    ],
)
def test_a_shop_names_no_kind_that_is_unlikely(p: float, others: list[str], name: str | None) -> None:
    assert set(others) <= set(TAXONOMY.categories)
    shop = Calibration(questions={"category": QuestionCalibration(weights={GENERAL: 0.0, "heads": 1.0}, threshold=0.5)})
    shares = {"Sofa": p, **{other: (1 - p) / len(others) for other in others}}
    assert category(*says(heads=shares), rule=shop).value == name
