"""Whole answers, counted from the likeliest tokens of one forward pass."""

import numpy as np
import pytest

from finetune.train.answers import answer_scores, likeliest
from finetune.train.collator import IGNORED, Encoded

WORDS = ["", "unknown", "red", "blue", "dark", "hat", "."]
UNKNOWN, RED, BLUE, DARK, HAT, END = range(1, 7)


class Words:
    """A tokenizer with one token a word."""

    def decode(self, ids, skip_special_tokens=True):
        return " ".join(WORDS[i] for i in ids if i != END)


def scored(tasks, expected, answers):
    """Scores of one conversation: each answer stands behind one token of a question."""
    labels, predicted = [], []
    for label, answer in zip(expected, answers, strict=True):
        labels += [IGNORED, *label, END]
        predicted += [*answer, END, 0]
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


def test_texts_and_claims_are_no_attributes_and_unnamed_tasks_are_only_counted():
    assert scored(["title", "claim"], [[HAT], [RED]], [[HAT], [RED]]) == {"answers_right": 1.0}
    assert scored([], [[HAT]], [[RED]]) == {"answers_right": 0.0}


def test_only_the_likeliest_tokens_remain():
    logits = np.zeros((1, 2, 4))
    logits[0, 0, 3] = logits[0, 1, 1] = 1
    assert likeliest((logits, None)).tolist() == likeliest(logits).tolist() == [[3, 1]]
