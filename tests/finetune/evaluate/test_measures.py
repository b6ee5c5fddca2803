import math

import pytest

from finetune.evaluate.measures import Counts, count, f1, interval, judge, scores_of
from tests.finetune.rows import annotated


@pytest.mark.parametrize(
    ("row", "stated", "counts"),
    [
        ({}, "navy", Counts(right=1)),
        ({}, "black", Counts(wrong=1, missed=1)),
        ({}, None, Counts(missed=1)),
        ({"colour2": "white"}, "white", Counts(right=1)),
        ({"colour": "unknown"}, "navy", Counts(wrong=1)),
        ({"colour": "unknown"}, None, Counts()),
        ({"colour": "n/a"}, "unknown", Counts()),
        ({"guess": ["colour"]}, "navy", None),
    ],
)
def test_statements_are_judged_against_the_annotation(row, stated, counts):
    assert judge(annotated(**row), "colour", stated) == counts


def test_f1_of_attributes_by_hand():
    rows = [annotated(), annotated()]
    stated = [{"colour": "navy", "sleeve": "short"}, {"colour": "black", "sleeve": "long"}]
    scores = scores_of(count(rows, stated).sum(0))
    assert scores["by_attribute"]["colour"]["f1"] == pytest.approx(0.5)
    assert scores["by_attribute"]["sleeve"]["f1"] == pytest.approx(0.5)
    assert scores["by_attribute"]["pattern"]["f1"] == 0.0
    assert scores["precision"] == pytest.approx(0.5)
    assert scores["recall"] == pytest.approx(2 / 14)
    assert math.isnan(f1(0, 0, 0))


def test_the_interval_draws_whole_senders():
    rows = [annotated(sender_id=i // 10) for i in range(40)]
    right = [i // 10 % 2 for i in range(40)]  # all photos of a sender are right or wrong together
    low, high = interval(rows, lambda index: sum(right[i] for i in index) / len(index), draws=400)
    assert low <= 0.1
    assert high >= 0.9
