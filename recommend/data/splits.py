"""Splits by time: what is tested lies strictly after what is trained on."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from recommend.data.parquet import DataError
from recommend.data.schema import table_files


@dataclass(frozen=True)
class TimeSplit:
    """Days of each part, both ends included."""

    train: tuple[int, int]
    valid: tuple[int, int] | None
    test: tuple[int, int]

    def __post_init__(self) -> None:
        parts = [p for p in (self.train, self.valid, self.test) if p is not None]
        for first, last in parts:
            if first > last:
                raise DataError(f"days {first}..{last} are no period.")
        for (_, before), (after, _) in pairwise(parts):
            if after <= before:
                raise DataError(f"a later part starts on day {after}, but the earlier one ends on day {before}.")


def last_days(root: Path, test_days: int = 1, valid_days: int = 0) -> TimeSplit:
    """The last ``test_days`` for the test, the days before for validation, all earlier ones for training."""
    files = table_files(root, "impression")
    if not files:
        raise DataError(f"there is no table 'impression' in {root}; './ipl recommend world' makes one.")
    days = sorted({int(f.parent.name.removeprefix("day=")) for f in files})
    last = days[-1]
    test = (last - test_days + 1, last)
    valid_end = test[0] - 1
    valid = (valid_end - valid_days + 1, valid_end) if valid_days else None
    train_end = valid[0] - 1 if valid else valid_end
    if train_end < days[0]:
        raise DataError(f"{root} has {len(days)} days, too few for {test_days} test and {valid_days} validation days.")
    return TimeSplit((days[0], train_end), valid, test)
