"""Brands in lines with misread letters."""

import numpy as np
import pytest

from listing.observe.printed.brand_list import Spotted, SpottingDecoder, best_path
from listing.observe.printed.brands import find_brand
from listing.observe.printed.ocr import OcrSpan

CHARACTERS = ["blank", *"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ .&-'"]


class Greedy:
    """A decoder that reads the likeliest letters."""

    character = CHARACTERS

    def __call__(self, steps):
        best = steps.argmax(2)
        return [("".join(CHARACTERS[i] for i in row if i), 0.9) for row in best], None


def steps(read, doubts=()):
    """Probabilities [1, steps, characters] of a line; doubts: (place, other letter, its probability)."""
    probabilities = np.full((1, 2 * len(read), len(CHARACTERS)), 1e-5)
    for i, letter in enumerate(read):
        probabilities[0, 2 * i, CHARACTERS.index(letter)] = 0.98
        probabilities[0, 2 * i + 1, 0] = 0.98
    for place, letter, p in doubts:
        probabilities[0, 2 * place, CHARACTERS.index(letter)] = p
        probabilities[0, 2 * place, CHARACTERS.index(read[place])] = 0.98 - p
    return probabilities


@pytest.mark.parametrize(
    ("read", "doubts", "brand"),
    [
        ("adidas", (), "adidas"),
        ("adidos", [(4, "a", 0.2)], "adidas"),
        ("adidos", (), None),  # the letter is not even likely
        ("PUMR", [(3, "A", 0.3)], "Puma"),
        ("ROCK", (), None),
        ("NEXR", [(3, "T", 0.3)], None),  # a brand that is also a word has to be surer
    ],
)
def test_a_brand_is_spotted_where_each_letter_is_likely(read, doubts, brand):
    ((line, _),), _ = SpottingDecoder(Greedy())(steps(read, doubts))
    assert line == read
    assert (line.spotted.name if line.spotted else None) == brand


def test_double_letters_need_a_blank_between_them():
    one, two = np.log(steps("ab")[0]), np.array([[1, 2], [2, 2]])
    straight, double = best_path(one, two)
    assert straight > -0.2
    assert double < -10


def test_a_spotted_brand_counts_where_nothing_was_read_and_two_cancel_each_other():
    box = (0.1, 0.1, 0.5, 0.2)
    spotted = OcrSpan("Rappa", box, 0.9, 0.0, Spotted("Kappa", 0.8))
    brand_match = find_brand([spotted])
    assert (brand_match.name, brand_match.span, brand_match.score) == ("Kappa", spotted, 0.8)
    assert find_brand([spotted, OcrSpan("adidas", box, 0.99)]) is None
