"""What a shop's past listings teach: its words, heads, calibration and titles, and what bad tables end in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from finetune import DataError
from finetune.shops import calibrating, columns, shop_taxonomy
from finetune.shops.calibrating import Observed
from finetune.shops.fitting import Examples, fit_heads, held_out
from finetune.shops.voice import draft_text, heard, voice_of
from listing.calibration import GENERAL, Calibration, QuestionCalibration
from listing.decide.claims import Claim
from listing.decide.decision import Decision
from listing.decide.settle import settle
from listing.observe.heads import Heads
from listing.rules import Rules
from listing.say.again import say_again
from listing.say.ask import questions
from listing.say.render import write
from listing.schema import Observation
from listing.shops.catalogue import vocabulary_of
from listing.shops.shop import Shop, ShopError, Words
from listing.shops.translation import in_shop_words, with_unnamed
from listing.taxonomy import DEFAULT_FILE, Taxonomy, load_taxonomy
from listing.taxonomy_file import Voice
from rag_index import IndexRecord
from rag_index.imports.catalogue import open_catalogue
from tests.listing.stubs import draft_of

HEADER = "id,title,category,group,colour,season,note,number\n"
KINDS = [("Tshirts", "Topwear"), ("Kurtas", "Topwear"), ("Casual Shoes", "Shoes"), ("Formal Shoes", "Shoes")]
COLOURS = ["Navy Blue", "Black", "Mehendi"]


def rows(kinds: Sequence[tuple[str, str]] = KINDS, count: int = 48) -> list[str]:
    lines = []
    for i in range(count):
        (kind, group), colour, season = kinds[i % len(kinds)], COLOURS[i // 4 % 3], ["Summer", "Winter"][i // 4 % 2]
        lines.append(f"id{i},Acme {colour} {kind},{kind},{group},{colour},{season},words of row {i},{i % 3}\n")
    return lines


@pytest.fixture
def learn_words(tmp_path: Path) -> Callable[[list[str]], tuple[columns.ShopColumns, Taxonomy]]:
    def learned(table_rows: list[str]) -> tuple[columns.ShopColumns, Taxonomy]:
        table, file = tmp_path / "shop.csv", tmp_path / "taxonomy.yaml"
        table.write_text(HEADER + "".join(table_rows), encoding="utf-8")
        vocabulary, named = vocabulary_of(load_taxonomy(DEFAULT_FILE)), {"category": ["category", "group"]}
        catalogue = open_catalogue(table, vocabulary, columns.no_vectors, column_choices=named)
        words = columns.read_columns(catalogue)
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


def test_a_column_that_reads_like_a_fact_of_ours_is_named(tmp_path: Path):
    table = tmp_path / "shop.csv"
    lines = [f"id{i},A thing,{KINDS[i % 2][0]},{('Black', 'White')[i // 2 % 2]},{5 + i % 9}\n" for i in range(48)]
    table.write_text("id,title,category,Shade,Cost\n" + "".join(lines), encoding="utf-8")
    vocabulary = vocabulary_of(load_taxonomy(DEFAULT_FILE))
    told = " ".join(columns.read_columns(open_catalogue(table, vocabulary, columns.no_vectors)).remarks)
    assert "--map attributes.colour=Shade" in told
    assert "--map price=Cost" in told
    mapped = {"attributes.colour": "Shade", "price": "Cost"}
    told = columns.read_columns(open_catalogue(table, vocabulary, columns.no_vectors, column_choices=mapped)).remarks
    assert not any("--map" in remark for remark in told)


def test_keys_of_a_json_column_become_questions(tmp_path: Path):
    table = tmp_path / "shop.csv"
    lines = [f'id{i},A thing,{KINDS[i % 2][0]},"{{""Fit"": ""{("Slim", "Wide")[i // 2 % 2]}""}}"\n' for i in range(48)]
    table.write_text("id,title,category,attributes\n" + "".join(lines), encoding="utf-8")
    catalogue = open_catalogue(table, vocabulary_of(load_taxonomy(DEFAULT_FILE)), columns.no_vectors)
    words = columns.read_columns(catalogue)
    assert words.values["fit"] == {"Slim": 24, "Wide": 24}
    assert words.keys["Fit"] == "fit"


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
        ([("", "")], r"--map category=COLUMN \(it has: .*title"),
        ([("Tshirts", "")], "All rows of shop.csv are 'Tshirts'"),
        ([(f"sku{i}", "") for i in range(48)], "48 of 48 rows of shop.csv have a category of their own"),
    ],
)
def test_a_table_without_kinds_ends_in_a_sentence(learn_words, kinds, sentence):
    with pytest.raises(DataError, match=sentence):
        learn_words(rows(kinds))


# -- heads -----------------------------------------------------------------------------------------------------------


def test_heads_learn_what_photos_show():
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, 3, 240)
    features = np.eye(3)[kinds] @ rng.normal(size=(3, 40)) + rng.normal(scale=0.8, size=(240, 40))
    examples = Examples(features.astype(np.float32), np.arange(240), [f"seller {i % 30}" for i in range(240)])
    answers: dict[str, list[str | None]] = {"category": [("cup", "hat", "rug")[k] for k in kinds]}
    names = fit_heads(examples, answers).values
    apart = held_out(examples, answers, dict(names), range(240))["category"]
    right = [names["category"][k] == a for k, a in zip(apart.argmax(1), answers["category"], strict=True)]
    assert np.mean(right) > 0.9


def test_heads_of_an_older_version_are_to_be_learned_again(tmp_path: Path):
    numbers = {"mean": np.zeros(2, np.float32), "axes": np.zeros((2, 1), np.float32)}
    save_file(numbers, tmp_path / "heads.safetensors", metadata={"values": "{}"})
    with pytest.raises(ShopError, match="learn the table again"):
        Heads.load(tmp_path / "heads.safetensors")


def test_few_sellers_stand_in_folds_of_their_own_that_more_listings_hardly_move():
    few = Examples(np.zeros((40, 1)), np.arange(40), ["a"] * 37 + ["b"] * 3)
    assert len(set(few.folds().tolist())) == 2
    names = [f"listing {i}" for i in range(400)]
    before, after = (Examples(np.zeros((n, 1)), np.arange(n), names[:n]).folds() for n in (360, 400))
    assert np.bincount(after, minlength=10).min() >= 30
    assert np.mean(before == after[:360]) > 0.8


# -- calibration -----------------------------------------------------------------------------------------------------


def listings(sure: float) -> list[Observed]:
    """Listings of two kinds, of which heads are right as often as they say, and towers never say anything."""
    rng, observed = np.random.default_rng(0), []
    for i in range(120):
        truth, other = KINDS[i // 2 % 2][0], KINDS[1 - i // 2 % 2][0]
        said, unsaid = (truth, other) if rng.random() < sure else (other, truth)
        shares = {said: sure, unsaid: 1 - sure}
        observation = Observation(source="heads", question="category", photo=0, probabilities=shares)
        observed.append(Observed(f"id{i}", [observation], {"category": truth}))
    return observed


def test_the_calibration_hears_who_is_right(learn_words):
    _, taxonomy = learn_words(rows())
    fitted = calibrating.fit(listings(0.95), ["category"], taxonomy, Calibration()).of("category")
    assert fitted.weights["heads"] > 0.5
    assert GENERAL in fitted.weights
    crossed = calibrating.cross_fitted(listings(0.95), ["category"], taxonomy, Calibration())["category"]
    assert np.mean([a.value == a.truth for a, _ in crossed]) > 0.9


# -- voice and versions ----------------------------------------------------------------------------------------------


def past(count: int = 24) -> list[IndexRecord]:
    """Listings of a shop of new goods: titles name brand, audience and colour, descriptions open with facts."""
    kinds, colours, noun = ["Tshirts", "Kurtas"], ["Navy Blue", "Black", "Red"], ["T-shirt", "Kurta 2011"]
    return [
        IndexRecord(
            listing_id=str(i), seller_id="s", category=kinds[i % 2],
            text=f"Acme Men's {colours[i % 3]} {noun[i % 2]}\nStyle note\n{colours[i % 3]} {noun[i % 2].split()[0]} "
            "made of 100% cotton, has a round neck and short sleeves\nMachine wash. Wear these with jeans",
            attributes={"brand": "Acme", "colour": colours[i % 3], "audience": "men", "pattern": "striped",
                        "material": "cotton", "neckline": "round", "sleeve": "short"},
        )
        for i in range(count)
    ]  # fmt: skip


def test_a_shops_texts_say_which_facts_they_name_and_how(learn_words):
    _, taxonomy = learn_words(rows())
    voice = voice_of(past(), taxonomy)
    assert voice.titles["Tshirts"] == ("brand", "audience", "colour", "category")
    assert voice.nouns == {"Tshirts": "T-shirt", "Kurtas": "Kurta"}, "no year is a name"
    told = voice.phrases["Tshirts"]
    assert (told["colour"], told["material"]) == ("{colour} {category}", "made of {material}")
    assert (told["pattern"], told["audience"]) == ("", ""), "texts do not speak of them"
    assert voice.new


CLAIMS = [Claim("category", "Tshirts"), Claim("audience", "men"), Claim("colour", "Navy Blue")]
SENTENCE = "Navy blue men's T-shirt, has a round neck and short sleeves."


@pytest.mark.parametrize(
    ("claim", "description"),
    [
        (Claim("pattern", "striped"), SENTENCE),
        (Claim("condition", "faded"), SENTENCE),
        (Claim("size", "M", "seller"), f"{SENTENCE} It is size M."),
    ],
)
def test_drafts_speak_in_the_shops_voice(learn_words, claim, description):
    """What its seller states is told all the same, wear of new goods and what its texts never tell is not."""
    _, taxonomy = learn_words(rows())
    voice = voice_of(past(), taxonomy)
    item = settle(
        [*CLAIMS, Claim("sleeve", "short"), Claim("neckline", "round"), claim],
        taxonomy.model_copy(update={"voice": voice}),
    )
    text = write(item)
    assert (text.title, text.description) == ("Men Navy Blue T-shirt", description)
    for span in text.spans:
        assert getattr(text, span.field)[span.start : span.end]


def test_a_press_keeps_the_shops_voice(learn_words):
    _, taxonomy = learn_words(rows())
    item = settle(CLAIMS, taxonomy.model_copy(update={"voice": voice_of(past(), taxonomy)}))
    draft = draft_of("Tshirts", write(item))
    pressed = say_again(draft, {"colour": "Black"}, item)
    assert (pressed.title, pressed.description) == ("Men Black T-shirt", "Black men's T-shirt.")


def test_a_shops_seller_chooses_from_brands_of_what_looks_alike(learn_words):
    _, taxonomy = learn_words(rows())
    shares = {"category": {"Tshirts": 0.97}}
    seen = [Observation(source="heads", question=q, photo=0, probabilities=d) for q, d in shares.items()]
    brands = []
    for voice in (None, Voice()):
        rules = Rules(taxonomy.model_copy(update={"voice": voice}), Calibration())
        asked = questions(Decision(seen, 1, rules), ["Acme", "Puma"])
        brands += [q.choices for q in asked if q.attribute == "brand"]
    assert brands == [[], ["Acme", "Puma"]]


def test_a_title_says_the_words_that_two_likely_kinds_share(learn_words):
    _, taxonomy = learn_words(rows())
    voice = Voice(titles={"": ("audience", "colour", "category")})
    sure = [Claim("audience", "men", "check", 0.8), Claim("colour", "Black", "check", 0.6, ("Navy Blue",))]
    kind, spoken = Claim("category", "Casual Shoes", "check", 0.55, ("Formal Shoes",)), {"voice": voice}
    assert write(settle([*sure, kind], taxonomy.model_copy(update=spoken))).title == "Men shoes"
    material = Claim("material", "leather", "certain", 0.9)  # no title of the shop names it
    assert write(settle([kind, material], taxonomy.model_copy(update=spoken))).title == "Casual shoes"


@pytest.mark.slow
def test_a_shop_is_imitated_where_that_brings_drafts_nearer(learn_words):
    _, taxonomy = learn_words(rows())
    weights = QuestionCalibration(weights={"heads": 1.0}, threshold=0.5)
    rules = Rules(taxonomy, Calibration(questions={"category": weights, "colour": weights}))
    seen, facts = {}, {}
    for i in range(12):
        kind, colour = KINDS[i % 4][0], COLOURS[i % 2]
        shares = {
            "category": {kind: 0.97, KINDS[(i + 1) % 4][0]: 0.03},
            "colour": {colour: 0.97, COLOURS[1 - i % 2]: 0.03},
        }
        seen[f"id{i}"] = [Observation(source="heads", question=q, photo=0, probabilities=d) for q, d in shares.items()]
        facts[f"id{i}"] = f"{colour} {kind}"
    voice = Voice(titles={"": ("colour", "category")}, nouns={kind: kind for kind, _ in KINDS})
    assert heard(voice, facts, seen, rules) == voice
    plain = {key: draft_text(Decision(observations, 1, rules), rules) for key, observations in seen.items()}
    assert heard(voice, {key: f"{text.title}\n{text.description}" for key, text in plain.items()}, seen, rules) is None


def new_version(shop: Shop) -> Path:
    with shop.new_version() as version:
        for name in ("taxonomy.yaml", "report.json"):
            (version / name).write_text("")
    shop.use(version)
    return version


def test_a_version_can_be_rolled_back(tmp_path: Path):
    shop = Shop(tmp_path)
    with pytest.raises(ShopError, match="ipl learn TABLE"):
        _ = shop.current
    versions = [new_version(shop) for _ in range(5)]
    assert shop.versions() == versions[-4:]
    assert [shop.roll_back() for _ in range(3)] == versions[-2:-5:-1]
    assert shop.current == versions[1]
    with pytest.raises(ShopError, match="no version before"):
        shop.roll_back()
    new_version(shop)
    assert versions[1].exists(), "the version before the last switch stays"


def test_a_shop_of_another_version_is_to_be_learned_again(tmp_path: Path):
    version = new_version(Shop(tmp_path))
    (version / "taxonomy.yaml").write_text(DEFAULT_FILE.read_text(encoding="utf-8") + "seen: 1\n")
    with pytest.raises(ShopError, match="learn the table again"):
        Words.of(version)


def test_a_failed_run_leaves_no_version(tmp_path: Path):
    shop = Shop(tmp_path)
    first = new_version(shop)
    with pytest.raises(KeyboardInterrupt), shop.new_version() as broken:
        raise KeyboardInterrupt
    assert not broken.exists()
    killed = tmp_path / "versions" / "0002"  # as a run leaves it that is killed outright
    killed.mkdir()
    (killed / "taxonomy.yaml").write_text("")
    third = new_version(shop)
    assert third.name == "0003"
    assert shop.versions() == [first, third]
    assert shop.roll_back() == first
