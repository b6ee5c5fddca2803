"""Training data: who is on which side, what a listing teaches, and that every answer is counted."""

import json
from pathlib import Path
from random import Random

import numpy as np
import pytest
from PIL import Image

from app.cli.main import main
from finetune.data.build import ALONE, from_annotations, from_listings, item_groups, write_data
from finetune.data.details import ANNOTATIONS, draw, read_details
from finetune.data.past_listings import LabelFinder, listing_rows, listing_tasks
from finetune.data.photosets import data_root, read_annotations
from finetune.data.splits import split_rows
from finetune.data.tasks import TaskPlan
from finetune.train.collator import read_samples
from listing.shops.catalogue import vocabulary_of
from listing.taxonomy import load_taxonomy
from rag_index.imports.catalogue import open_catalogue
from rag_index.imports.fetch import Fetcher
from tests.finetune.support import TRAINING, VALIDATION, annotated, photo, write_rows

TAXONOMY = load_taxonomy()


def read_listings(file, out):
    catalogue = open_catalogue(
        file, vocabulary_of(load_taxonomy()), lambda texts: np.zeros((len(texts), 2), np.float32)
    )
    return listing_rows(catalogue, out, Fetcher(out / "fetched"))


@pytest.fixture
def rows(tmp_path):
    senders = [TRAINING[0]] * 3 + [VALIDATION[0]]
    return [annotated(image=photo(tmp_path / f"{k}.png", k), sender_id=s) for k, s in enumerate(senders)]


# -- sides ------------------------------------------------------------------------------------------------------------


def test_a_sender_is_never_on_both_sides():
    train, validation = split_rows([{"sender_id": i % 40, "n": i} for i in range(400)])
    senders = [{row["sender_id"] for row in part} for part in (train, validation)]
    assert all(senders)
    assert senders[0].isdisjoint(senders[1])


@pytest.mark.data
def test_validation_has_every_class_and_many_senders():
    _, validation = split_rows(read_annotations(data_root() / "clothing_cc0"))
    assert len({row["label"] for row in validation}) == 17
    senders = [row["sender_id"] for row in validation]
    assert max(senders.count(s) for s in set(senders)) <= len(senders) / 4


def test_training_photos_like_validation_are_left_out(rows, tmp_path):
    same = tmp_path / "same.png"
    Image.open(rows[3]["image"]).resize((80, 80)).save(same)
    more = [*rows, annotated(image=str(same), sender_id=TRAINING[0])]
    report = write_data(more, from_annotations(TAXONOMY, TaskPlan()), tmp_path / "made")
    assert (report.alike, report.samples["train"]) == (1, 9)


def test_one_senders_photos_are_split_by_whole_items(tmp_path):
    names = [(item, k) for item in range(8) for k in range(2)]
    images = [photo(tmp_path / f"{item}-{k}.png", 10 * item + k) for item, k in names]
    rows = [annotated(image=p, sender_id="me", item=f"i{item}") for p, (item, _) in zip(images, names, strict=True)]
    report = write_data(rows, from_annotations(TAXONOMY, TaskPlan()), tmp_path / "made")
    assert report.split == "items"
    samples = [read_samples(tmp_path / "made" / f"{name}.jsonl") for name in ("train", "validation")]
    train, validation = ({s["images"][0].rpartition("/")[2].partition("-")[0] for s in part} for part in samples)
    assert train.isdisjoint(validation)
    assert len(train | validation) == 8
    assert report.samples == {"train": 36, "validation": 12}  # questions, form and claims of each photo


def test_what_looks_alike_is_one_item(tmp_path):
    images = [photo(tmp_path / f"{k}.png", k) for k in range(4)]
    Image.open(images[0]).resize((80, 80)).save(tmp_path / "4.png")
    named = zip([*images, str(tmp_path / "4.png")], ["A", "B", "b ", "C", "D"], strict=True)
    groups = item_groups([{"image": p, "item": f"i{k}", "listing": {"title": t}} for k, (p, t) in enumerate(named)])
    assert groups[0] == groups[4]
    assert groups[1] == groups[2]
    assert len(set(groups)) == 3


# -- samples ----------------------------------------------------------------------------------------------------------


def test_samples_are_read_back_and_counted(rows, tmp_path):
    """All questions about a photo share one conversation; the same seed writes the same bytes."""
    out = tmp_path / "made"
    report = write_data(rows, from_annotations(TAXONOMY, TaskPlan()), out)
    train, unseen = read_samples(out / "train.jsonl"), read_samples(out / "validation.jsonl")
    assert report.samples == {"train": len(train), "validation": len(unseen)} == {"train": 9, "validation": 3}
    answers = sum(m["role"] == "assistant" for s in train for m in s["messages"])
    assert sum(n for values in report.counts["train"].values() for n in values.values()) == answers
    assert report.counts["train"]["category"] == {"hoodie": 3}
    assert json.loads((out / "report.json").read_text())["counts"] == report.counts
    questions = [s for s in train if s["tasks"][0] not in ALONE]
    assert len(questions) == 3
    assert all("".join(m["content"] for m in s["messages"]).count("<image>") == 1 for s in train)
    assert all(len(s["messages"]) >= 14 for s in questions)
    texts = [(out / "train.jsonl").read_text()]
    for seed in (0, 2):
        write_data(rows, from_annotations(TAXONOMY, TaskPlan()), tmp_path / str(seed), seed)
        texts.append((tmp_path / str(seed) / "train.jsonl").read_text())
    assert texts[0] == texts[1] != texts[2]


def test_a_listing_teaches_what_photos_can_show(tmp_path):
    attributes = {"colour": "navy", "size": "M", "brand": "Nike", "material": "odd"}
    listing = {"id": "a", "seller_id": "s", "category": "Hoodie", "photos": [{"id": "ab12"}], "attributes": attributes}
    listing |= {"title": "Navy hoodie", "description": ""}
    taught = {task.name: task.answer for task in listing_tasks(listing, TAXONOMY, Random(0), [])}
    assert (taught["category"], taught["colour"]) == ("hoodie", "navy")
    assert taught.keys() <= {"category", "colour", "form", "claims", "listing"}
    odd = {**listing, "id": "b", "title": "Kurta", "category": "Kurtas"}
    assert listing_tasks(odd, TAXONOMY, Random(0), []) == []
    file = write_rows(tmp_path / "l.jsonl", [listing, odd, {**odd, "category": "Hoodie", "photos": []}])
    rows, report = read_listings(file, tmp_path / "out")
    assert not rows
    reasons = {"none of its photos can be used", "its category is not one of ours", "it is there twice"}
    assert report.left_out.keys() == reasons
    (tmp_path / "ab").mkdir()
    photo(tmp_path / "ab" / "ab12.jpg", 1)
    ((row,), report) = read_listings(file, tmp_path / "out")
    assert (row["sender_id"], row["item"], report.usable) == ("s", "s:a", 1)
    assert Image.open(row["image"]).size == (64, 64)
    again = {task.name: task.answer for task in listing_tasks(row["listing"], TAXONOMY, Random(0), [])}
    assert again == taught


def test_a_label_teaches_unknown(tmp_path, monkeypatch):
    """The form sees all photos of a listing, the single questions the first; a label is asked what it cannot say."""
    for k in range(4):
        photo(tmp_path / f"p{k}.jpg", 7 * k)
    row = {"seller_id": "s", "category": "Hoodie", "title": "Navy hoodie", "attributes": {"colour": "navy"}}
    row |= {"photos": [{"id": f"p{k}"} for k in range(4)]}
    file = write_rows(tmp_path / "l.jsonl", [{**row, "id": name, "description": name} for name in "ab"])
    labels = iter([True, False, False] * 2)
    monkeypatch.setattr(LabelFinder, "__call__", lambda self, image: next(labels))
    rows, _ = read_listings(file, tmp_path / "out")
    assert [row["role"] for row in rows[:4]] == ["cover", "label", "side", "side"]
    other = [{**rows[0], "image": photo(tmp_path / "v.jpg", 99), "more": []}]
    write_data(rows[:4], from_listings(TAXONOMY), tmp_path / "made", split=lambda _: (rows[:4], other))
    samples = read_samples(tmp_path / "made" / "train.jsonl")
    asked, form, claims, label = (s for s in samples if not set(s["tasks"]) & {"title", "description", "listing"})
    assert [len(s["images"]) for s in (asked, form, claims, label)] == [1, 4, 4, 1]
    assert claims["tasks"] == ["claims"]
    assert sorted(asked["tasks"]) == ["category", "colour"]
    assert form["tasks"] == ["form"]
    assert form["messages"][0]["content"].startswith("<image>\n" * 4)
    assert len(label["tasks"]) == 4
    assert {m["content"] for m in label["messages"] if m["role"] == "assistant"} == {"unknown"}
    assert label["images"][0].endswith(rows[1]["image"].rpartition("/")[2])


def test_a_shops_own_words_make_samples_in_ours(tmp_path, capsys):
    names = [photo(tmp_path / f"{k}.png", k).rpartition("/")[2] for k in range(6)]
    lines = ["Product name,Product type,Base color,Body,Images"]
    for letter, name in zip("ABCDEF", names, strict=True):
        lines.append(f"Navy hoodie {letter},Hooded sweatshirts,Navy Blue,<p>Soft navy hoodie.</p>,{name}")
    table = tmp_path / "shop.csv"
    table.write_text("\n".join(lines))
    assert main(["tune", "data", "--listings", str(table), "--out", str(tmp_path / "made")]) == 0
    out = capsys.readouterr().out
    assert "6 rows read, 6 can be used.\n" in out
    assert "Validation is whole items" in out
    moved = (tmp_path / "made").rename(tmp_path / "elsewhere")
    first, *_ = read_samples(moved / "train.jsonl")
    assert sorted(m["content"] for m in first["messages"] if m["role"] == "assistant") == ["hoodie", "navy"]
    assert (moved / first["images"][0]).is_file()


# -- details ----------------------------------------------------------------------------------------------------------


def test_every_photo_has_the_keys_of_both_annotations():
    rows = read_details(Path("photos"))
    assert len(rows) == len({row["image"] for row in rows}) == 4408
    assert rows[0]["image"].startswith("photos/images/")
    keys = {
        "label",
        "label_ok",
        "item",
        "colour",
        "pattern",
        "sleeve",
        "condition",
        "guess",
        "c",
        "yes",
        "maybe",
        "kind",
    }
    assert all(keys <= row.keys() for row in rows)
    assert not any(set(row["yes"]) & set(row["maybe"]) for row in rows)


def test_the_blind_readings_photos_come_from_the_seed():
    _, validation = split_rows(read_details(Path("photos")))
    judged, listed = ((ANNOTATIONS / f"{name}_photos.txt").read_text().split() for name in ("judged", "blind"))
    assert draw(validation, 100, 42, judged) == listed
