"""Answers depend on the photo: the same question about another photo is answered otherwise."""

import json

import pytest
import torch
from PIL import Image

from finetune.train.chat import train_chat
from finetune.train.collator import Collator, encode, read_samples
from finetune.train.configs import ChatConfig
from finetune.train.families import FAMILIES
from listing.backends.base import ChoiceQuestion
from listing.backends.local import LocalBackend
from tests.finetune import tiny

COLOURS = {"red": (200, 30, 30), "blue": (20, 30, 220)}
ASKED = ChoiceQuestion("colour", "Colour?", tuple(COLOURS))
RED, BLUE = (Image.new("RGB", (60, 40), colour) for colour in COLOURS.values())


@pytest.mark.parametrize("name", list(tiny.BUILDERS))
def test_another_photo_changes_the_loss_of_the_same_words_and_the_same_photo_does_not(name, models, conversations):
    backend = LocalBackend(models(name))
    model, processor = backend.model.float(), backend.processor
    (sample, *_), _ = encode(read_samples(conversations / "train.jsonl"), processor, 5000)
    losses = []
    for number in (0, 5, 0):
        other = type(sample)(sample.turns, (conversations / f"{number}.png",), sample.tokens, sample.messages)
        with torch.inference_mode():
            losses.append(model(**Collator(processor)([other])).loss.item())
    assert losses[0] == losses[2] != losses[1]
    assert name in {family.name for family in FAMILIES}


def test_a_model_that_is_tuned_on_two_colours_tells_them_apart(models, tmp_path):
    rows = []
    for name, colour in COLOURS.items():
        Image.new("RGB", (60, 40), colour).save(tmp_path / f"{name}.png")
        turns = [{"role": "user", "content": "<image>\nColour?"}, {"role": "assistant", "content": name}]
        rows.append({"messages": turns, "images": [f"{name}.png"], "tasks": ["colour"]})
    for split in ("train", "validation"):
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    cfg = ChatConfig(
        model=str(models("smolvlm")), data=str(tmp_path), out=str(tmp_path / "out"), quantize="none",
        precision="32", rank=0, trains=("model.connector",), pixels={}, steps=80, batch_size=2, accumulate=1,
        warmup=4, evaluate_every=80, log_every=10, save_every=80, checkpointing=False, workers=0, lr=5e-3,
    )  # fmt: skip
    train_chat(cfg)
    tuned, untuned = LocalBackend(tmp_path / "out" / "model"), LocalBackend(models("smolvlm"))
    reds = [backend.score(photo, [ASKED])["colour"]["red"] for backend in (tuned, untuned) for photo in (RED, BLUE)]
    assert reds[0] > 0.8
    assert reds[1] < 0.2
    assert abs(reds[2] - reds[3]) < 0.2, "what was tuned tells them apart, not the question"
    lines = map(json.loads, (tmp_path / "out" / "log.jsonl").read_text().splitlines())
    (evaluation,) = [line for line in lines if "eval_loss" in line]
    assert evaluation["eval_attribute_f1"] == 1.0


@pytest.mark.model
def test_the_embedded_model_says_what_is_in_the_photo(model_folder, repository):
    backend = LocalBackend(model_folder)
    hoodie, jeans = (Image.open(repository / "demo" / f"{name}.jpg").convert("RGB") for name in ("hoodie", "jeans"))
    asked = [ChoiceQuestion("category", "What is it?", ("hoodie", "hat", "shoes"))]
    first, again, other = (backend.score(photo, asked)["category"] for photo in (hoodie, hoodie, jeans))
    assert first == again
    assert max(first, key=lambda answer: first[answer]) == "hoodie"
    assert sum(abs(first[answer] - other[answer]) for answer in first) > 0.1
