"""Rows of a log's days: each with the history that lay strictly before it, and negatives where the log has none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from recommend.data.parquet import write_parts
from recommend.data.schema import HOUR_MS, day_file
from recommend.data.sequences import Past, draw_negatives
from recommend.imports.maps import ALL, KINDS, Negatives
from recommend.imports.sql import day_of, literal, quoted
from recommend.imports.tables import Work

CHUNK = 100_000  # rows of which histories are made at a time, and of a row group
CAUSES = {"click": "", "cart": "click", "order": "click", "refund": "order"}


class Rows:
    """Writes the days of ``shown``; what is written already stays.

    Attributes:
        histories: column of the past to column of the rows.
    """

    def __init__(self, work: Work, out: Path) -> None:
        self.work, self.out, self.map = work, out, work.map
        kinds = work.kinds("shown")
        self.clock = "hour" in kinds
        beside = [n for n in self.map.sequences if n in self.map.target and kinds[n] != "FLOAT"]
        self.histories = {"item_id": "history_item", **{n: f"history_{n}" for n in beside}}
        self.of_target = ["item_id", *self.map.target]
        rows = dict(work.con.execute("SELECT day, count(*) FROM shown GROUP BY day ORDER BY day").fetchall())
        self.days = {int(day): int(count) * self.times for day, count in rows.items()}

    @property
    def times(self) -> int:
        """Rows for each event."""
        return 1 if self.map.labels else 1 + self.map.negatives.count

    def write(self) -> None:
        """Write the days that are missing."""
        first, past = 0, None
        for day, count in self.days.items():
            path = day_file(self.out, "impression", day)
            if not path.exists():
                past = past or self._past()
                write_parts(path, self._day(day, first, past), CHUNK)
            first += count

    def write_events(self) -> None:
        """The tables of what users did, one file a day."""
        labels = self.map.labels
        late = any(label.at is not None for label in labels.values())  # without moments, rows say it all
        for kind, cause in CAUSES.items():
            if labels and not (late and kind in labels):
                continue
            table = self.work.happened(kind, cause) if labels else self.work.after(kind, cause)
            for day, at, many in zip(*np.unique(table["day"], return_index=True, return_counts=True), strict=True):
                write_parts(day_file(self.out, kind, int(day)), [table.slice(at, many)], CHUNK)

    def _past(self) -> tuple[Past, dict[str, np.ndarray]]:
        if self.map.labels:
            which = " OR ".join("true" if n == ALL else quoted(n) for n in self.map.history) or "false"
        else:
            kinds = KINDS if ALL in self.map.history else self.map.history
            which = "_behaviour IN ({})".format(", ".join(map(literal, kinds)) or "''")
        columns = ", ".join(map(quoted, ("user_id", "time_ms", *self.histories)))
        table = self.work.table(f"SELECT {columns} FROM events WHERE {which} ORDER BY user_id, time_ms, _n")
        arrays = {n: np.asarray(table[n]) for n in table.column_names}
        return Past(arrays["user_id"], arrays["time_ms"]), arrays

    def _day(self, day: int, first: int, past: tuple[Past, dict[str, np.ndarray]]) -> Iterator[pa.Table]:
        """The day's rows, some at a time; ``first`` is the number of its first row."""
        table = self.work.table(f"SELECT * FROM shown WHERE day = {day} ORDER BY time_ms, _n")
        table = table.drop_columns([n for n in table.column_names if n.startswith("_")])
        labels = [] if self.map.labels else [self.map.label, *self.work.follow]
        drawn = self._drawn(np.asarray(table["item_id"]), day)
        for at in range(0, table.num_rows, max(1, CHUNK // self.times)):
            event = np.arange(at, min(at + max(1, CHUNK // self.times), table.num_rows))
            row, displayed = np.repeat(event, self.times), drawn[event].ravel()
            part = table.take(pa.array(row))
            for name in self.of_target:
                part = _set(part, name, table[name].take(pa.array(displayed)))
            positive = np.arange(len(row)) % self.times == 0
            for name in labels:
                part = _set(part, name, pa.array(np.asarray(part[name]) & positive))
            for name in [] if self.map.labels else map(day_of, self.work.follow):
                part = _set(part, name, pa.array(np.where(positive, np.asarray(part[name]), -1).astype(np.int32)))
            number = first + self.times * at + np.arange(len(row))
            part = _set(part, "impression_id", pa.array(number))
            if "request_id" not in part.column_names:
                part = _set(part, "request_id", pa.array(number // self.times))
            for name, lists in self._histories(past, table, event):
                part = _set(part, name, lists.take(pa.array(row - at)))
            if signals := list(self.map.privileged):
                numbers = np.stack([np.asarray(part[n]) for n in signals], 1)
                offsets = pa.array(np.arange(len(numbers) + 1, dtype=np.int32) * len(signals))
                packed = pa.ListArray.from_arrays(offsets, pa.array(numbers.ravel(), pa.float32()))
                part = _set(part.drop_columns(signals), "privileged", packed)
            yield part

    def _drawn(self, item: np.ndarray, day: int) -> np.ndarray:
        """(events, times): the event itself, and those whose item is shown as its negatives."""
        positives = np.arange(len(item))
        if self.times == 1:
            return positives[:, None]
        rule = self.map.negatives
        rng = np.random.default_rng([rule.seed, day])
        everything = np.ones(len(item), dtype=bool)
        drawn = draw_negatives(item, None, everything, positives, rule.count, rule.rule, rng)
        if len(row := np.flatnonzero((item[drawn] == item[:, None]).any(1))):
            drawn[row] = _others(item, row, rule, rng)
        return np.concatenate([positives[:, None], drawn], 1)

    def _histories(
        self, past: tuple[Past, dict[str, np.ndarray]], table: pa.Table, event: np.ndarray
    ) -> Iterator[tuple[str, pa.Array]]:
        """The ragged columns of some events of the day."""
        place, arrays = past
        time = np.asarray(table["time_ms"])[event]
        end, length = place.before(np.asarray(table["user_id"])[event], time)
        length = np.minimum(length, self.map.longest)
        offsets = np.concatenate([[0], np.cumsum(length)])
        at = np.arange(offsets[-1]) + np.repeat(end - length - offsets[:-1], length)
        for name, column in self.histories.items():
            yield column, pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(arrays[name][at]))
        if self.clock:
            age = (np.repeat(time, length) - arrays["time_ms"][at]) / np.float32(HOUR_MS)
            yield "history_age_h", pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(age, pa.float32()))


def _others(item: np.ndarray, row: np.ndarray, rule: Negatives, rng: np.random.Generator) -> np.ndarray:
    """(rows, count) negatives by the rule of events whose item is nearly the day's only one, drawn from the rest."""
    order = np.argsort(item, kind="stable")
    if rule.rule == "uniform":
        order = order[np.unique(item[order], return_index=True)[1]]
    low, high = (np.searchsorted(item[order], item[row], side)[:, None] for side in ("left", "right"))
    place = (rng.random((len(row), rule.count)) * (len(order) - (high - low))).astype(np.int64)
    others: np.ndarray = order[np.where(place < low, place, place + high - low)]
    return others


def _set(table: pa.Table, name: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    if name in table.column_names:
        return table.set_column(table.column_names.index(name), name, values)
    return table.append_column(name, values)
