"""A catalogue's own titles and descriptions, cut to what the prompt says."""

from random import Random

import pytest

from finetune.data.listing_texts import AllowedClaims, claimed_part, listing_task
from finetune.data.past_listings import listing_tasks
from listing.say.claims import Claim
from listing.say.compose import checked
from listing.taxonomy import load_taxonomy

TAXONOMY = load_taxonomy()
CLAIMS = {("colour", "black"), ("audience", "men"), ("sleeve", "short"), ("neckline", "crew")}
ALLOWED = AllowedClaims("t-shirt", TAXONOMY.categories["T-Shirt"], frozenset(CLAIMS))
LISTING = {
    "category": "T-Shirt",
    "title": "Acme Men Printed Black T-shirt",
    "description": "Composition\nBlack t-shirt made of 100% cotton, has a round neck, short sleeves, a silver badge\n"
    "Wash care\nMachine wash\nPair this t-shirt with blue jeans and shoes for a great look.",
    "attributes": {"colour": "black", "audience": "men", "neckline": "crew", "sleeve": "short", "brand": "Acme"},
}


@pytest.mark.parametrize(
    ("text", "remaining"),
    [
        ("Acme Men Printed Black T-shirt", "Men Black T-shirt"),
        ("Acme Men Need for Speed Black T-shirt", "Men Black T-shirt"),
        ("Midnight Black Men T-shirt with a dragon", "Black Men T-shirt"),
        ("Black t-shirt made of 100% cotton, has a round neck and a zip", "Black t-shirt with a round neck"),
        ("Black t-shirt with a badge, short sleeves and a hood", "Black t-shirt with short sleeves"),
        ("It has a round neck, short sleeves and a zip", "It has a round neck and short sleeves"),
        ("You will love this black t-shirt", ""),
        ("Machine wash", ""),
    ],
)
def test_what_no_claim_covers_goes(text, remaining):
    assert claimed_part(text, ALLOWED) == remaining


def test_a_target_says_what_its_prompt_says():
    rng = Random(0)
    tasks = [task for _ in range(60) if (task := listing_task(LISTING, TAXONOMY, rng, []))]
    assert len(tasks) > 40
    for task in tasks:
        title, description = task.answer.split("\n")
        prompt = task.prompt.lower()
        assert all(word in prompt for word in ("black", "men") if word in title.lower().split())
        assert ("Acme" in task.answer) <= ("brand: Acme" in task.prompt)
        assert ("short" in description) <= ("short" in prompt)
        assert not {"100%", "badge", "jeans", "wash", "printed"} & set(task.answer.lower().split())
    assert "Men Black T-shirt\nBlack t-shirt with a round neck and short sleeves." in {task.answer for task in tasks}


def test_no_prompt_shows_the_texts_of_its_listing():
    rng, sellers_text = Random(1), f"{LISTING['title']}. {LISTING['description']}"
    tasks = [
        t for _ in range(40) if (t := listing_task(LISTING, TAXONOMY, rng, [sellers_text, "Gorgeous Northwind skirt."]))
    ]
    assert any("Northwind" in task.prompt for task in tasks)
    assert not any(LISTING["title"] in task.prompt for task in tasks)


def test_texts_with_contact_data_teach_nothing():
    with_contact = {**LISTING, "description": LISTING["description"] + "\nCall me at 0171 2345678"}
    names = [
        {t.name for _ in range(9) for t in listing_tasks(row, TAXONOMY, Random(0), [])}
        for row in (LISTING, with_contact)
    ]
    assert "listing" in names[0]
    assert "listing" not in names[1]


@pytest.mark.parametrize(
    ("title", "brand", "is_served"),
    [
        ("Men Purple T-Shirts", None, True),
        ("Flying Machine Men Purple T-shirt", "Flying Machine", True),
        ("Flying Machine Men Purple T-shirt", None, False),
        ("Men Purple Northwind T-shirt", None, False),
    ],
)
def test_a_title_in_capitals_names_nothing_unknown(title, brand, is_served):
    claims = [Claim("category", "T-Shirt"), Claim("colour", "purple"), Claim("audience", "men")]
    claims += [Claim("brand", brand)] if brand else []
    assert checked(title, "title", claims, TAXONOMY)[0] == (title if is_served else "")
