"""The shipped taxonomy holds what the annotations need, and a wrong file is refused with a clear sentence."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from app.seller.draft_part import draft_html
from app.views import DraftView
from listing import taxonomy
from listing.decide.claims import Claim
from listing.lexicon import load_lexicon
from listing.say.render import render
from listing.taxonomy import DEFAULT_FILE, Taxonomy, TaxonomyError, is_plural, load_taxonomy
from tests.listing.stubs import BIKES, StubBackend, draft, of_photos

CLASSES = {
    *("Shirt", "Shoes", "Dress", "Longsleeve", "Outwear", "Pants", "Shorts", "T-Shirt", "Hat"),
    *("Skirt", "Blazer", "Undershirt", "Polo", "Hoodie", "Body", "Top", "Blouse"),
}
SMALL = {
    "attributes": {
        "colour": {"label": "colour", "known": "seen", "values": ["red", "blue"], "question": "Which colour?"},
        "size": {"label": "size", "known": ["read", "seller-only"], "instance": True, "question": "Which size?"},
    },
    "schemas": {"thing": {"attributes": ["colour", "size"]}},
    "tree": {
        "Home": {
            "Chair": {"uses": "thing", "phrase": "chair", "imagenet": [559]},
            "Table": {"uses": "thing", "phrase": "table", "imagenet": {532: 0.5}},
        }
    },
}
TWIN = {"Seats": {"group": {"uses": "thing", "phrase": "seat"}}}


def load(tmp_path: Path, change=None) -> Taxonomy:
    raw = deepcopy(SMALL)
    if change:
        change(raw)
    file = tmp_path / "taxonomy.yaml"
    file.write_text(yaml.safe_dump(raw, sort_keys=False))
    return load_taxonomy(file)


def test_tuned_categories_are_garments() -> None:
    taxonomy = load_taxonomy()
    assert set(taxonomy.tuned()) == CLASSES
    assert all(taxonomy.categories[name].path[0] == "Clothing" for name in taxonomy.tuned())
    untuned = [node for node in taxonomy.leaves() if not node.tuned]
    assert sum(bool(node.weights) for node in untuned) >= 200  # the others are for the seller to choose
    assert all("sleeve" not in node.attributes for node in untuned)
    for node in taxonomy.leaves():
        assert {"colour", "material", "brand", "condition"} <= set(node.attributes)
        assert {"size", "dimensions"} & set(node.attributes)


def test_own_taxonomy_takes_the_place_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "bikes.yaml"
    file.write_text(BIKES)
    monkeypatch.setenv("IPL_TAXONOMY", str(file))
    load_taxonomy.cache_clear()
    try:
        assert set(load_taxonomy().categories) == {"City bike", "Cargo bike"}
        file.write_text(BIKES.replace("size, condition, frame", "condition, frame"))
        load_taxonomy.cache_clear()
        with pytest.raises(TaxonomyError, match="City bike: every thing needs the attribute size or dimensions"):
            load_taxonomy()
    finally:
        load_taxonomy.cache_clear()


def test_schemas_follow_the_thing() -> None:
    taxonomy = load_taxonomy()

    def attributes(category: str) -> dict[str, tuple[str, ...]]:
        return {a.name: tuple(a.values or ()) for a in taxonomy.schema(category)}

    assert not {"sleeve", "neckline", "closure"} & attributes("Hat").keys()
    assert "sleeve" in attributes("Dress")
    assert "sleeve" not in attributes("Skirt")
    assert {"laces", "velcro"} <= set(attributes("Shoes")["closure"])
    assert "velcro" not in attributes("Shirt")["closure"]
    assert {"colour", "text", "brand", "condition"} <= attributes("Guitar").keys()
    assert not any("size" in attributes(kind) for kind in ("Groceries", "Lipstick", "Book"))
    asked = {a.name: a.values for a in taxonomy.asked()}
    assert "cotton" in asked["material"]
    assert "wood" not in asked["material"], "what is asked of garments knows nothing of other things"
    assert "wood" in attributes("Chair")["material"]


def test_what_holds_for_one_piece_is_marked() -> None:
    attributes = load_taxonomy().attributes
    assert all(attributes[n].instance for n in ("brand", "text", "size", "condition", "condition_grade", "defects"))
    assert not any(attributes[n].instance for n in ("colour", "pattern", "sleeve"))
    assert all(a.instance for a in attributes.values() if a.knowable_by == ("seller-only",))
    assert attributes["size"].knowable_by == ("read", "seller-only")


def test_leaves_are_found_by_what_people_call_them() -> None:
    taxonomy = load_taxonomy()
    named = {word: taxonomy.find(word).name for word in ("couch", "Mobile phone", "trousers")}
    assert named == {"couch": "Sofa", "Mobile phone": "Phone", "trousers": "Pants"}
    assert taxonomy.find("submarine") is None
    owner: dict[str, str] = {}  # a word that names two leaves would let ``find`` pick by file order
    for node in taxonomy.leaves():
        for word in {node.name.lower(), node.phrase.lower(), *node.synonyms}:
            assert owner.setdefault(word, node.name) == node.name, word


def test_a_small_file_loads(tmp_path: Path) -> None:
    taxonomy = load(tmp_path)
    assert taxonomy.categories["Chair"].weights == ((559, 1.0),)
    assert taxonomy.categories["Table"].weights == ((532, 0.5),)
    assert taxonomy.categories["Chair"].path == ("Home", "Chair")
    with pytest.raises(TaxonomyError, match="no category 'Sofa'"):
        taxonomy.schema("Sofa")


def put(*path_and_value):
    *path, last, value = path_and_value

    def change(raw: dict) -> None:
        for key in path:
            raw = raw[key]
        raw[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("tree", "Garden", {"Chair": {"uses": "thing", "phrase": "chair"}}), "'Chair' is given twice"),
        (put("tree", {"A": TWIN, "B": TWIN}), "group 'Seats' is given twice"),
        (put("schemas", "thing", "attributes", ["colour", "sleeve"]), "unknown attribute 'sleeve'"),
        (put("attributes", "colour", "values", []), "`values` is empty"),
        (put("attributes", "colour", "values", ["red", "red"]), "a value is given twice"),
        (put("attributes", "colour", "values", ["red", "n/a"]), "'n/a' and 'unknown' are not values"),
        (put("attributes", "colour", "known", "guessed"), "attribute|known"),
        (put("schemas", "thing", "values", {"colour": ["green"]}), "has no value 'green'"),
        (put("schemas", "thing", "values", {"colour": []}), "value list of 'colour' is empty"),
        (put("schemas", "thing", "values", {"sleeve": ["long"]}), "not among its attributes"),
        (put("tree", "Home", "Table", "imagenet", [559]), "559 is used twice"),
        (put("tree", "Home", "Table", "imagenet", {1000: 1.0}), "needs 0..999"),
        (put("tree", "Home", "Table", "imagenet", {5: 0.0}), "needs 0..999"),
        (put("clothing_imagenet", [559]), "559 is used twice"),
        (put("tree", "Home", "Table", "uses", "none"), "unknown schema 'none'"),
        (put("tree", "Home", "Table", {}), "a group needs leaves"),
        (put("tree", "Home", "Table", {"uses": "thing"}), "phrase"),
        (put("surprise", 1), "surprise"),
        (put("attributes", "colour", "values_of", "shade"), "must stand before it"),
        (put("attributes", "colour", "in_text", 1), "needs `phrases` for red, blue"),
        (put("attributes", "colour", "phrases", {"pink": ["pink"]}), "names no value of it: pink"),
        (put("attributes", "colour", "forms", {"red": {"behind": ["red"]}}), "wrong at"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(tmp_path: Path, change, message: str) -> None:
    with pytest.raises(TaxonomyError, match=message):
        load(tmp_path, change)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        ("tree: [", "not valid YAML"),
        ("", "wrong at"),
        (DEFAULT_FILE.read_text(encoding="utf-8").replace("  sleeve:\n", "  colour:\n", 1), "'colour' is given twice"),
    ],
)
def test_missing_and_broken_files(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "taxonomy.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(TaxonomyError, match=message):
        load_taxonomy(tmp_path / "taxonomy.yaml")


def test_forms_of_a_value_mean_that_value() -> None:
    taxonomy = load_taxonomy()
    lexicon = load_lexicon(taxonomy)
    for attribute in taxonomy.in_text():
        for value, forms in attribute.forms.items():
            for form in filter(None, (*forms.before, *forms.behind, *forms.sentence)):
                assert value in lexicon.mentions(form).get(attribute.values_of or attribute.name, ()), (value, form)


def test_what_buyers_ask_for_first_comes_first() -> None:
    taxonomy = load_taxonomy()
    names = [a.name for a in taxonomy.schema("Hoodie")]
    assert taxonomy.seller_order(names)[:4] == ["size", "condition_grade", "brand", "material"]
    assert set(taxonomy.seller_order(names)) == set(names)


def test_what_has_no_label_is_measured() -> None:
    taxonomy = load_taxonomy()
    for kind in ("coasters", "Handbag", "Padlock", "Table"):
        assert {"dimensions", "size"} & set(taxonomy.expected(taxonomy.node(kind))) == {"dimensions"}
    assert "size" in taxonomy.expected(taxonomy.node("Gloves"))


SEVERAL = ("curtains", "bar stools", "sofas", "curtains with rings", "boxes of toys", "bikinis")
ONE = (
    "pair of curtains",
    "stand for hats",
    "lamp with two shades",
    "glass",
    "hummus",
    "tennis set",
    "camera lens",
    "set of 6 coasters",
    "towel",
)


@pytest.mark.parametrize("name", [*SEVERAL, *ONE])
def test_one_or_several_by_the_noun(name: str) -> None:
    several, taxonomy = name in SEVERAL, load_taxonomy()
    assert is_plural(name) is several
    assert taxonomy.node(name).plural is several or taxonomy.find(name)


# -- an attribute is declared once: what is added is asked, stated, written, checked and shown --

CUFFS = {
    "label": "cuffs",
    "known": "seen",
    "in_text": 13,
    "values": ["ribbed", "folded", "scalloped"],
    "asked": "What cuffs does it have?",
    "question": "Which cuffs does it have?",
    "value_labels": {"scalloped": "in waves"},
    "forms": {"ribbed": {"with": ["ribbed cuffs"]}},
    "phrases": {"ribbed": ["ribbed cuffs"], "folded": ["folded cuffs"], "scalloped": ["scalloped cuffs"]},
}
ANSWERS = {"category": "hoodie", "colour": "navy", "neckline": "hood", "cuffs": "ribbed"}


@pytest.fixture
def declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The taxonomy that comes with the package, with one more attribute of what is worn above."""
    raw = yaml.safe_load(taxonomy.DEFAULT_FILE.read_text(encoding="utf-8"))
    raw["attributes"]["cuffs"] = CUFFS
    raw["schemas"]["upper"]["attributes"].append("cuffs")
    file = tmp_path / "taxonomy.yaml"
    file.write_text(yaml.safe_dump(raw, sort_keys=False), encoding="utf-8")
    monkeypatch.setattr(taxonomy, "DEFAULT_FILE", file)
    taxonomy.load_taxonomy.cache_clear()
    yield taxonomy.load_taxonomy()
    taxonomy.load_taxonomy.cache_clear()


def test_it_is_asked_stated_written_and_checked(declared) -> None:
    texts = ("Navy hoodie with ribbed cuffs", "A navy hoodie with ribbed cuffs.")
    backend = StubBackend(ANSWERS, texts=["\n".join(texts)])
    drafted = draft(of_photos(), backend)
    asked = {question.name: question for question in backend.asked}
    assert asked["cuffs"].prompt == "What cuffs does it have?"
    assert asked["cuffs"].answers == ("ribbed", "folded", "scalloped", "unknown")
    assert drafted.attribute("cuffs").value == "ribbed"
    assert all("cuffs: ribbed" in prompt for prompt in backend.prompts)
    assert (drafted.title, drafted.description) == texts
    assert {s.attribute for s in drafted.spans} == {"colour", "category", "cuffs"}
    false = StubBackend(ANSWERS, texts=["Navy hoodie with folded cuffs\nA navy hoodie with scalloped cuffs."])
    drafted = draft(of_photos(), false)
    assert (drafted.title, "scalloped" in drafted.description) == ("Navy hoodie", False)
    assert {flag.code for flag in drafted.flags} >= {"left-out"}


def test_a_value_without_forms_stands_behind_its_label(declared) -> None:
    claims = [Claim("category", "Hoodie"), Claim("colour", "navy"), Claim("cuffs", "folded")]
    assert "Cuffs: folded." in render(claims, declared).description


def test_the_form_shows_it_with_its_choices(declared) -> None:
    drafted = draft(of_photos(), StubBackend({**ANSWERS, "cuffs": "scalloped"}))
    view = DraftView("one", "ready", category=drafted.category, attributes=tuple(drafted.attributes), draft=drafted)
    page = draft_html(view, [], retrieval=False)
    assert all(words in page for words in ("Cuffs", "in waves", *CUFFS["values"]))
