"""What a shop's past listings teach: its words, heads, calibration and titles, and what bad tables end in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from finetune import DataError
from finetune.shops import calibrating, columns, shop_taxonomy
from finetune.shops.calibrating import Observed
from finetune.shops.fitting import Examples, fit_heads, out_of_fold
from finetune.shops.titles import draft_title, resembles, title_pattern
from listing.calibration import GENERAL, Calibration, QuestionCalibration
from listing.decide.decision import Decision, Rules
from listing.schema import Observation
from listing.shops.catalogue import vocabulary_of
from listing.shops.shop import Shop, ShopError, TitlePattern
from listing.shops.translation import in_shop_words, with_unnamed
from listing.taxonomy import DEFAULT_FILE, Taxonomy, load_taxonomy
from rag_index import IndexRecord
from rag_index.imports.catalogue import open_catalogue

HEADER = "id,title,category,group,colour,season,note,number\n"
KINDS = [("Tshirts", "Topwear"), ("Kurtas", "Topwear"), ("Casual Shoes", "Shoes"), ("Formal Shoes", "Shoes")]
COLOURS = ["Navy Blue", "Black", "Mehendi"]


def rows(kinds: Sequence[tuple[str, str]] = KINDS, count: int = 48) -> list[list[str]]:
    table_rows = []
    for i in range(count):
        kind, group = kinds[i % len(kinds)]
        colour, season = COLOURS[i // 4 % 3], ["Summer", "Winter"][i // 4 % 2]
        table_rows.append(
            [f"id{i}", f"Acme {colour} {kind}", kind, group, colour, season, f"words of row {i}", str(i % 3)]
        )
    return table_rows


def table(folder: Path, table_rows: list[list[str]], header: str = HEADER) -> Path:
    path = folder / "shop.csv"
    path.write_text(header + "".join(",".join(row) + "\n" for row in table_rows), encoding="utf-8")
    return path


def no_vectors(words: Sequence[str]) -> np.ndarray:
    return np.zeros((len(words), 1), np.float32)


@pytest.fixture
def learn_words(tmp_path: Path) -> Callable[..., tuple[columns.ShopColumns, Taxonomy]]:
    def learned(table_rows: list[list[str]], header: str = HEADER) -> tuple[columns.ShopColumns, Taxonomy]:
        vocabulary = vocabulary_of(load_taxonomy(DEFAULT_FILE))
        named = {"category": ["category", "group"]} if "group" in header else {}
        catalogue = open_catalogue(table(tmp_path, table_rows, header), vocabulary, no_vectors, column_choices=named)
        words = columns.read_columns(catalogue)
        file = tmp_path / "taxonomy.yaml"
        shop_taxonomy.write_taxonomy(words, catalogue.glossary, file)
        return words, load_taxonomy(file)

    return learned


def test_columns_of_few_values_become_questions(learn_words):
    words, taxonomy = learn_words(rows())
    assert set(words.values) == {"colour", "season"}
    assert any("note is not learned" in remark for remark in words.remarks)
    assert any("number is not learned: its values are numbers" in remark for remark in words.remarks)
    assert taxonomy.attributes["season"].values == ("Summer", "Winter")
    assert {"colour", "season"} <= set(taxonomy.categories["Tshirts"].attributes)


def test_kinds_stand_where_they_belong(learn_words):
    _, taxonomy = learn_words(rows())
    tree = taxonomy.categories
    assert tree["Tshirts"].path == ("Clothing", "Tops", "Tshirts")
    assert tree["Tshirts"].phrase == "t-shirt"
    assert tree["Kurtas"].path == ("Clothing", "Tops", "Kurtas")  # beside its group's other kinds
    assert tree["Casual Shoes"].plural
    assert "T-Shirt" not in tree
    assert "Dress" in tree  # the next thing may be the shop's first dress


def test_every_group_of_ours_may_be_a_kind(learn_words):
    kinds = list(load_taxonomy(DEFAULT_FILE).groups)
    _, taxonomy = learn_words(rows([(kind, "") for kind in kinds], 4 * len(kinds)))
    assert set(kinds) <= taxonomy.categories.keys()
    assert not taxonomy.groups


def test_towers_answer_in_the_shops_words(learn_words):
    _, taxonomy = learn_words(rows())
    assert in_shop_words({"T-Shirt": 0.6, "Shoes": 0.4}, "category", taxonomy) == {
        "Tshirts": 0.6, "Casual Shoes": 0.2, "Formal Shoes": 0.2,
    }  # fmt: skip
    colours = in_shop_words({"navy": 0.9, "black": 0.1}, "colour", taxonomy)
    assert sum(colours.values()) == pytest.approx(1.0)
    assert max(colours, key=lambda name: colours[name]) == "Navy Blue"
    assert colours["Mehendi"] == pytest.approx(1 / 3, abs=1e-3)  # nobody speaks against what no tower knows
    assert with_unnamed({"Tshirts": 1.0}, "category", taxonomy)["Kurtas"] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("kinds", "sentence"),
    [
        ([("Tshirts", "")], "All rows of shop.csv are 'Tshirts'"),
        ([(f"sku{i}", "") for i in range(48)], "48 of 48 rows of shop.csv have a category of their own"),
    ],
)
def test_a_table_without_kinds_ends_in_a_sentence(learn_words, kinds, sentence):
    with pytest.raises(DataError, match=sentence):
        learn_words(rows(kinds))


# -- heads -----------------------------------------------------------------------------------------------------------


def photos(seed: int = 0, count: int = 240, shuffled: bool = False) -> tuple[Examples, dict[str, list[str | None]]]:
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, 3, count)
    features = (np.eye(3)[kinds] @ rng.normal(size=(3, 40)) + rng.normal(scale=0.8, size=(count, 40))).astype(
        np.float32
    )
    named: list[str | None] = [("cup", "hat", "rug")[k] for k in (rng.permutation(kinds) if shuffled else kinds)]
    return Examples(features, np.arange(count), [f"seller {i % 30}" for i in range(count)]), {"category": named}


def right(examples: Examples, answers: dict[str, list[str | None]]) -> float:
    heads = fit_heads(examples, answers)
    apart = out_of_fold(examples, answers, dict(heads.values))["category"]
    names = heads.values["category"]
    return float(np.mean([names[k] == a for k, a in zip(apart.argmax(1), answers["category"], strict=True)]))


def test_heads_learn_what_photos_show():
    assert right(*photos()) > 0.9


# -- calibration -----------------------------------------------------------------------------------------------------


def listings(sure: float, shuffled: bool = False, count: int = 120) -> list[Observed]:
    """Listings of two kinds, of which heads are right as often as they say, and towers never say anything."""
    rng, observed = np.random.default_rng(0), []
    for i in range(count):
        truth = KINDS[i // 2 % 2][0]
        is_right = rng.random() < (0.5 if shuffled else sure)
        answer = truth if is_right else KINDS[1 - i // 2 % 2][0]
        other = KINDS[1 - i // 2 % 2][0] if is_right else truth
        observation = Observation(
            source="heads", question="category", photo=0, probabilities={answer: sure, other: 1 - sure}
        )
        observed.append(Observed(f"id{i}", [observation], {"category": truth}))
    return observed


def test_the_calibration_hears_who_is_right(learn_words):
    _, taxonomy = learn_words(rows())
    fitted = calibrating.fit(listings(0.95), ["category"], taxonomy, Calibration()).of("category")
    assert fitted.weights["heads"] > 0.5
    assert GENERAL in fitted.weights
    crossed = calibrating.cross_fitted(listings(0.95), ["category"], taxonomy, Calibration())["category"]
    assert np.mean([a.value == a.truth for a, _ in crossed]) > 0.9


# -- titles and versions ---------------------------------------------------------------------------------------------


def test_titles_are_built_as_the_shops_are():
    kinds, colours = ["Tshirts", "Caps"], ["Navy Blue", "Black", "Red"]
    records = [
        IndexRecord(
            listing_id=str(i), seller_id="s", category=kinds[i % 2],
            text=f"Acme Men's {colours[i % 3]} {['T-shirt', 'Sports Cap'][i % 2]}",
            attributes={"brand": "Acme", "colour": colours[i % 3], "audience": "Men", "pattern": "Solid"},
        )
        for i in range(24)
    ]  # fmt: skip
    pattern = title_pattern(records, ["colour", "audience", "brand", "pattern"])
    assert list(pattern.order) == ["brand", "audience", "colour", "category"]
    assert pattern.nouns["Tshirts"] == "T-shirt"


def test_titles_are_imitated_where_that_brings_them_nearer(learn_words):
    _, taxonomy = learn_words(rows())
    weights = QuestionCalibration(weights={"heads": 1.0}, threshold=0.5)
    rules = Rules(taxonomy, Calibration(questions={"category": weights, "colour": weights}))
    decisions, facts = {}, {}
    for i in range(12):
        kind, colour = KINDS[i % 4][0], COLOURS[i % 2]
        seen = {
            "category": {kind: 0.97, KINDS[(i + 1) % 4][0]: 0.03},
            "colour": {colour: 0.97, COLOURS[1 - i % 2]: 0.03},
        }
        observations = [Observation(source="heads", question=q, photo=0, probabilities=d) for q, d in seen.items()]
        decisions[f"id{i}"], facts[f"id{i}"] = Decision(observations, 1, rules), f"{colour} {kind}"
    pattern = TitlePattern(["colour", "category"], {kind: kind for kind, _ in KINDS})
    assert resembles(pattern, facts, decisions, rules)
    drafts = {key: draft_title(decision, rules, None, key) for key, decision in decisions.items()}
    assert drafts != facts
    assert not resembles(pattern, drafts, decisions, rules)


def test_a_version_can_be_rolled_back(tmp_path: Path):
    shop = Shop(tmp_path)
    with pytest.raises(ShopError, match="ipl learn TABLE"):
        _ = shop.current
    versions = [new_version(shop) for _ in range(5)]
    assert shop.versions() == versions[-4:]
    assert shop.roll_back() == shop.current == versions[-2]
    shop.roll_back()
    shop.roll_back()
    with pytest.raises(ShopError, match="no version before"):
        shop.roll_back()


def new_version(shop: Shop) -> Path:
    with shop.new_version() as version:
        for name in ("taxonomy.yaml", "report.json"):
            (version / name).write_text("")
    shop.use(version)
    return version


def test_a_failed_run_leaves_no_version(tmp_path: Path):
    shop = Shop(tmp_path)
    first = new_version(shop)
    with pytest.raises(KeyboardInterrupt), shop.new_version() as broken:
        (broken / "report.json").symlink_to(interrupted())
    assert not broken.exists()
    killed = tmp_path / "versions" / "0002"  # as a run leaves it that is killed outright
    killed.mkdir()
    (killed / "taxonomy.yaml").write_text("")
    third = new_version(shop)
    assert third.name == "0003"
    assert shop.versions() == [first, third]
    assert shop.roll_back() == first


def interrupted() -> Path:
    raise KeyboardInterrupt


def test_the_version_before_the_last_switch_stays(tmp_path: Path):
    shop = Shop(tmp_path)
    versions = [new_version(shop) for _ in range(4)]
    for _ in range(3):
        shop.roll_back()
    new_version(shop)
    assert versions[0].exists()
