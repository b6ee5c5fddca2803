"""What is offered beside a text: nothing that it says, that does not fit, or that speaks against what is sure."""

from __future__ import annotations

import pytest

from listing.schema import Draft, Quality
from listing.text.claims import Claim
from listing.text.offers import MOST, offers_of, open_offers
from listing.text.render import render
from tests.listing.text.items import TAXONOMY, category

CUFFS = Claim("detail", "ribbed cuffs", "check", 0.6)


def offered(kind: str, claims: list[Claim], *likely: tuple[str, str]) -> list[str]:
    """Labels of what is offered beside the text of these claims, of all that is likely (best first)."""
    text = render([Claim("category", kind), *claims], TAXONOMY, key="0")
    ranked = {entry: 0.5 - n / 1000 for n, entry in enumerate(likely)}
    draft = Draft(
        id="0",
        photos=[],
        category=category(kind),
        title=text.title,
        description=text.description,
        spans=text.spans,
        offers=offers_of(ranked, kind, TAXONOMY),
        quality=Quality(score=1),
        model="m",
    )
    return [offer.label for offer in open_offers(draft, TAXONOMY)]


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


def test_words_of_a_text_that_nobody_claimed_are_not_offered():
    likely = {("detail", "piping"): 0.5, ("pattern", "striped"): 0.4, ("detail", "patch"): 0.3}
    text = Draft(
        id="0", photos=[], category=category("Hoodie"), title="Hoodie", description="With piping and white stripes.",
        spans=render([Claim("category", "Hoodie")], TAXONOMY, key="0").spans, quality=Quality(score=1), model="m",
        offers=offers_of(likely, "Hoodie", TAXONOMY),
    )  # fmt: skip
    assert [offer.value for offer in open_offers(text, TAXONOMY)] == ["patch"]
    assert open_offers(text.model_copy(update={"spans": []}), TAXONOMY) == []


def test_the_likeliest_are_kept():
    names = [name for name in TAXONOMY.attributes["colour2"].values if name not in ("navy", "multicolour")]
    many = [("colour2", name) for name in names] + [
        ("detail", d) for d in ("piping", "patch", "soft", "cropped", "bow")
    ]
    many += [("detail", d) for d in ("embroidery", "lettering", "dots", "small logo", "washed", "sporty")]
    assert len(offered("Hoodie", [Claim("colour", "navy")], *many)) == MOST
