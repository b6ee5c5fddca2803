"""A draft that names a group of the tree: its nouns are supported, its facts can be stated, its texts name it."""

from __future__ import annotations

import pytest

from listing.say.ask import questions
from listing.say.check import verify
from listing.taxonomy import load_taxonomy
from tests.listing.decide.observed import decided, on

TAXONOMY = load_taxonomy()


VERDICTS = {"bag": "supported", "handbag": "unsupported", "chair": "contradicted"}


@pytest.mark.parametrize("noun", VERDICTS)
def test_a_noun_of_the_group_is_supported_and_of_a_member_left_open(noun: str) -> None:
    statements = verify(f"A black {noun}.", {"colour": "black"}, "Bags", TAXONOMY)
    assert [s.verdict for s in statements if s.text == noun] == [VERDICTS[noun]]


def test_words_of_the_seller_name_their_own_thing() -> None:
    statements = verify("A red chopping board.", {"colour": "red"}, "chopping board", TAXONOMY)
    assert {s.verdict for s in statements} == {"supported"}


def test_a_group_is_asked_for_its_kind_first() -> None:
    bags = {"Backpack": 0.2, "Handbag": 0.2, "Sofa": 0.2}
    decision = decided([on("imagenet", "category", bags), on("imagenet", "garment", {"clothes": 0.001})])
    first = questions(decision.category, decision.facts, TAXONOMY)[0]
    assert (first.attribute, first.text) == ("category", "What kind of bag is it?")
    assert set(first.choices) == bags.keys()


def test_the_question_names_the_kind_and_not_a_piece_of_it() -> None:
    storage = {"Cabinet": 0.25, "Wardrobe": 0.2, "Bookcase": 0.2}
    decision = decided([on("imagenet", "category", storage), on("imagenet", "garment", {"clothes": 0.001})])
    first = questions(decision.category, decision.facts, TAXONOMY)[0]
    assert first.text == "What kind of storage furniture is it?"


@pytest.mark.parametrize("kind", ["Groceries", "Lipstick", "Book"])
def test_nobody_is_asked_for_the_size_on_the_label_of_a_packet_or_a_book(kind: str) -> None:
    assert "size" not in [a.name for a in TAXONOMY.schema(kind)]
