"""Splits by time."""

from __future__ import annotations

from pathlib import Path

import pytest

from recommend.data.parquet import DataError
from recommend.data.schema import day_file
from recommend.data.splits import TimeSplit, last_days


def days(root: Path, count: int) -> Path:
    for day in range(count):
        day_file(root, "impression", day).parent.mkdir(parents=True)
        day_file(root, "impression", day).touch()
    return root


def test_the_test_lies_strictly_after_the_training(tmp_path: Path) -> None:
    split = last_days(days(tmp_path, 10), test_days=2, valid_days=1)
    assert split == TimeSplit(train=(0, 6), valid=(7, 7), test=(8, 9))
    assert last_days(tmp_path) == TimeSplit(train=(0, 8), valid=None, test=(9, 9))


def test_impossible_splits_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="later part starts on day 3"):
        TimeSplit(train=(0, 3), valid=None, test=(3, 4))
    with pytest.raises(DataError, match="are no period"):
        TimeSplit(train=(3, 0), valid=None, test=(4, 4))
    with pytest.raises(DataError, match="too few"):
        last_days(days(tmp_path / "a", 2), test_days=2)
    with pytest.raises(DataError, match="no table 'impression'"):
        last_days(tmp_path / "none")
