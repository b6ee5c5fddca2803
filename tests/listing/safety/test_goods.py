"""Prohibited goods: floors on the held authors, levels, and that category and text both count."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.drafts.evidence_sets import goods, read_set
from finetune.safety.goods import read_rows
from listing.safety.prohibited_goods import check_goods, check_message, load_groups
from listing.taxonomy import load_taxonomy

ANNOTATIONS = Path(__file__).parents[3] / "finetune" / "annotations"


@pytest.fixture(scope="module")
def held() -> dict[str, float]:
    return goods([row for row in read_set(ANNOTATIONS / "held" / "goods.jsonl") if row["author"] == "held3"])


def test_goods_of_an_unseen_author_are_found(held: dict[str, float]) -> None:
    assert held["prohibited flagged"] >= 0.85
    assert held["prohibited refused"] >= 0.5


def test_honest_texts_of_an_unseen_author_pass(held: dict[str, float]) -> None:
    assert held["near-misses flagged"] <= 0.08
    assert held["ordinary flagged"] <= 0.01
    assert held["allowed refused"] <= 0.01


def test_an_earlier_held_set_is_still_told_apart() -> None:
    report = goods([row for row in read_set(ANNOTATIONS / "held" / "goods.jsonl") if row["author"] == "held"])
    assert report["prohibited flagged"] >= 0.85
    assert report["near-misses flagged"] <= 0.08


def test_goods_beside_a_harmless_thing_are_refused() -> None:
    verdict = check_goods("Outwear", "Camouflage jacket and a box of 9 mm ammunition, 50 rounds")
    assert verdict is not None
    assert (verdict.code, verdict.name, verdict.level) == ("ammunition", "ammunition", "refuse")
    assert verdict.message == "Ammunition cannot be listed."
    assert "ammunition" in verdict.words


def test_goods_in_one_sentence_of_many_are_seen() -> None:
    text = (
        "Blue wool jacket.\nWarm and lined, two pockets. Worn for one winter. Two sealed bottles of whisky go with it."
    )
    verdict = check_goods("Outwear", text)
    assert verdict is not None
    assert verdict.code == "alcohol"
    assert check_goods("Outwear", text.rsplit(". ", 1)[0]) is None


def test_the_category_counts() -> None:
    verdict = check_goods("Firearms", "Very good, hardly used")
    assert verdict is not None
    assert verdict.level == "refuse"
    assert check_goods("Shoes", "Very good, hardly used") is None


def test_what_must_never_pass_is_refused_by_its_name() -> None:
    verdict = check_goods("Hat", "Straw hat, barely worn, and some Fентаnyl left over".replace("ента", "enta"))
    assert verdict is not None
    assert (verdict.code, verdict.level, verdict.words) == ("drugs", "refuse", ("fentanyl",))


def test_goods_in_disguise_are_flagged() -> None:
    report = goods(read_set(ANNOTATIONS / "held" / "goods_disguised.jsonl"))
    assert report["prohibited flagged"] >= 0.88
    assert report["near-misses flagged"] <= 0.05
    assert report["allowed refused"] <= 0.013


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("G l o c k 17", "weapons"),
        ("g.l.o.c.k 17", "weapons"),
        ("m d m a pills", "drugs"),
        ("MDMApills", "drugs"),
        ("Xan@x bars", "medicine"),
        ("cloned credit cards", "hacking"),
        ("CVV dumps", "hacking"),
        ("Кокаин", "drugs"),
        ("k0ka1n", "drugs"),
        ("ｃｏｃａｉｎｅ", "drugs"),
        ("c🔥o🔥c🔥a🔥i🔥n🔥e", "drugs"),
        ("ᴄᴏᴄᴀɪɴᴇ", "drugs"),
        ("Hakenkreuz Fahne", "extremist"),
    ],
)
def test_disguises_of_goods(text: str, code: str) -> None:
    verdict = check_goods(None, text)
    assert verdict is not None
    assert verdict.code == code


@pytest.mark.parametrize(
    "text",
    [
        "N I K E hoodie, letters cracked", "G A P jumper, size S M L", "l33t gamer tee, size M", "ＶＩＮＴＡＧＥ jeans",
        "Kettle, 1.7 l, 2200 W", "iPhone 13 128GB, A4 folder, W31 L32", "Кружка с котом, 350 мл", "H&M top, 3/4 sleeve",
    ],
)  # fmt: skip
def test_honest_texts_that_look_like_a_disguise(text: str) -> None:
    assert check_goods(None, text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Is it an original or a copy?", "is it original or a copy", "Yes, it is original, I have the receipt.",
        "Is it real ivory or plastic?", "Is the gun holster included?", "Does it smell of cigarettes? No smokers here.",
        "Ist das ein Original oder eine Kopie?", "¿Es original o una copia?", "Это оригинал или копия?",
        "Has the crib been recalled?", "Is the serial number still on it? Where is it?",
        "No", "Not yet", "No, it is not", "It smells of smoke", "Left", "Original box", "Real leather",
    ],
)  # fmt: skip
def test_what_people_ask_each_other_offers_nothing(text: str) -> None:
    assert check_message(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Thank you", "See you", "I waited for half an hour and nobody came", "I can bring it to your work if you like",
        "I can also send you more photos of the inside", "It smells a bit of smoke, I will air it first",
    ],
)  # fmt: skip
def test_what_people_write_about_a_sale_offers_nothing(text: str) -> None:
    assert check_message(text, private=True) is None


def test_words_of_goods_are_refused_in_any_message() -> None:
    for private in (True, False):
        verdict = check_message("cocaine", private=private)
        assert verdict is not None
        assert verdict.code == "drugs"


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


def test_the_shortest_text_about_an_ordinary_thing_is_not_refused() -> None:
    names = [leaf.name for leaf in load_taxonomy().leaves()]
    texts = [form.format(name) for name in names for form in ("{}", "{}, works", "Black {}. It works. Pick-up only.")]
    flagged = {text: verdict.level for text in texts if (verdict := check_goods(None, text))}
    assert "refuse" not in flagged.values()
    assert len(flagged) < 0.02 * len(texts)


@pytest.mark.parametrize("text", ["", " ", "!!!", "42", "\U0001f600", "蓝色外套"])
def test_texts_without_words_are_fine(text: str) -> None:
    assert check_goods(None, text) is None


def test_messages_are_one_polite_sentence_each() -> None:
    groups = load_groups()
    assert len({g.code for g in groups}) == len({g.name for g in groups}) == len(groups) >= 20
    assert all(g.message.count(".") == 1 and g.message[0].isupper() for g in groups)


def test_the_catalogue_teaches_what_is_honest_and_repeats_no_row() -> None:
    rows = read_rows(ANNOTATIONS / "sets" / "goods")
    honest = [row for row in rows if row["author"] == "catalogue"]
    assert not any(row["prohibited"] for row in honest)
    assert {"Gap", "Hugo Boss"} & {row["text"] for row in honest} == {"Gap"}  # a name once, not each spelling of it
    assert len(honest) > 1_500
    learned = [row["text"].casefold() for row in rows if row["author"] != "dev11"]  # but for the development set
    assert len(set(learned)) == len(learned)
