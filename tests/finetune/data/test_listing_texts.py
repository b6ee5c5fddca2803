"""A catalogue's own titles and descriptions, cut to what the prompt says."""

from random import Random

import pytest

from finetune.data.listing_texts import AllowedClaims, claimed_part, listing_task
from finetune.data.past_listings import listing_tasks
from listing.say.claims import Claim
from listing.say.write import checked
from listing.taxonomy import load_taxonomy

TAXONOMY = load_taxonomy()
CLAIMS = {("colour", "black"), ("audience", "men"), ("sleeve", "short"), ("neckline", "crew")}
KNOWN = AllowedClaims("t-shirt", TAXONOMY.categories["T-Shirt"], frozenset(CLAIMS))
LISTING = {
    "category": "T-Shirt",
    "title": "Acme Men Printed Black T-shirt",
    "description": "Composition\nBlack t-shirt made of 100% cotton, has a round neck, short sleeves, a silver badge\n"
    "Wash care\nMachine wash\nPair this t-shirt with blue jeans and shoes for a great look.",
    "attributes": {"colour": "black", "audience": "men", "neckline": "crew", "sleeve": "short", "brand": "Acme"},
}


@pytest.mark.parametrize(
    ("text", "kept"),
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
def test_what_no_claim_covers_goes_and_the_rest_keeps_its_order(text, kept):
    assert claimed_part(text, KNOWN) == kept


def test_a_target_says_what_its_prompt_says_in_the_catalogues_words():
    rng = Random(0)
    made = [task for _ in range(60) if (task := listing_task(LISTING, TAXONOMY, rng, []))]
    assert len(made) > 40
    for task in made:
        title, description = task.answer.split("\n")
        prompt = task.prompt.lower()
        assert all(word in prompt for word in ("black", "men") if word in title.lower().split())
        assert ("Acme" in task.answer) <= ("brand: Acme" in task.prompt)
        assert ("short" in description) <= ("short" in prompt)
        assert not {"100%", "badge", "jeans", "wash", "printed"} & set(task.answer.lower().split())
    assert "Men Black T-shirt\nBlack t-shirt with a round neck and short sleeves." in {task.answer for task in made}


def test_some_prompts_show_other_listings_and_the_answer_stays_the_same_sellers():
    rng = Random(1)
    others = ["Gorgeous Northwind skirt. A dream in yellow."]
    made = [task for _ in range(40) if (task := listing_task(LISTING, TAXONOMY, rng, [*others]))]
    shown = [task for task in made if "Other listings" in task.prompt]
    assert 0 < len(shown) < len(made)
    assert any("Northwind" in task.prompt for task in shown)
    assert not any({"Northwind", "dream", "yellow"} & set(task.answer.split()) for task in made)


def test_no_prompt_shows_the_listings_own_texts():
    rng, own = Random(1), f"{LISTING['title']}. {LISTING['description']}"
    made = [t for _ in range(40) if (t := listing_task(LISTING, TAXONOMY, rng, [own, "Gorgeous Northwind skirt."]))]
    assert any("Northwind" in task.prompt for task in made)
    assert not any(LISTING["title"] in task.prompt for task in made)


def test_nothing_is_taught_of_a_text_with_contact_data():
    told = {**LISTING, "description": LISTING["description"] + "\nCall me at 0171 2345678"}
    names = [{t.name for _ in range(9) for t in listing_tasks(row, TAXONOMY, Random(0), [])} for row in (LISTING, told)]
    assert "listing" in names[0]
    assert "listing" not in names[1]


@pytest.mark.parametrize(
    ("title", "brand", "kept"),
    [
        ("Men Purple T-Shirts", None, True),
        ("Flying Machine Men Purple T-shirt", "Flying Machine", True),
        ("Flying Machine Men Purple T-shirt", None, False),
        ("Men Purple Northwind T-shirt", None, False),
    ],
)
def test_a_title_in_capitals_is_served_where_it_names_nothing_unknown(title, brand, kept):
    claims = [Claim("category", "T-Shirt"), Claim("colour", "purple"), Claim("audience", "men")]
    claims += [Claim("brand", brand)] if brand else []
    assert checked(title, "title", claims, TAXONOMY)[0] == (title if kept else "")
