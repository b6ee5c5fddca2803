"""The shipped taxonomy holds what the annotations need, and a wrong file is refused with a clear sentence."""

from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from listing.lexicon import load_lexicon
from listing.taxonomy import DEFAULT_FILE, Taxonomy, TaxonomyError, is_plural, load_taxonomy

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


def test_the_tuned_categories_are_the_seventeen_classes() -> None:
    taxonomy = load_taxonomy()
    assert set(taxonomy.tuned()) == CLASSES
    assert all(taxonomy.categories[name].path[0] == "Clothing" for name in taxonomy.tuned())


def test_there_is_room_beyond_garments() -> None:
    untuned = [node for node in load_taxonomy().leaves() if not node.tuned]
    assert len(untuned) >= 60
    assert sum(bool(node.weights) for node in untuned) >= 200  # the others are for the seller to choose
    assert all("sleeve" not in node.attributes for node in untuned)


def test_everything_has_what_every_thing_has() -> None:
    for node in load_taxonomy().leaves():
        assert {"colour", "material", "brand", "condition"} <= set(node.attributes)
        assert {"size", "dimensions"} & set(node.attributes)


def test_what_is_asked_of_garments_knows_nothing_of_other_things() -> None:
    asked = {a.name: a for a in load_taxonomy().asked()}
    assert "wood" not in asked["material"].values
    assert "cotton" in asked["material"].values
    assert "wood" in next(a for a in load_taxonomy().schema("Chair") if a.name == "material").values


BIKES = """
attributes:
  colour: {label: colour, known: seen, values: [red, blue], question: "Which colour?"}
  material: {label: material, known: [seen, read], values: [wood, steel], question: "What is it made of?"}
  brand: {label: brand, known: [read, seller-only], question: "Which brand?"}
  size: {label: size, known: [read, seller-only], question: "Which size?"}
  condition: {label: condition, known: seen, values: [new, used], question: "What wear is there?"}
  frame: {label: frame, known: seen, values: [diamond, step-through], question: "Which frame?"}
schemas:
  bike: {attributes: [colour, material, brand, size, condition, frame]}
tree:
  Bikes:
    City bike: {uses: bike, phrase: city bike}
    Cargo bike: {uses: bike, phrase: cargo bike}
"""


def test_a_taxonomy_of_ones_own_takes_the_place_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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

    def names(category: str) -> set[str]:
        return {a.name for a in taxonomy.schema(category)}

    assert not {"sleeve", "neckline", "closure"} & names("Hat")
    assert "sleeve" in names("Dress")
    assert "sleeve" not in names("Skirt")
    closure = {c: next(a for a in taxonomy.schema(c) if a.name == "closure").values for c in ("Shoes", "Shirt")}
    assert {"laces", "velcro"} <= set(closure["Shoes"])
    assert "velcro" not in closure["Shirt"]
    assert {"colour", "text", "brand", "condition"} <= names("Guitar")


def test_what_holds_for_one_piece_is_marked() -> None:
    attributes = load_taxonomy().attributes
    assert all(attributes[n].instance for n in ("brand", "text", "size", "condition", "condition_grade", "defects"))
    assert not any(attributes[n].instance for n in ("colour", "pattern", "sleeve"))
    assert all(a.instance for a in attributes.values() if a.knowable_by == ("seller-only",))
    assert attributes["size"].knowable_by == ("read", "seller-only")


def test_leaves_are_found_by_what_people_call_them() -> None:
    taxonomy = load_taxonomy()
    assert {w: taxonomy.find(w).name for w in ("couch", "Mobile phone", "trousers")} == {
        "couch": "Sofa",
        "Mobile phone": "Phone",
        "trousers": "Pants",
    }
    assert taxonomy.find("submarine") is None


def test_names_in_texts_are_unambiguous() -> None:
    """A word that names two leaves would let ``find`` pick by file order."""
    owner: dict[str, str] = {}
    for node in load_taxonomy().leaves():
        for word in {node.name.lower(), node.phrase.lower(), *node.synonyms}:
            assert owner.setdefault(word, node.name) == node.name, word


def test_a_small_file_loads(tmp_path: Path) -> None:
    taxonomy = load(tmp_path)
    assert taxonomy.categories["Chair"].weights == ((559, 1.0),)
    assert taxonomy.categories["Table"].weights == ((532, 0.5),)
    assert taxonomy.categories["Chair"].path == ("Home", "Chair")
    with pytest.raises(TaxonomyError, match="no category 'Sofa'"):
        taxonomy.schema("Sofa")


def _set(*path_and_value):
    *path, last, value = path_and_value

    def change(raw: dict) -> None:
        for key in path:
            raw = raw[key]
        raw[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("tree", "Garden", {"Chair": {"uses": "thing", "phrase": "chair"}}), "'Chair' is given twice"),
        (_set("tree", {"A": TWIN, "B": TWIN}), "group 'Seats' is given twice"),
        (_set("schemas", "thing", "attributes", ["colour", "sleeve"]), "unknown attribute 'sleeve'"),
        (_set("attributes", "colour", "values", []), "`values` is empty"),
        (_set("attributes", "colour", "values", ["red", "red"]), "a value is given twice"),
        (_set("attributes", "colour", "values", ["red", "n/a"]), "'n/a' and 'unknown' are not values"),
        (_set("attributes", "colour", "known", "guessed"), "attribute|known"),
        (_set("schemas", "thing", "values", {"colour": ["green"]}), "has no value 'green'"),
        (_set("schemas", "thing", "values", {"colour": []}), "value list of 'colour' is empty"),
        (_set("schemas", "thing", "values", {"sleeve": ["long"]}), "not among its attributes"),
        (_set("tree", "Home", "Table", "imagenet", [559]), "559 is used twice"),
        (_set("tree", "Home", "Table", "imagenet", {1000: 1.0}), "needs 0..999"),
        (_set("tree", "Home", "Table", "imagenet", {5: 0.0}), "needs 0..999"),
        (_set("clothing_imagenet", [559]), "559 is used twice"),
        (_set("tree", "Home", "Table", "uses", "none"), "unknown schema 'none'"),
        (_set("tree", "Home", "Table", {}), "a group needs leaves"),
        (_set("tree", "Home", "Table", {"uses": "thing"}), "phrase"),
        (_set("surprise", 1), "surprise"),
        (_set("attributes", "colour", "values_of", "shade"), "must stand before it"),
        (_set("attributes", "colour", "in_text", 1), "needs `phrases` for red, blue"),
        (_set("attributes", "colour", "phrases", {"pink": ["pink"]}), "names no value of it: pink"),
        (_set("attributes", "colour", "forms", {"red": {"behind": ["red"]}}), "wrong at"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(tmp_path: Path, change, message: str) -> None:
    with pytest.raises(TaxonomyError, match=message):
        load(tmp_path, change)


def test_a_key_given_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "twice.yaml"
    file.write_text(DEFAULT_FILE.read_text().replace("  sleeve:\n", "  colour:\n", 1))
    with pytest.raises(TaxonomyError, match=r"'colour' is given twice \(line"):
        load_taxonomy(file)


def test_missing_and_broken_files(tmp_path: Path) -> None:
    with pytest.raises(TaxonomyError, match="cannot be read"):
        load_taxonomy(tmp_path / "none.yaml")
    (tmp_path / "broken.yaml").write_text("tree: [")
    with pytest.raises(TaxonomyError, match="not valid YAML"):
        load_taxonomy(tmp_path / "broken.yaml")
    (tmp_path / "empty.yaml").write_text("")
    with pytest.raises(TaxonomyError, match="wrong at"):
        load_taxonomy(tmp_path / "empty.yaml")


def test_how_our_texts_put_a_value_is_understood_as_that_value() -> None:
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


@pytest.mark.parametrize("kind", ["coasters", "Handbag", "Padlock", "Table"])
def test_what_has_no_label_is_measured_and_not_asked_for_its_size(kind: str) -> None:
    taxonomy = load_taxonomy()
    expected = taxonomy.expected(taxonomy.node(kind))
    assert "dimensions" in expected
    assert "size" not in expected
    assert "size" in taxonomy.expected(taxonomy.node("Gloves"))


SEVERAL = {"curtains": True, "bar stools": True, "sofas": True, "curtains with rings": True, "boxes of toys": True}
SEVERAL |= {"pair of curtains": False, "stand for hats": False, "lamp with two shades": False, "glass": False}
SEVERAL |= {"camera lens": False, "set of 6 coasters": False, "towel": False}


@pytest.mark.parametrize("name", SEVERAL)
def test_one_or_several_by_the_noun_of_a_name(name: str) -> None:
    assert is_plural(name) is SEVERAL[name]
    assert load_taxonomy().node(name).plural is SEVERAL[name] or load_taxonomy().find(name)
