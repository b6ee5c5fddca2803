"""Measures of free text, by hand."""

import pytest

from finetune.evaluate.measures import distinct_2, rouge_l
from finetune.evaluate.style import StyleClassifier, masked, opening


@pytest.mark.parametrize(
    ("text", "reference", "expected"),
    [
        ("navy hoodie with zip", "navy hoodie with zip", 1.0),
        ("navy hoodie", "a navy zip hoodie", 2 * 2 / 6),
        ("hoodie navy", "navy hoodie", 2 * 1 / 4),  # order counts
        ("", "navy hoodie", 0.0),
        ("Navy, HOODIE!", "navy hoodie", 1.0),
    ],
)
def test_rouge_l_by_hand(text, reference, expected):
    assert rouge_l(text, reference) == pytest.approx(expected)


def test_distinct_2_counts_pairs_over_all_texts():
    assert distinct_2(["a b c", "a b d"]) == pytest.approx(3 / 4)


SELLER = [
    f"Selling my {thing}, it is a little creased in the photo. Just ask me."
    for thing in ("coat", "hat", "top", "skirt", "dress", "shirt")
]
SHOP = [
    f"Look effortlessly stylish in this {thing} from the new season's collection. Machine wash cold, wash care inside."
    for thing in ("kurta", "coat", "top", "saree", "dress", "shirt")
]


def test_the_style_classifier_tells_voices_apart_and_an_empty_text_has_none():
    style = StyleClassifier((SELLER[:4], SELLER[4:]), (SHOP[:4], SHOP[4:]))
    assert style.held_accuracy == 1.0
    assert style.platform([SELLER[5], SHOP[5], ""]) == [True, False, False]


def test_what_a_text_is_about_is_masked():
    assert masked("Navy hoodie by Nike, size 38") == masked("Red dress by Puma, size 40")
    assert masked("Selling a hoodie") != masked("Buy a hoodie")


def test_an_opening_is_whole_sentences():
    assert opening("One two three. Four five six. Seven.", 6) == "One two three. Four five six."
    assert opening("One two three four five.", 2) == "One two three four five."
