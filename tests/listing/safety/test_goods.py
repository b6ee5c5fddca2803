"""Prohibited goods: floors on the held authors, levels, and that category and text both count."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.training.safety.goods import read_rows
from listing.safety.prohibited_goods import GoodsVerdict, check_goods, check_message
from listing.taxonomy import load_taxonomy
from tests.listing.scoring import goods, read_set

ANNOTATIONS = Path(__file__).parents[3] / "finetune" / "annotations"


@pytest.mark.parametrize(
    ("file", "author", "least", "most"),
    [
        (
            "goods",
            "held3",
            {"prohibited flagged": 0.85, "prohibited refused": 0.5},
            {"near-misses flagged": 0.08, "ordinary flagged": 0.01, "allowed refused": 0.01},
        ),
        ("goods", "held", {"prohibited flagged": 0.85}, {"near-misses flagged": 0.08}),
        (
            "goods_disguised",
            "writer-h5",
            {"prohibited flagged": 0.88},
            {"near-misses flagged": 0.05, "allowed refused": 0.013},
        ),
    ],
)
def test_texts_of_unseen_authors(file: str, author: str, least: dict[str, float], most: dict[str, float]) -> None:
    report = goods([row for row in read_set(ANNOTATIONS / "held" / f"{file}.jsonl") if row["author"] == author])
    assert report["rows"] > 100
    assert {name for name, share in least.items() if report[name] < share} == set()
    assert {name for name, share in most.items() if report[name] > share} == set()


def code_of(verdict: GoodsVerdict | None) -> str | None:
    return verdict and verdict.code


def test_goods_beside_a_harmless_thing_are_refused() -> None:
    verdict = check_goods("Outwear", "Camouflage jacket and a box of 9 mm ammunition, 50 rounds")
    assert verdict is not None
    assert (verdict.code, verdict.name, verdict.level) == ("ammunition", "ammunition", "refuse")
    assert verdict.message == "Ammunition cannot be listed."
    assert "ammunition" in verdict.words
    text = (
        "Blue wool jacket.\nWarm and lined, two pockets. Worn for one winter. Two sealed bottles of whisky go with it."
    )
    assert code_of(check_goods("Outwear", text)) == "alcohol"
    assert check_goods("Outwear", text.rsplit(". ", 1)[0]) is None


def test_the_category_counts() -> None:
    verdict = check_goods("Firearms", "Very good, hardly used")
    assert verdict is not None
    assert verdict.level == "refuse"
    assert check_goods("Shoes", "Very good, hardly used") is None


def test_worst_goods_are_refused_by_name() -> None:
    verdict = check_goods("Hat", "Straw hat, barely worn, and some Fентаnyl left over".replace("ента", "enta"))
    assert verdict is not None
    assert (verdict.code, verdict.level, verdict.words) == ("drugs", "refuse", ("fentanyl",))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("G l o c k 17", "weapons"),
        ("MDMApills", "drugs"),
        ("Xan@x bars", "medicine"),
        ("cloned credit cards", "hacking"),
        ("Кокаин", "drugs"),
        ("ｃｏｃａｉｎｅ", "drugs"),
        ("c🔥o🔥c🔥a🔥i🔥n🔥e", "drugs"),
        ("ᴄᴏᴄᴀɪɴᴇ", "drugs"),
        ("Hakenkreuz Fahne", "extremist"),
    ],
)
def test_disguises_of_goods(text: str, code: str) -> None:
    assert code_of(check_goods(None, text)) == code


@pytest.mark.parametrize(
    "text",
    [
        "N I K E hoodie, letters cracked", "G A P jumper, size S M L", "l33t gamer tee, size M", "ＶＩＮＴＡＧＥ jeans",
        "Kettle, 1.7 l, 2200 W", "iPhone 13 128GB, A4 folder, W31 L32", "Кружка с котом, 350 мл", "H&M top, 3/4 sleeve",
    ],
)  # fmt: skip
def test_honest_texts_that_look_like_a_disguise(text: str) -> None:
    assert check_goods(None, text) is None


ASKED = (
    "Is it an original or a copy?", "is it original or a copy", "Yes, it is original, I have the receipt.",
    "Is it real ivory or plastic?", "Is the gun holster included?", "Does it smell of cigarettes? No smokers here.",
    "Ist das ein Original oder eine Kopie?", "¿Es original o una copia?", "Это оригинал или копия?",
    "Has the crib been recalled?", "Is the serial number still on it? Where is it?",
    "No", "Not yet", "No, it is not", "It smells of smoke", "Left", "Original box", "Real leather",
)  # fmt: skip
ABOUT_A_SALE = (
    "Thank you", "See you", "I waited for half an hour and nobody came", "I can bring it to your work if you like",
    "I can also send you more photos of the inside", "It smells a bit of smoke, I will air it first",
)  # fmt: skip


def test_questions_between_people_offer_nothing() -> None:
    assert [text for text in ASKED if check_message(text)] == []
    assert [text for text in ABOUT_A_SALE if check_message(text, private=True)] == []


def test_words_of_goods_are_refused_in_any_message() -> None:
    assert [code_of(check_message("cocaine", private=private)) for private in (True, False)] == ["drugs"] * 2


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Would you like cocaine for sale with it?", "drugs"),
        ("Is it warm? I also have a pistol, 9 mm, no papers.", "weapons"),
        ("k o k a i n is there too", "drugs"),
        ("fake Gucci belts, very good copies, ten pieces", "counterfeit"),
    ],
)
def test_what_a_message_offers_is_refused(text: str, code: str) -> None:
    verdict = check_message(text)
    assert verdict is not None
    assert (verdict.code, verdict.level) == (code, "refuse")


def test_a_garment_may_be_named_after_goods() -> None:
    assert check_goods("T-Shirt", "Guns purple t-shirt") is None
    assert check_goods("Dress", "Ivory lace dress with champagne trim") is None


def test_short_texts_of_ordinary_things_pass() -> None:
    names = [leaf.name for leaf in load_taxonomy().leaves()]
    texts = [form.format(name) for name in names for form in ("{}", "{}, works", "Black {}. It works. Pick-up only.")]
    flagged = {text: verdict.level for text in texts if (verdict := check_goods(None, text))}
    assert "refuse" not in flagged.values()
    assert len(flagged) < 0.02 * len(texts)
    assert [text for text in ("", " ", "!!!", "42", "\U0001f600", "蓝色外套") if check_goods(None, text)] == []


def test_catalogue_teaches_honest_rows_once() -> None:
    rows = read_rows(ANNOTATIONS / "sets" / "goods")
    honest = [row for row in rows if row["author"] == "catalogue"]
    assert not any(row["prohibited"] for row in honest)
    assert {"Gap", "Hugo Boss"} & {row["text"] for row in honest} == {"Gap"}  # a name once, not each spelling of it
    assert len(honest) > 1_500
    learned = [row["text"].casefold() for row in rows if row["author"] != "dev11"]  # but for the development set
    assert len(set(learned)) == len(learned)
