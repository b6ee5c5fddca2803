"""The check of a model's text: what is asked back, what goes and what stands; floors of the sets; rules for all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from listing.say.check import LEFT_OUT, Checked, check, trimmed
from listing.say.clauses import content
from listing.say.policy import forbidden
from tests.listing.scoring import claims as measure
from tests.listing.scoring import guarded, known_of, read_set

ROOT = Path(__file__).parents[3]
SETS = ROOT / "finetune" / "annotations" / "sets"
LANGUAGES = ROOT / "tests" / "listing" / "claims_sets" / "other_languages.jsonl"
YES, NO = (0.97, 0.0), (0.0, 0.9)


class Judge:
    """Answers claims: no where all the words of a false phrase stand in it, else yes."""

    def __init__(self, *false: str, language: str = "en") -> None:
        self.false, self.asked, self.language = false, list[str](), language

    def __call__(self, claims: Sequence[str]) -> Mapping[str, tuple[float, float]]:
        self.asked += claims
        false = [set(content(words, self.language)) for words in self.false]
        return {c: NO if any(words <= set(content(c, self.language)) for words in false) else YES for c in claims}


def checked(words: str, judge: Judge, category: str = "Outwear", language: str = "en", **facts: str) -> Checked:
    return check({"description": words}, replace(known_of(facts, category), language=language), judge)


@pytest.mark.parametrize(("name", "most"), [("claims", 0.02), ("real_claims", 0.05)])
def test_where_nothing_can_be_asked_what_nobody_knows_goes(name: str, most: float) -> None:
    report = measure(read_set(SETS / f"{name}.jsonl"))
    assert report["left"] <= most, report["errors"]


def test_a_true_text_stands_word_for_word() -> None:
    text = "Black jacket with leopard lining, cargo pockets and a pom-pom. The hem is frayed."
    judge = Judge()
    result = checked(text, judge, colour="black")
    assert result.texts["description"] == text
    assert result.flags == []
    assert judge.asked == ["leopard lining", "cargo pockets", "pom-pom", "hem is frayed"], "black jacket is known"
    assert [s for s in result.spans if s.status == "check"] == []


@pytest.mark.parametrize(
    ("text", "false", "left", "out"),
    [
        ("Black jacket with a hood, a zip and two pockets.", ["hood"], "Black jacket with a zip and two pockets.",
         ["a hood"]),
        ("Black jacket with a hood, a zip and two pockets.", ["pockets"], "Black jacket with a hood and a zip.",
         ["two pockets"]),
        ("Black jacket with a hood. It has a lace trim.", ["lace trim", "trim"], "Black jacket with a hood.",
         ["lace trim"]),
        ("Black jacket with a white drawstring hood.", ["white"], "Black jacket with a drawstring hood.", ["white"]),
        ("Black jacket with an orange drawstring.", ["orange"], "Black jacket with a drawstring.", ["orange"]),
        ("Black jacket. It has a checked pattern.", ["checked"], "Black jacket.", ["checked"]),
        ("Black jacket with a striped pattern and a hood.", ["striped"], "Black jacket with a hood.", ["striped"]),
    ],
)  # fmt: skip
def test_what_is_denied_goes_alone(text: str, false: list[str], left: str, out: list[str]) -> None:
    result = checked(text, Judge(*false), colour="black")
    assert result.texts["description"] == left
    assert [flag.message.removeprefix("a ") for flag in result.flags] == [words.removeprefix("a ") for words in out]
    assert {flag.code for flag in result.flags} == {LEFT_OUT}


def test_what_is_surely_another_colour_gets_the_one_that_is_known() -> None:
    result = checked("Red jacket with a hood.", Judge(), colour="navy")
    assert result.texts["description"] == "Navy jacket with a hood."
    assert checked("Sky blue jacket.", Judge(), colour="navy").texts["description"] == "Sky blue jacket.", "a shade"
    assert checked("Navy jacket with a red collar.", Judge(), colour="navy").flags == [], "a part has its own colour"
    other = checked("Navy jacket. It has a checked pattern.", Judge(), colour="navy", pattern="striped")
    assert other.texts["description"] == "Navy jacket. It has a striped pattern.", (
        "a pattern without a part is the whole's"
    )
    assert checked("Navy jacket. Striped lining.", Judge(), colour="navy", pattern="checked").flags == []


def test_print_is_read_and_never_asked() -> None:
    judge = Judge()
    read = checked('Black jacket. The label reads "Chloe".', judge, colour="black", text="CHLOE PARIS")
    assert read.flags == []
    assert all("chloe" not in claim.lower() for claim in judge.asked)
    assert checked("Black jacket. Made by Hugo Boss.", judge, colour="black").texts["description"] == "Black jacket."


def test_at_most_three_words_are_marked() -> None:
    text = "Black jacket with a hood, a zip, a belt, a lining and two pockets."
    unsure = (
        {"description": text},
        known_of({"colour": "black"}, "Outwear"),
        lambda claims: dict.fromkeys(claims, (0.3, 0.3)),
    )
    result = check(*unsure)
    assert result.texts["description"] == text
    assert len({s.value for s in result.spans if s.status == "check"}) == 3


@pytest.mark.parametrize(
    ("text", "language", "kind"),
    [
        ("It is 100% authentic", "en", "authenticity"),
        ("Only 10 euro with free shipping", "en", "price"),
        ("Size L, fits true", "en", "size"),
        ("kostenloser Versand", "de", "shipping"),
        ("Größe M", "de", "size"),
        ("100 % authentique", "fr", "authenticity"),
        ("taille 38", "fr", "size"),
        ("envío gratis", "es", "price"),
        ("con garantía", "es", "warranty"),
        ("spedizione inclusa", "it", "shipping"),
        ("orthopedische zolen", "nl", "medical"),
        ("oryginalna torebka", "pl", "authenticity"),
        ("preço negociável", "pt", "price"),
        ("köpt förra året", "sv", "age"),
        ("gratis fragt", "da", "price"),
    ],
)
def test_what_no_text_may_state(text: str, language: str, kind: str) -> None:
    assert forbidden(text, language) == kind


def test_a_size_that_the_label_says_may_be_repeated() -> None:
    assert forbidden("size M", "en", ["M"]) is None
    assert guarded("Black jacket, size M.", known_of({"colour": "black", "size": "M"}, "Outwear")).endswith("size M.")
    assert guarded("Black jacket, size L.", known_of({"colour": "black"}, "Outwear")) == "Black jacket."


def test_other_languages_lose_what_is_false_and_little_else() -> None:
    left = lost = true = false = 0
    for row in map(json.loads, LANGUAGES.open(encoding="utf-8")):
        phrases = [entry["phrase"] for entry in row["false"]]
        judge, read = Judge(*phrases, language=row["language"]), " ".join(row["true_claims"])  # print in them was read
        result = checked(row["description"], judge, category="T-Shirt", language=row["language"], text=read)
        text = result.texts["description"].lower()
        false += sum(p in row["description"] for p in phrases)
        left += sum(p.lower() in text for p in phrases if p in row["description"])
        here = [c for c in row["true_claims"] if c in row["description"]]
        true += len(here)
        lost += sum(c.lower() not in text for c in here)
    assert false >= 20
    assert left <= 0.15 * false, (left, false)
    assert lost <= 0.08 * true, (lost, true)


def test_a_title_begins_with_a_capital_and_a_name_keeps_its_own() -> None:
    assert trimmed("grey draped dress.", "title") == "Grey draped dress"
    assert trimmed("iPhone case in black", "title") == "iPhone case in black"
