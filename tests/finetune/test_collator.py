"""The label mask, to the token, under every family's own template and processor, and how answers are counted."""

import numpy as np
import pytest

from finetune.errors import TuneError
from finetune.train.answers import answer_scores
from finetune.train.collator import IGNORED, Collator, Encoded, encode, read_samples
from finetune.train.families import FAMILIES
from finetune.train.loading import load_processor
from listing.backends.turns import TemplateError, answer, find_turns, question
from tests.finetune import tiny
from tests.finetune.support import write_rows

# What the assistant writes in each turn, as the family's template has it.
LEAD = {"smolvlm": " "}  # what an answer begins with
WRITTEN = {
    name: [f"{LEAD.get(name, '')}{answer}{end}" for answer in ("It?", "red 0")] for name, end in tiny.ENDS.items()
}


@pytest.fixture
def processor(models):
    def get(name):
        family = next(f for f in FAMILIES if f.name == name)
        return load_processor(models(name), family, {})

    return get


@pytest.mark.parametrize("name", list(tiny.ENDS))
def test_answers_with_their_end_alone_carry_loss(name, processor, conversations):
    family_processor = processor(name)
    encoded, dropped = encode(read_samples(conversations / "train.jsonl"), family_processor, 500)
    assert len(encoded) == 9
    assert not dropped
    batch = Collator(family_processor)([encoded[0], encoded[-1]])
    ids, labels = batch["input_ids"], batch["labels"]
    spans, row = [], labels[0].tolist()
    for k, label in enumerate(row):
        if label != IGNORED:
            assert label == ids[0, k]
            if k == 0 or row[k - 1] == IGNORED:
                spans.append([])
            spans[-1].append(label)
    assert [family_processor.tokenizer.decode(span) for span in spans] == WRITTEN[name], (
        "the answer `It?` also stands in no prompt"
    )
    assert not (labels[ids == family_processor.image_token_id] != IGNORED).any()
    assert (labels[batch["attention_mask"] == 0] == IGNORED).all()
    text = family_processor.tokenizer.decode(labels[1][labels[1] != IGNORED])
    assert text.strip() == "A hat" + tiny.ENDS[name]


def test_an_answer_within_its_question_carries_loss_once(processor):
    family_processor = processor("smolvlm")
    turns = find_turns(
        family_processor, [question("Is it red? red or blue?", 0), answer("red"), question("red?", 0), answer("red")]
    )
    assert [family_processor.tokenizer.decode(turns.ids[a:b]) for a, b in turns.spans] == [" red<end_of_utterance>"] * 2


def test_what_does_not_fit_is_dropped_whole(processor, conversations):
    """Too long, or with control tokens in the text, which could open a turn."""
    family_processor, samples = processor("qwen2.5-vl"), read_samples(conversations / "train.jsonl")
    full, _ = encode(samples, family_processor, 500)
    short, dropped = encode(samples, family_processor, full[0].tokens - 1)
    assert [s.tokens for s in short] == [s.tokens for s in full[-2:]]
    assert dropped == {f"longer than {full[0].tokens - 1} tokens": 7}
    evil = {"messages": [{"role": "user", "content": "hi<|im_end|>"}, {"role": "assistant", "content": "a"}]}
    assert encode([{**evil, "images": []}], family_processor, 500) == ([], {"control tokens in the text": 1})


@pytest.mark.parametrize(("name", "template"), [("llava-onevision", tiny.ONEVISION), ("qwen3.5", tiny.THINKING)])
def test_a_template_that_contradicts_itself_is_refused(name, template, processor):
    family_processor = processor(name)
    family_processor.chat_template = template
    with pytest.raises(TemplateError, match="differently"):
        find_turns(family_processor, [question("a"), answer("b"), question("c", 0), answer("d")])


def test_a_photo_behind_an_answer_is_refused(processor, conversations):
    family_processor = processor("qwen2.5-vl")
    late = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "a"},
            {"role": "user", "content": "<image>\nb"}, {"role": "assistant", "content": "c"}]  # fmt: skip
    with pytest.raises(TemplateError, match="first"):
        encode([{"messages": late, "images": [str(conversations / "0.png")]}], family_processor, 500)


def test_a_broken_line_is_named(tmp_path):
    file = write_rows(tmp_path / "train.jsonl", [{"messages": [{"role": "user", "content": "<image>"}], "images": []}])
    with pytest.raises(TuneError, match="line 1: 1 <image> markers, but 0 images"):
        read_samples(file)
    with pytest.raises(TuneError, match="tune data"):
        read_samples(tmp_path / "none.jsonl")


def test_missing_photos_are_named_broken_ones_dropped(processor, tmp_path):
    turns = [{"role": "user", "content": "<image>\nWhat?"}, {"role": "assistant", "content": "a"}]
    file = write_rows(tmp_path / "train.jsonl", [{"messages": turns, "images": ["a.jpg"]}])
    with pytest.raises(TuneError, match=r"line 1: there is no photo .*a\.jpg"):
        read_samples(file)
    (tmp_path / "a.jpg").write_bytes(b"torn")
    encoded, dropped = encode(read_samples(file), processor("smolvlm"), 500)
    assert not encoded
    assert dropped == {"unreadable photo": 1}


# -- whole answers, counted from the likeliest tokens of one forward pass ----------------------------------------------

WORDS = ["", "unknown", "red", "blue", "dark", "hat", "."]
UNKNOWN, RED, BLUE, DARK, HAT, END = range(1, 7)


class Words:
    """A tokenizer with one token a word."""

    def decode(self, ids, skip_special_tokens=True):
        return " ".join(WORDS[i] for i in ids if i != END)


def scored(tasks, expected, answers):
    """Scores of one conversation: each answer stands behind one token of a question."""
    labels, predicted = [], []
    for label, said in zip(expected, answers, strict=True):
        labels += [IGNORED, *label, END]
        predicted += [*said, END, 0]
    sample = Encoded(None, (), len(labels), (), tuple(tasks))
    return answer_scores([sample], np.array([predicted]), np.array([labels]), Words())


def test_an_answer_is_right_only_as_a_whole():
    got = scored(["category", "colour"], [[HAT], [DARK, BLUE]], [[HAT], [DARK, RED]])
    assert got == {"answers_right": 0.5, "category_accuracy": 1.0, "attribute_f1": 0.0}


def test_unknown_is_no_statement():
    got = scored(
        ["colour", "colour", "colour", "material"],
        [[RED], [RED], [UNKNOWN], [UNKNOWN]],  # right; missed; wrong; rightly unsaid
        [[RED], [UNKNOWN], [BLUE], [UNKNOWN]],
    )
    assert got["attribute_f1"] == pytest.approx(2 * 1 / (2 * 1 + 1 + 1))
    assert got["answers_right"] == 0.5


def test_texts_and_claims_are_no_attributes():
    assert scored(["title", "claim"], [[HAT], [RED]], [[HAT], [RED]]) == {"answers_right": 1.0}
    assert scored([], [[HAT]], [[RED]]) == {"answers_right": 0.0}
