from pathlib import Path

from finetune.data.details import ANNOTATIONS, draw, read_details
from finetune.data.splits import split_rows


def test_every_photo_has_the_keys_of_both_annotations() -> None:
    rows = read_details(Path("photos"))
    assert len(rows) == len({row["image"] for row in rows}) == 4408
    assert rows[0]["image"].startswith("photos/images/")
    keys = [
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
    ]
    assert all(key in row for row in rows for key in keys)
    assert not any(set(row["yes"]) & set(row["maybe"]) for row in rows)


def test_the_photos_of_the_blind_reading_are_those_of_the_seed() -> None:
    _, validation = split_rows(read_details(Path("photos")))
    judged = (ANNOTATIONS / "judged_photos.txt").read_text(encoding="utf-8").split()
    listed = (ANNOTATIONS / "blind_photos.txt").read_text(encoding="utf-8").split()
    assert draw(validation, 100, 42, judged) == listed
