"""The rendered listing: full, grammatical, each claim once, every claim a span, no print of a packet lost."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from listing.decide.claims import Claim
from listing.details import detail_forms
from listing.lexicon import load_lexicon
from listing.request import TONES
from listing.say.render import MAX_TITLE, MAX_WORDS, Text, render
from listing.schema import Category, Evidence
from tests.listing.stubs import TAXONOMY, category, claims, fact, said, text, written

DOUBT = ("description", "check")
TEE = {"colour": "grey", "sleeve": "short", "neckline": "v-neck", "pattern": "solid"}


@pytest.mark.parametrize(
    ("more", "title"),
    [({}, "Grey cardigan with navy stripes"), ({"metal buttons": 0.95}, "Grey striped cardigan with metal buttons")],
)
def test_a_title_says_stripes_that_stand_elsewhere_in_colour(more, title):
    facts = [fact("item_type", "cardigan"), fact("colour", "grey"), fact("pattern", "striped"), fact("colour2", "navy")]
    rendered = written("Longsleeve", facts, {"stripes in the second colour": 0.97, **more})
    assert rendered.title == title
    assert "navy stripes" in rendered.description


def test_a_shop_without_our_values_gets_every_detail():
    attributes = {n: a.model_copy(update={"forms": {}, "values": ()}) for n, a in TAXONOMY.attributes.items()}
    shop = TAXONOMY.model_copy(update={"attributes": attributes})
    for phrase in detail_forms():
        facts = [fact("colour", "grey"), fact("colour2", "navy"), fact("pattern", "ikat")]
        assert render(said("Longsleeve", facts, {phrase: 0.97}), shop).title


@pytest.mark.parametrize(
    ("cuffs", "hem", "words"),
    [
        (0.97, 0.97, "ribbed cuffs and hem"), (0.65, 0.97, "ribbed cuffs and a ribbed hem"),
        (0.97, 0.65, "ribbed cuffs and a ribbed hem"), (0.65, 0.65, "ribbed cuffs and a ribbed hem"),
    ],
)  # fmt: skip
def test_a_thing_to_check_is_named_whole(cuffs, hem, words):
    """Of "ribbed cuffs and [hem?]" the question would be whether it has a hem; an answer takes no word."""
    found = said("Hoodie", [fact("colour", "grey")], {"ribbed cuffs": cuffs, "ribbed hem": hem})
    rendered = render(found, TAXONOMY)
    assert words in rendered.description
    marked = {rendered.description[s.start : s.end] for s in rendered.spans if (s.field, s.status) == DOUBT}
    assert marked == {name for name, p in (("ribbed cuffs", cuffs), ("ribbed hem", hem)) if p < 0.9}
    confirmed = [replace(c, status="seller") if c.status == "check" else c for c in found]
    assert ("a ribbed hem" in render(confirmed, TAXONOMY).description) == ("a ribbed hem" in words)


def test_a_listing():
    rendered = text("T-Shirt", TEE, ("chest pocket", "ribbed cuffs", "ribbed hem"))
    assert rendered.title == "Grey short-sleeved t-shirt with chest pocket"
    assert rendered.description == ("A grey short-sleeved t-shirt with a chest pocket, a v-neck, ribbed cuffs and hem.")
    chair = text("Chair", {"colour": "black"})
    assert chair.title == "Black chair"
    assert chair.description == "This is a black chair.", "a text is as long as what is true"


def test_title_names_what_is_likely_and_distinct():
    read = [fact("text", "SUMMER", 0.95, "ocr"), fact("colour", "navy"), fact("size", "M", 0.95, "ocr")]
    facts = [*read, fact("pattern", "solid"), fact("neckline", "hood")]
    rendered = written("Hoodie", facts, {"fur trim": 0.9, "pockets": 0.99, "sporty": 0.9})
    assert rendered.title == 'Navy hoodie with fluffy trim, "SUMMER" print, size M'
    unsure = [fact("colour", "red", 0.6), fact("material", "knit", 0.6), fact("neckline", "crew", 0.6)]
    rendered = written("Dress", unsure, {"belt": 0.6, "plain": 0.6})
    assert rendered.title == "Red dress with belt"
    assert "plain" not in rendered.description.lower()


def test_item_without_a_name_has_its_facts():
    unknown = Category(value=None, confidence=0.3, candidates=category("Dress", "Skirt", p=0.3).candidates)
    rendered = written(unknown, [fact("colour", "red"), fact("text", "TWININGS", source="ocr")])
    assert (rendered.title, rendered.description) == ("TWININGS", 'It says "TWININGS" on it. It is red.')
    assert {s.attribute for s in rendered.spans} == {"colour", "text"}
    black = written(unknown, [fact("colour", "black")])
    assert (black.title, black.description) == ("Black", ""), "a description adds to its title"


def test_what_the_seller_calls_it_is_no_guess_of_ours():
    guess = Claim("item_type", "beanie", "check", 0.6)
    by_us = render([Claim("category", "Hat", "check", 0.6), guess], TAXONOMY)
    named = render([Claim("category", "Hat", "seller", 1.0), guess], TAXONOMY)
    confirmed = render([Claim("category", "Hat", "seller", 1.0, written_as="check"), guess], TAXONOMY)
    assert (by_us.title, named.title, confirmed.title) == ("Beanie", "Hat", "Beanie")


def test_a_check_is_all_over_by_itself():
    for pattern, details in (
        ("checked", {"all-over print": 0.98}),
        ("other", {"all-over print": 0.9, "large check": 0.95}),
    ):
        said_of = written("Shirt", [fact("colour", "navy"), fact("pattern", pattern)], details)
        assert "check" in said_of.description
        assert "all-over" not in said_of.title + said_of.description


def test_few_and_many_facts_fit_the_length():
    shoes = written("Shoes")
    assert (shoes.title, shoes.description) == ("Shoes", "These are shoes.")
    node = TAXONOMY.categories["Hoodie"]
    fitting = [phrase for phrase, form in detail_forms().items() if form.fits(node)][:40]
    facts = [fact("colour", "navy"), fact("text", "SUMMER BEACH CLUB", 0.95, "ocr"), fact("brand", "Zara", 0.9, "ocr")]
    facts += [fact("size", "M", 1.0, "seller", True), fact("neckline", "hood"), fact("closure", "zip")]
    assert len(said("Hoodie", facts, dict.fromkeys(fitting, 0.9))) >= 30
    full = written("Hoodie", facts, dict.fromkeys(fitting, 0.9))
    assert len(full.title.split()) <= MAX_TITLE
    assert len(full.description.split()) <= MAX_WORDS


def test_every_tone_says_the_same_facts():
    facts = [fact("colour", "navy"), fact("sleeve", "long"), fact("pattern", "striped"), fact("condition", "stain")]
    item_claims = said("Dress", facts, {"belt": 0.9})
    stated = {f.name: f.value for f in facts}
    for tone in TONES:
        words = render(item_claims, TAXONOMY, tone=tone).description
        told = load_lexicon(TAXONOMY).mentions(words)
        assert {name: values for name, values in told.items() if stated.get(name) not in values} == {}, words
        assert "There is a stain." in words
    flaw = fact("defects", "a loose seam.", 1.0, "seller", True)
    assert "Please note: a loose seam." in written("Dress", [*facts, flaw]).description
    allowed = claims("T-Shirt", TEE, ("chest pocket", "curved hem", "straight cut"))
    plain, shorter, warmer = (render(allowed, TAXONOMY, tone=tone).description for tone in TONES)
    assert shorter.count(".") == 1
    assert warmer == plain, "no line is said that claims nothing"


def test_what_the_note_says_stands_once():
    noted = [fact("size", "M", 1.0, "seller"), fact("condition", "hole", 1.0, "seller"), fact("colour", "navy")]
    noted += [fact("defects", "small hole", 1.0, "seller"), fact("condition_grade", "good", 1.0, "seller")]
    for tone in TONES:
        rendered = written("Hoodie", noted, tone=tone)
        assert rendered.title == "Navy hoodie, size M"
        assert not re.search("size M|hole|condition", rendered.description), rendered.description


@pytest.mark.parametrize(
    ("kind", "facts", "details", "never"),
    [
        (
            "Pants",
            {"colour": "olive", "closure": "zip"},
            ("elastic waist", "front pockets"),
            r"\b[Aa]n? (?:olive )?trous|It ",
        ),
        ("Dress", {"colour": "orange"}, ("belt", "all-over print"), r"\ba [aeio]|\ban [^aeiou]"),
        *((kind, {"colour": "white"}, (), r"\b[Ii]t\b") for kind in ("curtains", "Scales", "Headphones", "coasters")),
        *((kind, {"colour": "grey"}, (), r"\b[Aa] grey") for kind in ("Bedding", "Stationery", "Make-up", "Medicine")),
        ("Bedding", {"colour": "white", "item_type": "quilt cover"}, (), "This is white quilt cover"),
        ("Shoes", {"colour": "black"}, (), r"^Black shoes\."),  # its title
    ],
)
def test_articles_plurals_and_pronouns(kind, facts, details, never):
    rendered = text(kind, facts, details)
    assert not re.search(never, rendered.description), rendered.description


@pytest.mark.parametrize(
    ("kind", "printed", "title", "description"),
    [
        ("eggnog taffy", "EGGNOG", "Eggnog taffy", "This is an eggnog taffy."),
        ("beef jerky", "BEEFJERKY", "Beef jerky", "This is beef jerky."),
        ("jar of honey", "", "Jar of honey", "This is a jar of honey."),
        ("hummus", "", "Hummus", "This is hummus."),
        ("taffy", "SQUARES", 'Taffy, "SQUARES"', 'This is a taffy. It says "SQUARES" on it.'),
        ("LED lamp", "", "LED lamp", "This is an LED lamp."),
        ("USB stick", "", "USB stick", "This is a USB stick."),
    ],
)
def test_what_the_seller_names_wears_no_print(kind, printed, title, description):
    rendered = written(kind, [fact("text", printed, 0.97, "ocr")] if printed else [])
    assert (rendered.title, rendered.description) == (title, description)


@pytest.mark.parametrize(
    ("kind", "fact_name", "value", "sentence"),
    [
        ("Washbasin", "condition_grade", "new without tag", "It is new."),
        ("curtains", "condition_grade", "new without tag", "They are new."),
        ("Dress", "condition_grade", "new without tag", "It is new, without a tag."),
        ("Shoes", "size", "38", "They are size 38."),
        ("Table", "dimensions", "75 x 75 x 74", "Measurements: 75 x 75 x 74 cm."),
        ("Table", "dimensions", "75 x 75 cm, 74 high", "Measurements: 75 x 75 cm, 74 cm high."),
    ],
)
def test_what_the_seller_answers_fits_the_thing(kind, fact_name, value, sentence):
    assert sentence in written(kind, [fact(fact_name, value, 1.0, "seller", True)]).description


@pytest.mark.parametrize(
    ("kind", "facts", "details", "never"),
    [
        ("Hoodie", {"neckline": "hood", "sleeve": "long"}, ("drawstring hood",), "a hood|long"),
        ("Outwear", {"item_type": "denim jacket", "material": "denim"}, ("denim look",), "denim.*denim"),
        ("Shirt", {"pattern": "striped", "neckline": "collar"}, ("thin stripes", "vertical stripes"), "striped|collar"),
        ("Shoes", {"closure": "laces"}, ("lace-up", "laces"), "with laces|have laces"),
        ("Shorts", {"closure": "pull-on"}, ("elastic waist",), "pull"),
        ("Pants", {"item_type": "jeans"}, ("denim look", "five-pocket cut", "pockets"), "denim|pockets"),
        ("T-Shirt", {"pattern": "solid"}, ("chest print",), "lain"),
        ("Dress", {"sleeve": "long"}, ("puff sleeves",), "sleeves[^.]*sleeves"),
        ("Longsleeve", {}, ("chest print", "cartoon print", "lettering"), "chest.*chest"),
        ("Pants", {"item_type": "wide trousers"}, ("wide legs", "slim cut"), "ide.*wide"),
    ],
)  # fmt: skip
def test_nothing_is_said_twice_or_needlessly(kind, facts, details, never):
    rendered = text(kind, {"colour": "blue", **facts}, details)
    assert not re.search(never, rendered.description), rendered.description
    assert not re.search(never, rendered.title), rendered.title


def test_likelier_of_two_contradictions_is_said():
    for p, noun in ((0.6, "shirt"), (0.99, "short-sleeved shirt")):
        rendered = written("Shirt", [fact("item_type", "short-sleeved shirt", p), fact("sleeve", "long", 0.95)])
        assert noun in rendered.title.lower()
        assert ("Long" in rendered.title) is (noun == "shirt")
    for p, likelier, other in ((0.95, "stand-up collar", "hood"), (0.91, "hood", "stand-up collar")):
        words = written("Outwear", [fact("neckline", "hood", 0.93)], {"stand-up collar": p}).description
        assert likelier in words
        assert other not in words


def test_two_parts_of_one_thing_are_one_phrase():
    assert "deep v-neck" in text("T-Shirt", TEE, ("deep neckline",)).description
    assert "an elastic drawstring waist" in text("Shorts", {}, ("elastic waist", "drawstring waist")).description
    assert "a small embroidered logo" in text("Polo", {}, ("small logo", "embroidery")).description
    allowed = text("T-Shirt", TEE, ("animal motif", "cartoon print", "large print"))
    assert allowed.description.count("animal motif") == 1
    assert "a cartoon animal motif" in allowed.description
    assert "large print" not in allowed.description


@pytest.mark.parametrize(("p", "said"), [(0.6, False), (0.95, True)])
def test_a_fourth_guess_of_a_print_is_left_out(p, said):
    details = {"chest print": 0.95, "large print": 0.94, "lettering": 0.93, "cartoon print": p}
    rendered = written("Hoodie", [fact("colour", "pink")], details)
    assert ("cartoon" in rendered.description) is said
    assert "on the chest" in rendered.description


def test_print_is_quoted_and_placed():
    read = [fact("text", "NEW ZEALAND", 0.95, "ocr"), fact("colour", "red")]
    rendered = written("Longsleeve", read, {"chest print": 0.9})
    assert rendered.title.endswith('with "NEW ZEALAND" print')
    assert '"NEW ZEALAND" on the chest' in rendered.description


def test_label_is_quoted_in_fixed_words():
    facts = [fact("brand", "Zara", 0.95, "ocr"), fact("size", "M", 0.95, "ocr"), fact("colour", "red")]
    rendered = written("Dress", facts)
    assert rendered.title == "Zara red dress, size M"
    assert rendered.description.count("Zara") == 1
    assert "The label says size M." in rendered.description
    assert "eather-look" in text("Shoes", {"material": "leather"}).description
    assert written("Shoes", [fact("material", "leather", 0.9, "ocr")]).title == "Leather shoes"


def test_every_form_of_a_detail_reads_well():
    for phrase, form in detail_forms().items():
        kinds = [n for n in TAXONOMY.tuned() if form.fits(TAXONOMY.categories[n])]
        for kind in kinds:
            rendered = text(kind, {"colour": "green"}, (phrase,))
            assert "<" not in rendered.description
            assert "[" not in rendered.description
            assert f"a {phrase}s " not in rendered.description
        assert set(form.covers) | set(form.joins) <= set(detail_forms()), phrase
        for name, values in form.says.items():
            assert set(values) <= set(TAXONOMY.attributes[name].values), phrase


def annotated_facts(row: dict) -> dict[str, str]:
    """What the annotation knows of a photo; guesses are left out."""
    schema = {a.name for a in TAXONOMY.schema(row["label"])} & {a.name for a in TAXONOMY.in_text()}
    values = {**row, "condition": row["condition"][0]}
    untold = (None, "n/a", "unknown", "none-visible")
    names = [name for name in schema if values.get(name) not in untold and name not in row["guess"]]
    return {name: str(values[name]).strip('"')[:60] for name in names}


def test_texts_of_real_facts_are_whole(repository: Path):
    with gzip.open(repository / "finetune/annotations/clothing_cc0.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines][::5]
    for row in rows:
        if row["label"] not in TAXONOMY.categories:
            continue
        facts = annotated_facts(row)
        allowed = claims(row["label"], facts)
        rendered = render(allowed, TAXONOMY)
        assert len(rendered.title.split()) <= max(MAX_TITLE, 10)
        assert len(rendered.description.split()) <= MAX_WORDS + 15, rendered.description
        assert not re.search("plain|solid|basic|simple", f"{rendered.title} {rendered.description}"), rendered
        assert rendered.description.rstrip(".") != rendered.title
        from_seller = re.sub('".*?"', "x", rendered.description)  # not the print
        assert not re.search(r"\bitem\b|\bgarment\b| \.| ,", from_seller), rendered.description
        assert {s.attribute for s in rendered.spans} <= {c.attribute for c in allowed}
        for span in rendered.spans:
            words = (rendered.title if span.field == "title" else rendered.description)[span.start : span.end]
            assert words, (rendered, span)
            assert words == words.strip()


@pytest.mark.parametrize(
    ("shares", "allowed", "adjective"),
    [
        ("80 % cotton, 20 % polyester", "made of 80 % cotton and 20 % polyester.", None),
        ("100 % linen", "made of 100 % linen.", "linen"),
    ],
)
def test_a_composition_is_said_with_its_shares(shares, allowed, adjective):
    read = Evidence(source="ocr", text=shares)
    material = fact("material", shares.split()[2].rstrip(","), source="ocr").model_copy(update={"evidence": [read]})
    rendered = written("T-Shirt", [material, fact("colour", "grey")])
    assert f"By the label it is {allowed}" in rendered.description
    assert {s.status for s in rendered.spans if s.attribute == "material"} == {"certain"}
    words = rendered.title.lower() + rendered.description.split("By the label")[0].lower()
    assert (adjective or "cotton") in words if adjective else "cotton" not in words


@pytest.mark.slow
def test_the_second_colour_stands_where_it_is() -> None:
    facts = {"colour": "white", "colour2": "navy", "item_type": "polo shirt"}
    allowed = text("Polo", facts, ("collar in the second colour", "ribbed cuffs"))
    assert "a navy collar" in allowed.description
    assert "white and navy" not in f"{allowed.title} {allowed.description}".lower()
    assert ("colour2", "navy") in {(span.attribute, span.value) for span in allowed.spans}


def test_no_place_without_a_second_colour() -> None:
    allowed = text("Polo", {"colour": "white"}, ("collar in the second colour",))
    assert "collar" not in allowed.description
    assert "{}" not in allowed.title + allowed.description


@pytest.mark.parametrize(("p", "words"), [(0.6, "checked"), (0.72, "large check")])
def test_sure_pattern_stands_above_its_guessed_size(p: float, words: str) -> None:
    facts = [fact("colour", "navy"), fact("pattern", "checked")]
    rendered = written("Shirt", facts, {"large check": p})
    assert words in rendered.title.lower()
    assert ("large check" in rendered.description) is (words == "large check")


# -- what is called by its print -------------------------------------------------------------------------------------

TEA = "TWININGS The Everyday Tea"


def packet(kind: str, printed: str, *, p: float = 0.9, kind_p: float = 0.5, **facts: str) -> Text:
    """The texts of a blue packet with that print, which was read with a score of ``p``."""
    read = [fact(name, value, p, "ocr") for name, value in {"text": printed, **facts}.items()]
    return written(kind, [fact("colour", "blue"), *read], p=kind_p)


def test_packet_has_its_print_and_no_colour() -> None:
    rendered = packet("Groceries", TEA, volume="80 bags")
    assert rendered.title == f"{TEA}, 80 bags"
    assert f'It says "{TEA}" on it.' in rendered.description
    assert "Contents: 80 bags." in rendered.description
    assert "blue" not in f"{rendered.title} {rendered.description}".lower()
    assert [s.value for s in rendered.spans if s.field == "title"] == [TEA, "80 bags"]


LONG_PRINT = "one two three four five six seven eight nine ten eleven"


@pytest.mark.parametrize(
    ("rendered", "title"),
    [
        (packet("Groceries", "The Everyday Tea", brand="Nestle"), "Nestle The Everyday Tea"),
        (packet("Groceries", "Nestle Everyday Tea", brand="Nestle"), "Nestle Everyday Tea"),
        (packet("Body lotion", "Soft Touch", kind_p=0.95), "Soft Touch, body lotion"),
        (packet("Body lotion", "Soft Touch"), "Soft Touch"),
        (packet("Groceries", "TWNGS Evrydy", p=0.85), "Blue food product"),  # it can hardly be read
        (packet("Groceries", "TWNGS Evrydy", p=0.97), "TWNGS Evrydy"),
        (packet("Mug", "SUMMER"), 'Blue mug with "SUMMER" print'),
        (packet("Book", LONG_PRINT), "One two three four five six seven eight nine"),
    ],
)
def test_what_heads_a_listing_of_print(rendered: Text, title: str) -> None:
    assert rendered.title == title
    assert LONG_PRINT in packet("Book", LONG_PRINT).description
