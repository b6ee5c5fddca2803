import pytest

from finetune.data.photosets import data_root, read_annotations
from finetune.data.splits import split_rows


def test_a_sender_is_never_on_both_sides():
    rows = [{"sender_id": i % 40, "n": i} for i in range(400)]
    train, validation = split_rows(rows)
    assert train
    assert validation
    assert not {r["sender_id"] for r in train} & {r["sender_id"] for r in validation}


@pytest.mark.data
def test_every_class_occurs_in_validation_and_no_sender_dominates():
    _, validation = split_rows(read_annotations(data_root() / "clothing_cc0"))
    assert len({row["label"] for row in validation}) == 17
    senders = [row["sender_id"] for row in validation]
    assert max(senders.count(s) for s in set(senders)) <= len(senders) / 4
