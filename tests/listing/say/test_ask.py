"""What a seller is offered beside a text, nothing that it says, or that does not fit; and what they are asked first."""

from __future__ import annotations

import pytest

from listing.say.ask import MOST, offers_of, open_offers, questions, searchable
from listing.say.claims import Claim
from listing.say.render import render
from listing.say.settle import detail_forms
from listing.schema import Draft
from tests.listing.decide.observed import decided, on
from tests.listing.say.items import TAXONOMY, draft_of

CUFFS = Claim("detail", "ribbed cuffs", "check", 0.6)


def with_offers(kind: str, claims: list[Claim], likely: dict[tuple[str, str], float], **changes: object) -> Draft:
    text = render([Claim("category", kind), *claims], TAXONOMY, key="0")
    return draft_of(kind, text, offers=offers_of(likely, kind, TAXONOMY), **changes)


def offered(kind: str, claims: list[Claim], *likely: tuple[str, str]) -> list[str]:
    """Labels of what is offered beside the text of these claims, of all that is likely (best first)."""
    ranked = {entry: 0.5 - n / 1000 for n, entry in enumerate(likely)}
    return [offer.label for offer in open_offers(with_offers(kind, claims, ranked), TAXONOMY)]


@pytest.mark.parametrize(
    ("kind", "claims", "likely", "labels"),
    [
        ("Hoodie", [CUFFS], [("detail", "ribbed cuffs"), ("detail", "piping")], ["piping"]),
        ("Hoodie", [Claim("detail", "chest pocket")], [("detail", "pockets"), ("detail", "patch")], ["sewn-on patch"]),
        ("Hoodie", [CUFFS], [("detail", "belt loops"), ("detail", "round toe")], []),
        ("Polo", [CUFFS], [("neckline", "collar"), ("detail", "small collar"), ("sleeve", "short")], ["short-sleeved"]),
        ("Hoodie", [Claim("detail", "full zip")], [("detail", "half zip")], []),
        ("Hoodie", [Claim("detail", "full zip", "check", 0.6)], [("detail", "half zip")], ["half zip"]),
        ("Dress", [Claim("sleeve", "short")], [("detail", "thin straps"), ("sleeve", "long")], []),
        ("Dress", [Claim("pattern", "graphic")], [("detail", "star print")], ["star print"]),
        ("T-Shirt", [Claim("colour", "navy")], [("colour2", "navy"), ("colour2", "white")], ["also white"]),
        ("T-Shirt", [Claim("colour", "navy")], [("pattern", "striped"), ("audience", "men")], ["striped", "for men"]),
        ("T-Shirt", [Claim("pattern", "logo")], [("pattern", "graphic"), ("pattern", "other")], []),
        ("Shoes", [Claim("colour", "navy")], [("condition", "scuffed"), ("item_type", "loafers")],
         ["scuffed", "type: loafers"]),
    ],
)  # fmt: skip
def test_what_is_offered(kind, claims, likely, labels):
    assert offered(kind, claims, *likely) == labels


def test_unclaimed_words_of_a_text_are_not_offered():
    likely = {("detail", "piping"): 0.5, ("pattern", "striped"): 0.4, ("detail", "patch"): 0.3}
    text = with_offers("Hoodie", [], likely, description="With piping and white stripes.")
    assert [offer.value for offer in open_offers(text, TAXONOMY)] == ["patch"]
    assert open_offers(text.model_copy(update={"spans": []}), TAXONOMY) == []


def test_best_offers_put_details_before_facts():
    likely = {
        ("material", "cotton"): 0.9,
        ("material", "denim"): 0.5,
        ("detail", "piping"): 0.4,
        ("detail", "plain"): 0.3,
    }
    likely |= {("pattern", "solid"): 0.5, ("colour2", "white"): 0.5, ("colour2", "red"): 0.3, ("colour2", "grey"): 0.2}
    labels = [offer.label for offer in offers_of(likely, "Hoodie", TAXONOMY)]
    assert labels == ["piping", "plain", "also white", "denim", "also red"]
    many = [("detail", phrase) for phrase in detail_forms()]
    assert len(offered("Hoodie", [Claim("colour", "navy")], *many)) == MOST


def test_every_other_detail_can_be_searched_for():
    draft = with_offers("Hoodie", [CUFFS], {("detail", "patch"): 0.3})
    phrases = [offer.value for offer in searchable(draft, TAXONOMY)]
    assert phrases[0] == "patch"
    assert {"half zip", "keyhole"} <= set(phrases)
    assert not {"ribbed cuffs", "round toe"} & set(phrases)
    assert searchable(draft.model_copy(update={"spans": []}), TAXONOMY) == []


# -- questions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("likely", "question"),
    [
        ({"Backpack": 0.2, "Handbag": 0.2, "Sofa": 0.2}, "What kind of bag is it?"),
        ({"Cabinet": 0.25, "Wardrobe": 0.2, "Bookcase": 0.2}, "What kind of storage furniture is it?"),
    ],
)
def test_a_group_is_asked_for_its_kind_first(likely: dict[str, float], question: str) -> None:
    decision = decided([on("imagenet", "category", likely), on("imagenet", "garment", {"clothes": 0.001})])
    first = questions(decision.category, decision.facts, TAXONOMY)[0]
    assert (first.attribute, first.text) == ("category", question)
    assert set(first.choices) == likely.keys()
