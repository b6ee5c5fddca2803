"""The texts with one false phrase are what their README says: a test set is worth only what its phrases match."""

from __future__ import annotations

import gzip
import json
import random
import re
from collections import Counter
from pathlib import Path

import pytest

from finetune.data.splits import split_rows

HERE = Path(__file__).parent
ANNOTATIONS = HERE.parents[2] / "finetune" / "annotations" / "clothing_cc0.jsonl.gz"
ROWS = [json.loads(line) for line in (HERE / "woven.jsonl").read_text(encoding="utf-8").splitlines()]


def _places(phrase: str, text: str) -> list[tuple[int, int]]:
    return [m.span() for m in re.finditer(rf"(?<!\w){re.escape(phrase)}(?!\w)", text)]


def test_the_photos_are_those_of_the_draw() -> None:
    with gzip.open(ANNOTATIONS, "rt", encoding="utf-8") as lines:
        _, validation = split_rows(map(json.loads, lines))
    names = sorted(Path(row["image"]).name for row in validation)
    assert [Path(row["image"]).name for row in ROWS] == random.Random(20261202).sample(names, 120)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: Path(row["image"]).stem[:8])
def test_phrases_stand_in_the_text_and_true_ones_apart_from_the_false_one(row: dict) -> None:
    text = f"{row['title']}\n{row['description']}"
    ((start, end),) = _places(row["false"], text)
    assert text.lower().count(row["false"].lower()) == 1
    assert row["wrong"] in row["false"]
    assert len(_places(row["wrong"], text)) == 1
    assert row["truth"]
    assert len(set(row["true"])) == len(row["true"]) >= 3
    for phrase in row["true"]:
        assert any(b <= start or end <= a for a, b in _places(phrase, text)), phrase
    assert 2 <= len(re.findall(r"[.!?](?:\s|$)", row["description"])) <= 4


def test_every_kind_of_error_is_there_often_enough_to_be_read_apart() -> None:
    counts = Counter(row["kind"] for row in ROWS)
    assert (len(ROWS), len(counts)) == (120, 11)
    assert min(counts.values()) >= 8
