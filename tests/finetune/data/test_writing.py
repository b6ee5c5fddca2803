"""What the writer is taught: real texts, cut to what stands in their prompt."""

import gzip
import json
from pathlib import Path
from random import Random

import pytest

from finetune.data.cutting import FRAME, RENDERED, WORD, cut, stem
from finetune.data.splits import is_validation_sender
from finetune.data.writing import from_texts, known_of, past_listings, writer_rows
from listing.say.render import CLOSERS
from listing.taxonomy import load_taxonomy

TAXONOMY = load_taxonomy()
FILE = Path(__file__).parents[3] / "finetune" / "annotations" / "clothing_cc0.jsonl.gz"


@pytest.fixture(scope="module")
def rows():
    return [json.loads(line) for line in gzip.decompress(FILE.read_bytes()).decode().splitlines()]


@pytest.fixture(scope="module")
def samples(rows):
    teach, rng = from_texts(rows, TAXONOMY), Random(0)
    return [teach(row, rng)[1][0] for row in Random(1).sample(writer_rows(rows)[0], 300)]


def row(**changed):
    given = {"label": "T-Shirt", "item": "t-shirt", "colour": "navy", "colour2": None, "pattern": "solid"}
    given |= {"sleeve": "short", "neckline": "crew", "closure": "unknown", "material": "unknown", "audience": "unknown"}
    given |= {"text": None, "brand": None, "condition": ["none-visible"], "guess": [], "label_ok": True}
    given |= {"title": "Navy t-shirt", "description": "", "sender_id": 1, "image": "1.jpg"}
    return {**given, **changed}


def cut_of(text, **changed):
    given = row(description=text, **changed)
    return cut(text, known_of(given, TAXONOMY))


def claims_in(prompt):
    lines = [line.partition(": ")[2] for line in prompt.splitlines() if line.startswith(("Certain", "Likely"))]
    return [claim for line in lines for claim in line.split("; ")]


def test_a_target_says_nothing_that_its_prompt_does_not_hold(samples):
    foreign = said = 0
    for task in samples:
        hints = {stem(w) for w in WORD.findall(task.prompt.partition("\nTone:")[0].lower())}
        text = task.answer.lower()
        for line in CLOSERS:
            text = text.replace(line.lower(), "")
        words = [w for w in WORD.findall(text) if w not in FRAME | RENDERED]
        said += len(words)
        foreign += sum(stem(w) not in hints for w in words)
    assert said > 2000
    assert foreign / said < 0.01


def test_many_prompts_are_sparse_and_half_have_past_listings(samples):
    counts = [len(claims_in(task.prompt)) for task in samples]
    assert sum(count <= 3 for count in counts) / len(counts) > 0.3
    assert 0.4 < sum("Tone:" in task.prompt for task in samples) / len(samples) < 0.6


def test_title_and_description_are_one_line_each(samples):
    assert all(task.answer.count("\n") == 1 and all(task.answer.split("\n")) for task in samples)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Navy t-shirt with a round neck and a small parrot on the sleeve.", "Navy t-shirt with a round neck."),
        ("Navy t-shirt with short sleeves. Shown on a hanger.", "Navy t-shirt with short sleeves."),
        ("A lovely dark blue tee with a simple round neck.", "A navy t-shirt with a round neck."),
        ("Navy t-shirt with no print at all.", ""),
        ("A parrot sits on the chest.", ""),
        ("Navy t-shirt with navy and red lettering.", "Navy t-shirt with navy and red lettering."),
    ],
)
def test_what_the_prompt_does_not_hold_is_cut(text, kept):
    assert cut_of(text, colour2="red" if "red" in text else None) == kept


def test_a_guess_is_neither_in_prompt_nor_target():
    given = row(title="Navy cotton t-shirt", description="Navy cotton t-shirt with a round neck.")
    known = known_of({**given, "material": "cotton", "guess": ["material"]}, TAXONOMY)
    assert not any(attribute == "material" for attribute, _ in known.claims)
    assert cut(given["description"], known) == "Navy t-shirt with a round neck."


def test_the_writer_is_judged_by_training_senders_that_it_is_not_taught(rows):
    train, held = ({row["sender_id"] for row in part} for part in writer_rows(rows))
    assert held
    assert not train & held
    assert not any(is_validation_sender(sender) for sender in train | held)


def test_past_listings_are_of_other_senders():
    mine = row(title="Mine", description="Mine.")
    others = [row(sender_id=2, title=f"Other {k}", label="T-Shirt" if k % 2 else "Skirt") for k in range(6)]
    drawn = [past_listings(mine, [mine, *others], Random(seed)) for seed in range(40)]
    assert any(drawn)
    assert not any(text.startswith("Mine") for texts in drawn for text in texts)
