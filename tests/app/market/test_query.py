"""What the words of a search mean, and what fits it, on listings of real photos."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

from app.market.search.names import closeness, languages, names_in
from app.market.search.query import understand
from app.market.search.ranking import Words, fit, ranked
from listing.taxonomy import load_taxonomy

SETS = Path("finetune/annotations/sets")
QUERIES = [json.loads(line) for line in (SETS / "search_queries.jsonl").read_text("utf-8").splitlines()]
SPELT = {
    "jumper": ("jumper", "sweater", "pullover"),
    "trainers": ("sneaker", "trainer"),
    "jacket": ("jacket", "anorak"),
}
SPELT |= {"t-shirt": ("t-shirt", "tee"), "dress": ("dress", "gown"), "flip-flops": ("flip", "slides", "sandals")}
SHADES = {"navy": {"navy", "blue"}, "turquoise": {"green", "blue", "light-blue"}, "light-blue": {"light-blue", "blue"}}
FACTS = ("colour", "colour2", "pattern", "material", "audience", "brand")


@pytest.fixture(scope="module")
def listings() -> list[tuple[str, Words, dict[str, str]]]:
    """(kind, what the listing says, its annotation) of every photo that was annotated."""
    out = []
    with gzip.open("finetune/annotations/clothing_cc0.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    for row in rows:
        facts = {n: row[n] for n in FACTS if row.get(n) not in (None, "unknown", "none")}
        out.append((row["item"], Words(row["label"], row["title"], row["description"], facts), row))
    return out


def right(query: dict, kind: str, row: dict) -> bool:
    """Of the kind that is meant, and nothing to the contrary."""
    kinds = query.get("kind", kind)
    kinds = [kinds] if isinstance(kinds, str) else kinds
    names = [name for k in kinds for name in SPELT.get(k, (k,))]
    text = f"{kind} {row['title']}".lower()
    colours = SHADES.get(query.get("colour", ""), {query.get("colour")})
    return (
        re.search(rf"\b(?:{'|'.join(names)})s?\b", text) is not None
        and ("colour" not in query or bool(colours & {row["colour"], row["colour2"]}))
        and ("audience" not in query or row["audience"] in (query["audience"], "unknown", "baby"))
    )


def test_what_people_type_puts_what_they_mean_first(listings):
    there, first, nothing = 0, 0, []
    for query in QUERIES:
        if not any(right(query, kind, row) for kind, _, row in listings):
            continue  # nobody sells one here
        there += 1
        meant = understand(query["q"])
        fits = {str(n): fit(meant, words) for n, (_, words, _) in enumerate(listings)}
        best = ranked(fits, [], named=bool(meant.kinds))[0][:10]
        first += any(right(query, kind, row) for kind, _, row in (listings[int(n)] for n in best))
        nothing += [query["q"]] if not best else []
    assert there >= 35
    assert first / there >= 0.9
    assert len(nothing) < 3


@pytest.mark.parametrize(
    ("text", "name", "kind", "facts"),
    [
        ("rucksack", "backpack", "Backpack", {}),
        ("backpak", "backpack", "Backpack", {}),
        ("tshirt", "t shirt", "T-Shirt", {}),
        ("schwarze Jeans", "jeans", "Pants", {"colour": {"black"}}),
        ("mens shirt white", "shirt", "Shirt", {"audience": {"men"}, "colour": {"white"}}),
    ],
)
def test_words_are_understood(text, name, kind, facts):
    query = understand(text)
    assert (query.name, {n: set(v) & facts[n] for n, v in query.facts.items()}) == (name, facts)
    assert query.kinds[kind] == 1.0


LIMITS = {"hoodie under 10 euro": (10, ""), "max 30 backpack": (30, ""), "jacket < 7,50 €": (7.5, "")}
LIMITS |= {"XL jumper": (None, "XL"), "t-shirt size 152": (None, "152"), "men's shirt": (None, "")}


@pytest.mark.parametrize("text", LIMITS)
def test_prices_and_sizes_are_limits(text):
    query = understand(text)
    assert (query.most, query.size) == LIMITS[text]
    assert query.kinds


@pytest.mark.parametrize("text", ["nike", "Zara", "Playmobil", "x", "'", "%_"])
def test_names_are_not_corrected(text):
    query = understand(text)
    assert query.kinds == {}
    assert [*query.words, *query.facts.get("brand", ())] == [text.lower()] * text.isalpha()


def test_what_a_listing_says_to_the_contrary_counts_against_it():
    red = understand("red jacket")
    colours = {"Red jacket": "red", "Jacket": "red", "Jacket with red zip": "blue", "Anorak": "blue"}
    jackets = [Words("Outwear", title, "", {"colour": colour}) for title, colour in colours.items()]
    scores = [fit(red, jacket) for jacket in jackets]
    assert [s.total for s in scores] == sorted((s.total for s in scores), reverse=True)
    assert [s.whole for s in scores] == [True, True, False, False]


ENGLISH = {"garden hose": "hose", "rock climbing shoes": "rock", "beach hut": "hut", "hard rock cafe t-shirt": "rock"}


@pytest.mark.parametrize("text", ENGLISH)
def test_english_words_are_not_translated(text):
    assert ENGLISH[text] in understand(text).spelt.split()


@pytest.mark.parametrize("text", ["dress up to 12 months", "table under 100 cm", "bag up to 20 l"])
def test_measures_are_no_prices(text):
    assert understand(text).most is None


# Of these nothing is called otherwise, or nobody looks for them by a word of their own.
UNTRANSLATED = {"mask", "deodorant", "trolley", "spotlight", "pumpkin lantern", "bathroom holder", "handle", "radio"}
UNTRANSLATED |= {"router", "banjo", "pan flute", "maraca", "puck", "archery bow", "food product"}


@pytest.mark.parametrize("language", languages())
def test_things_of_every_category_have_words_in_every_language(language):
    things = {node.phrase for node in load_taxonomy().leaves() if node.path[0] != "Clothing"} - UNTRANSLATED
    spoken = set(languages()[language].values())
    missing = {thing for thing in things if thing not in spoken}
    assert len(missing) <= 6, missing  # those whose word is an English one


@pytest.mark.parametrize(
    ("title", "is_near"), [("Black punching bag", False), ("Sleeping bag", False), ("Red shoulder bag", True)]
)
def test_a_thing_is_not_always_what_the_last_word_of_its_name_says(title, is_near):
    assert (closeness("bag", names_in(title), 0.0) > 0) is is_near


def test_a_group_is_a_kind_of_its_own():
    assert {"Bags", "Handbag", "Backpack"} <= understand("bag").kinds.keys()
