"""Prohibited goods: the development set's floors, and that category and text both count."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.drafts.evidence_sets import goods, read_set
from listing.safety.prohibited_goods import check_goods, load_rules

SETS = Path(__file__).parents[2] / "sets"


@pytest.mark.parametrize("name", ["dev_goods", "dev2_goods_tune", "dev2_goods_check", "dev3_goods"])
def test_development_sets_reach_their_floors(name: str) -> None:
    report = goods(read_set(SETS / f"{name}.jsonl"))
    assert report["counts"]["prohibited"] >= 40
    assert report["counts"]["legitimate"] >= 80
    assert report["refused"] >= 0.95
    assert report["let_through"] >= 0.95


def test_a_harmless_neighbour_does_not_excuse_the_goods() -> None:
    refusal = check_goods("Outwear", "Camouflage jacket and a box of 9 mm ammunition")
    assert refusal is not None
    assert refusal.code == "ammunition"
    assert refusal.message.endswith(".")


def test_the_category_counts() -> None:
    assert check_goods("Firearms", "Very good, hardly used") is not None
    assert check_goods("Shoes", "Very good, hardly used") is None


def test_a_garment_may_be_named_after_goods_but_not_offered_with_them() -> None:
    assert check_goods("T-Shirt", "Guns purple t-shirt") is None
    assert check_goods("T-Shirt", "Purple t-shirt and a gun") is not None


def test_messages_are_one_polite_sentence_each() -> None:
    rules = load_rules().rules
    assert len({r.code for r in rules}) == len(rules) >= 15
    assert all(r.message.count(".") == 1 and r.message[0].isupper() for r in rules)
