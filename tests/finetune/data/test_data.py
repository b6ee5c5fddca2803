import json
from random import Random

import numpy as np
import pytest
from PIL import Image

from app.cli.main import main
from finetune.data.build import from_annotations, from_listings, item_groups, write_data
from finetune.data.past_listings import LabelFinder, listing_rows, listing_tasks
from finetune.data.splits import is_validation_sender
from finetune.data.tasks import TaskPlan
from finetune.train.collator import read_samples
from listing.shops.catalogue import vocabulary
from listing.taxonomy import load_taxonomy
from rag_index.imports.catalogue import open_catalogue
from rag_index.imports.fetch import Fetcher
from tests.finetune.rows import annotated

TAXONOMY = load_taxonomy()
TRAIN = next(i for i in range(100) if not is_validation_sender(i))
UNSEEN = next(i for i in range(100) if is_validation_sender(i))


def photo(path, seed):
    rough = Image.fromarray(np.random.default_rng(seed).integers(0, 255, (6, 6, 3), dtype=np.uint8))
    rough.resize((64, 64), Image.Resampling.BICUBIC).save(path)
    return str(path)


@pytest.fixture
def rows(tmp_path):
    senders = [TRAIN, TRAIN, TRAIN, UNSEEN]
    return [annotated(image=photo(tmp_path / f"{k}.png", k), sender_id=s) for k, s in enumerate(senders)]


def test_samples_can_be_read_back_and_every_answer_is_counted(rows, tmp_path):
    """All questions about a photo share one conversation; the same seed writes the same bytes."""
    out = tmp_path / "made"
    report = write_data(rows, from_annotations(TAXONOMY, TaskPlan()), out)
    train, unseen = read_samples(out / "train.jsonl"), read_samples(out / "validation.jsonl")
    assert report.samples == {"train": len(train), "validation": len(unseen)} == {"train": 6, "validation": 2}
    answers = sum(m["role"] == "assistant" for s in train for m in s["messages"])
    assert sum(n for values in report.counts["train"].values() for n in values.values()) == answers
    assert report.counts["train"]["category"] == {"hoodie": 3}
    assert json.loads((out / "report.json").read_text())["counts"] == report.counts
    assert "/" not in json.loads((out / "train.jsonl").read_text().splitlines()[0])["images"][0].removeprefix("../")
    questions = [s for s in train if s["tasks"] != ["form"]]
    assert len(questions) == 3
    assert all("".join(m["content"] for m in s["messages"]).count("<image>") == 1 for s in train)
    assert all(len(s["messages"]) >= 14 for s in questions)
    texts = [(out / "train.jsonl").read_text()]
    for seed in (0, 2):
        write_data(rows, from_annotations(TAXONOMY, TaskPlan()), tmp_path / str(seed), seed)
        texts.append((tmp_path / str(seed) / "train.jsonl").read_text())
    assert texts[0] == texts[1] != texts[2]


def test_a_training_photo_that_looks_like_one_of_validation_is_left_out(rows, tmp_path):
    same = tmp_path / "same.png"
    Image.open(rows[3]["image"]).resize((80, 80)).save(same)
    more = [*rows, annotated(image=str(same), sender_id=TRAIN)]
    report = write_data(more, from_annotations(TAXONOMY, TaskPlan()), tmp_path / "made")
    assert report.alike == 1
    assert report.samples["train"] == 6


def test_a_listing_teaches_what_a_photo_can_show_and_nothing_else(tmp_path):
    attributes = {"colour": "navy", "size": "M", "brand": "Nike", "material": "odd"}
    listing = {"id": "a", "seller_id": "s", "category": "Hoodie", "photos": [{"id": "ab12"}], "attributes": attributes}
    listing |= {"title": "Navy hoodie", "description": ""}
    taught = {task.name: task.answer for task in listing_tasks(listing, TAXONOMY, Random(0), [])}
    assert (taught["category"], taught["colour"]) == ("hoodie", "navy")
    assert taught.keys() <= {"category", "colour", "form", "listing"}
    file = tmp_path / "l.jsonl"
    odd = {**listing, "id": "b", "title": "Kurta", "category": "Kurtas"}
    file.write_text(
        "".join(json.dumps(row) + "\n" for row in (listing, odd, {**odd, "category": "Hoodie", "photos": []}))
    )

    def read():
        catalogue = open_catalogue(file, vocabulary(), lambda texts: np.zeros((len(texts), 2), np.float32))
        return listing_rows(catalogue, tmp_path / "out", Fetcher(tmp_path / "fetched"))

    rows, report = read()
    assert not rows
    assert report.left_out.keys() == {
        "none of its photos can be used",
        "its category is not one of ours",
        "it is there twice",
    }
    (tmp_path / "ab").mkdir()
    photo(tmp_path / "ab" / "ab12.jpg", 1)
    ((row,), report) = read()
    assert (row["sender_id"], row["item"], report.usable) == ("s", "s:a", 1)
    assert Image.open(row["image"]).size == (64, 64)
    again = {task.name: task.answer for task in listing_tasks(row["listing"], TAXONOMY, Random(0), [])}
    assert again == taught


def test_a_label_and_a_back_are_not_asked_what_the_listing_states(tmp_path, monkeypatch):
    """The form sees all photos of a listing, the single questions the first; a label is asked what it cannot say."""
    for k in range(4):
        photo(tmp_path / f"p{k}.jpg", 7 * k)
    row = {"id": "a", "seller_id": "s", "category": "Hoodie", "title": "Navy hoodie", "attributes": {"colour": "navy"}}
    photos = [{"id": f"p{k}"} for k in range(4)]
    file = tmp_path / "l.jsonl"
    file.write_text("".join(json.dumps({**row, "id": n, "photos": photos, "description": n}) + "\n" for n in "ab"))
    labels = iter([True, False, False] * 2)
    monkeypatch.setattr(LabelFinder, "__call__", lambda self, image: next(labels))
    catalogue = open_catalogue(file, vocabulary(), lambda texts: np.zeros((len(texts), 2), np.float32))
    rows, _ = listing_rows(catalogue, tmp_path / "out", Fetcher(tmp_path / "fetched"))
    assert [row["role"] for row in rows[:4]] == ["cover", "label", "side", "side"]
    other = [{**rows[0], "image": photo(tmp_path / "v.jpg", 99), "more": []}]
    write_data(rows[:4], from_listings(TAXONOMY), tmp_path / "made", split=lambda _: (rows[:4], other))
    samples = read_samples(tmp_path / "made" / "train.jsonl")
    asked, form, label = (s for s in samples if not set(s["tasks"]) & {"title", "description", "listing"})
    assert [len(s["images"]) for s in (asked, form, label)] == [1, 4, 1]
    assert sorted(asked["tasks"]) == ["category", "colour"]
    assert form["tasks"] == ["form"]
    assert form["messages"][0]["content"].startswith("<image>\n" * 4)
    assert len(label["tasks"]) == 4
    assert {m["content"] for m in label["messages"] if m["role"] == "assistant"} == {"unknown"}
    assert label["images"][0].endswith(rows[1]["image"].rpartition("/")[2])


def test_one_senders_photos_are_split_by_whole_items(tmp_path):
    rows = []
    for item in range(8):
        for k in range(2):
            image = photo(tmp_path / f"{item}-{k}.png", 10 * item + k)
            rows.append(annotated(image=image, sender_id="me", item=f"i{item}"))
    report = write_data(rows, from_annotations(TAXONOMY, TaskPlan()), tmp_path / "made")
    assert report.split == "items"
    items = {
        name: {
            s["images"][0].rpartition("/")[2].partition("-")[0]
            for s in read_samples(tmp_path / "made" / f"{name}.jsonl")
        }
        for name in ("train", "validation")
    }
    assert items["train"].isdisjoint(items["validation"])
    assert len(items["train"] | items["validation"]) == 8
    assert report.samples == {"train": 24, "validation": 8}  # questions and the form of each photo


def test_what_looks_alike_or_is_called_alike_is_one_item(tmp_path):
    images = [photo(tmp_path / f"{k}.png", k) for k in range(4)]
    Image.open(images[0]).resize((80, 80)).save(tmp_path / "4.png")
    titles = ["A", "B", "b ", "C", "D"]
    rows = [
        {"image": image, "item": f"i{k}", "listing": {"title": title}}
        for k, (image, title) in enumerate(zip([*images, str(tmp_path / "4.png")], titles, strict=True))
    ]
    groups = item_groups(rows)
    assert groups[0] == groups[4]
    assert groups[1] == groups[2]
    assert len(set(groups)) == 3


def test_one_shop_with_words_of_its_own_makes_samples_in_ours(tmp_path, capsys):
    names = [photo(tmp_path / f"{k}.png", k) for k in range(6)]
    lines = [
        f"Navy hoodie {'ABCDEF'[k]},Hooded sweatshirts,Navy Blue,<p>Soft navy hoodie.</p>,{n}"
        for k, n in enumerate(names)
    ]
    table = tmp_path / "shop.csv"
    table.write_text("Product name,Product type,Base color,Body,Images\n" + "\n".join(lines))
    assert main(["tune", "data", "--listings", str(table), "--out", str(tmp_path / "made")]) == 0
    out = capsys.readouterr().out
    assert "6 rows read, 6 can be used.\n" in out
    assert "Validation is whole items" in out
    (tmp_path / "made").rename(tmp_path / "elsewhere")
    first, *_ = read_samples(tmp_path / "elsewhere" / "train.jsonl")
    answers = [m["content"] for m in first["messages"] if m["role"] == "assistant"]
    assert sorted(answers) == ["hoodie", "navy"]
    assert (tmp_path / "elsewhere" / first["images"][0]).is_file()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["data"], "--out"),
        (["data", "--texts", "--out", "x"], "name your listings with --listings"),
        (["data", "--out", "x", "--listings", "y.csv"], "There is no file y.csv"),
        (["merge", "--base", "x"], "--adapter"),
        (["finetune/configs/none.yaml"], "There is no config"),
    ],
)
def test_what_is_missing_on_the_command_line_is_named(arguments, says, capsys):
    assert main(["tune", *arguments]) == 2
    assert says in capsys.readouterr().err
