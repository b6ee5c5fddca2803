"""What may not be written is out of reach, in each way of writing it, and nothing else is."""

from __future__ import annotations

import torch

from listing.backends.avoiding import Avoid
from listing.text.write import unsaid
from tests.listing.text.items import TAXONOMY, claims


def letters(text: str) -> list[int]:
    return list(text.encode())


def out_of_reach(avoid: Avoid, text: str) -> str:
    scores = avoid(torch.tensor([letters(text)]), torch.zeros(1, 128))
    return "".join(chr(i) for i in (scores[0] == float("-inf")).nonzero().flatten().tolist())


def test_only_the_last_letter_of_a_word_that_is_to_be_avoided_is_out_of_reach():
    avoid = Avoid(["red", "short sleeved"], letters)
    assert out_of_reach(avoid, "A re") == "d"
    assert out_of_reach(avoid, "A short-sleeve") == "d"
    assert out_of_reach(avoid, "Men Short Sleeve") == "d"
    assert out_of_reach(avoid, "Re") == "d"
    assert out_of_reach(avoid, "A tailore") == "", "a word that only ends so"
    assert out_of_reach(avoid, "A") == ""
    assert out_of_reach(Avoid([], letters), "A re") == ""


def test_values_that_no_claim_holds_are_avoided_and_the_words_of_the_claims_are_not():
    avoided = set(unsaid(claims("T-Shirt", {"colour": "navy", "sleeve": "short"}, ("lace trim",)), "", TAXONOMY))
    assert {"red", "long sleeves", "v neck", "women", "zip"} <= avoided
    assert not {"navy", "navy blue", "short sleeves", "lace"} & avoided
    assert "zip" not in unsaid(claims("T-Shirt", {}), "The zip works.", TAXONOMY)
