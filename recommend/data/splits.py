"""Splits by time: what is tested lies strictly after what is trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from recommend.data.parquet import DataError
from recommend.data.schema import table_files


@dataclass(frozen=True)
class TimeSplit:
    """Days of each part, both ends included."""

    train: tuple[int, int]
    test: tuple[int, int]

    def __post_init__(self) -> None:
        for first, last in (self.train, self.test):
            if first > last:
                raise DataError(f"days {first}..{last} are no period.")
        if self.test[0] <= self.train[1]:
            raise DataError(f"the test starts on day {self.test[0]}, but training ends on day {self.train[1]}.")


def last_days(root: Path, test_days: int = 1) -> TimeSplit:
    """The last ``test_days`` for the test, all earlier ones for training."""
    files = table_files(root, "impression")
    if not files:
        raise DataError(f"there is no table 'impression' in {root}; './ipl recommend world' makes one.")
    days = sorted({int(f.parent.name.removeprefix("day=")) for f in files})
    last = days[-1]
    test = (last - test_days + 1, last)
    if test[0] - 1 < days[0]:
        raise DataError(f"{root} has {len(days)} days, too few for {test_days} test days.")
    return TimeSplit((days[0], test[0] - 1), test)
