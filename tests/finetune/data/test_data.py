import json
import re

import numpy as np
import pytest
from PIL import Image

from app.cli.main import main
from finetune.data.build import from_annotations, write_data
from finetune.data.past_listings import read_listings, supported_text, tasks_of
from finetune.data.splits import is_validation_sender
from finetune.data.tasks import TaskPlan
from finetune.errors import DataError
from finetune.train.collator import read_samples
from listing.taxonomy import load_taxonomy
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
    out = tmp_path / "made"
    made = write_data(rows, from_annotations(TAXONOMY, TaskPlan(text_share=1.0)), out)
    train, unseen = read_samples(out / "train.jsonl"), read_samples(out / "validation.jsonl")
    assert made.samples == {"train": len(train), "validation": len(unseen)} == {"train": 9, "validation": 3}
    answers = sum(m["role"] == "assistant" for s in train for m in s["messages"])
    assert sum(n for values in made.counts["train"].values() for n in values.values()) == answers
    assert made.counts["train"]["category"] == {"hoodie": 3}
    assert json.loads((out / "report.json").read_text())["counts"] == made.counts
    assert "/" not in json.loads((out / "train.jsonl").read_text().splitlines()[0])["images"][0].removeprefix("../")


def test_all_questions_about_a_photo_share_one_conversation(rows, tmp_path):
    write_data(rows, from_annotations(TAXONOMY, TaskPlan(text_share=0)), tmp_path / "made")
    samples = read_samples(tmp_path / "made" / "train.jsonl")
    assert len(samples) == 6
    questions = [s for s in samples if s["tasks"] != ["form"]]
    assert len(questions) == 3
    assert all("".join(m["content"] for m in s["messages"]).count("<image>") == 1 for s in samples)
    assert all(len(s["messages"]) >= 14 for s in questions)


def test_the_same_seed_writes_the_same_bytes(rows, tmp_path):
    teach = from_annotations(TAXONOMY, TaskPlan())
    texts = []
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_data(rows, teach, tmp_path / folder, seed)
        texts.append((tmp_path / folder / "train.jsonl").read_text())
    assert texts[0] == texts[1] != texts[2]


def test_a_training_photo_that_looks_like_one_of_validation_is_left_out(rows, tmp_path):
    same = tmp_path / "same.png"
    Image.open(rows[3]["image"]).resize((80, 80)).save(same)
    more = [*rows, annotated(image=str(same), sender_id=TRAIN)]
    made = write_data(more, from_annotations(TAXONOMY, TaskPlan(text_share=0)), tmp_path / "made")
    assert made.alike == 1
    assert made.samples["train"] == 6


def test_the_page_shows_the_photos_by_relative_path_and_escapes_texts(rows, tmp_path):
    rows[0]["text"] = "<b>x</b>"
    write_data(rows, from_annotations(TAXONOMY, TaskPlan(text_share=1.0, drop_fact=0)), tmp_path / "made")
    page = (tmp_path / "made" / "samples.html").read_text()
    assert set(re.findall(r'src="([^"]+)"', page)) == {"../0.png", "../1.png", "../2.png"}
    assert "<b>x" not in page


FACTS = {"colour": "navy", "closure": "zip", "size": "M"}
NODE = TAXONOMY.categories["Hoodie"]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Navy hoodie with a zip. It is made of wool.", "Navy hoodie with a zip."),
        ("Worn 3 times. Nice hoodie.", "Nice hoodie."),
        ("Navy hoodie. Call me at 0171 2345678.", ""),
        ("Navy hoodie in size M.", "Navy hoodie in size M."),
    ],
)
def test_only_what_the_facts_say_is_taught_of_a_sellers_text(text, kept):
    assert supported_text(text, FACTS, NODE, TAXONOMY) == kept


def test_a_listing_teaches_what_a_photo_can_show_and_nothing_else(tmp_path):
    given = {"colour": "navy", "size": "M", "brand": "Nike", "material": "odd"}
    listing = {"id": "a", "seller_id": "s", "category": "Hoodie", "photos": [{"id": "ab12"}], "attributes": given}
    listing |= {"title": "Navy hoodie", "description": ""}
    photo_tasks, written = tasks_of(listing, TAXONOMY)
    assert {task.name: task.answer for task in photo_tasks} == {"category": "hoodie", "colour": "navy"}
    assert [(task.name, task.answer) for task in written] == [("title", "Navy hoodie")]
    file = tmp_path / "l.jsonl"
    file.write_text(json.dumps(listing) + "\n")
    with pytest.raises(DataError, match="--photos"):
        read_listings(file, tmp_path)
    (tmp_path / "ab").mkdir()
    photo(tmp_path / "ab" / "ab12.jpg", 1)
    assert read_listings(file, tmp_path)[0]["sender_id"] == "s"


def test_one_sender_alone_is_refused(tmp_path, rows):
    with pytest.raises(DataError, match="two senders"):
        write_data(rows[:3], from_annotations(TAXONOMY, TaskPlan()), tmp_path / "made")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["data"], "--out"),
        (["data", "--out", "x", "--listings", "y"], "--photos"),
        (["merge", "--base", "x"], "--adapter"),
        (["finetune/configs/none.yaml"], "There is no config"),
    ],
)
def test_what_is_missing_on_the_command_line_is_named(arguments, says, capsys):
    assert main(["tune", *arguments]) == 2
    assert says in capsys.readouterr().err
