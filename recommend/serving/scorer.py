"""A trained run that scores rows: those of a log's days, and those that somebody sends."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from recommend.config import ConfigError
from recommend.data.codes import code_file
from recommend.data.oracle import no_oracle
from recommend.data.parquet import DataError, write_parts
from recommend.data.ragged import Batch, Column, Ragged, array_of
from recommend.data.schema import columns_of
from recommend.features.feature_map import TIME, Feature
from recommend.training.runs import asked, load_run, log_of, read_run
from recommend.training.trainer import computing

Precision = Literal["fp32", "bf16"]
ID_COLUMNS = ("impression_id", "user_id", "item_id")  # beside the scores, where the log has them


class Scorer:
    """A run's model with what turns a log's columns into its input.

    Args:
        run: what ``train`` wrote.
        data: the log (or a world) on which it was trained: its codes of texts, and what is joined to its rows.
        device, precision: where and in which numbers the model computes; sums and scores are float32.

    Raises:
        DataError: the run or the log cannot be read, or the log's codes are others than the run's.
        ConfigError: there is no such device.
    """

    def __init__(
        self, run: Path, data: Path, device: Literal["cpu", "cuda"] = "cpu", precision: Precision = "fp32"
    ) -> None:
        computing(device)
        self.folder, self.run, self.log = Path(run), read_run(run), log_of(data)
        self.device, self.precision = device, precision
        with no_oracle():
            self.model, self.encode, self.days = load_run(run, self.log)
        self.model.to(device).eval()
        self.features = self.model.features
        self._codes: dict[str, dict[str, int] | None] = {}
        self._texts: dict[str, pa.Array] = {}

    def __call__(self, batch: Batch) -> dict[str, np.ndarray]:
        """(rows,) float32 probabilities by task, of raw columns of the log."""
        with torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.precision == "bf16"):
            answers = self.model.predict(self.encode(batch))
        return {name: value.float().numpy() for name, value in answers.items()}

    def scores(self, first: int, last: int) -> Iterator[pa.Table]:
        """Scores of the log's rows of some days, in their order: the columns ``ID_COLUMNS``, ids as they stood in the
        log's files, and ``p_TASK``.

        Raises:
            DataError: there are no such rows.
        """
        there = columns_of(self.log)
        ids = [n for n in ID_COLUMNS if n in there]
        inputs = [n for n in self.features.columns if n not in (*self.features.labels, *self.features.extra)]
        for batch in asked(self.model, self.log, (first, last), [*inputs, *ids]):
            probabilities = {f"p_{name}": pa.array(p) for name, p in self(batch).items()}
            yield pa.table({**{n: self._as_written(n, array_of(batch[n])) for n in ids}, **probabilities})

    def _as_written(self, column: str, ids: np.ndarray) -> pa.Array:
        """Ids as the log's files had them: texts where these have codes."""
        path = code_file(self.log, column)
        if not path.is_file():
            return pa.array(ids)
        if column not in self._texts:
            self._texts[column] = pq.read_table(path).sort_by("code")["value"].combine_chunks()
        return self._texts[column].take(pa.array(ids, mask=ids < 0))

    def batch(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Column]:
        """Rows as somebody sends them, to columns: texts are looked up in the log's codes, what is new is unknown.

        Counts are those of the log before each row's ``time_ms``, and of the whole log where rows have none.

        Raises:
            DataError: a column is missing or of another kind.
        """
        columns: dict[str, Column] = {}
        for feature in self.features.features:
            if feature.derived or feature.kind == "count":
                continue
            if feature.joined_by:
                raise DataError(f"'{feature.column}' is joined to the rows of a log; score a log instead.")
            try:
                cells = [row[feature.column] for row in rows]
            except KeyError as error:
                raise DataError(f"a row lacks '{feature.column}', which {self.run.model.name} reads.") from error
            columns[feature.column] = self._column(feature, cells)
        if all(TIME in row for row in rows):
            columns[TIME] = self._column(Feature(column=TIME, role="raw", kind="id"), [row[TIME] for row in rows])
        for group in self.features.groups():
            of = [columns[f.column] for f in self.features.role("history") if f.group == group]
            lengths = [column.lengths for column in of if isinstance(column, Ragged)]
            if any(not torch.equal(one, lengths[0]) for one in lengths):
                raise DataError(f"the histories of '{group}' must be equally long in every row.")
        return columns

    def _column(self, feature: Feature, cells: list[Any]) -> Column:
        name, listed = feature.column, feature.role == "history" or feature.kind == "vector"
        if listed != all(isinstance(cell, list) for cell in cells):
            raise DataError(f"'{name}' must be {'a list' if listed else 'one value'} in every row.")
        flat = [value for cell in cells for value in cell] if listed else cells
        number = feature.kind != "id" or feature.bucketed
        try:
            if number:
                values = torch.tensor([0.0 if v is None else float(v) for v in flat], dtype=torch.float32)
                if not values.isfinite().all():
                    raise ValueError("not finite")
            else:
                values = torch.tensor([self._code(feature.match or name, v) for v in flat], dtype=torch.int64)
        except (TypeError, ValueError, OverflowError, RuntimeError) as error:
            raise DataError(f"'{name}' holds something that is no {'number' if number else 'id'}.") from error
        return Ragged(values, torch.tensor([len(cell) for cell in cells])) if listed else values

    def _code(self, column: str, value: Any) -> int:
        """A raw id as the log holds it: the code of its text, or a whole number where there are no codes."""
        if value is None:
            return 0 if column in ("single", "promotion") else -1
        if not isinstance(value, (str, int, float)) or (isinstance(value, float) and not math.isfinite(value)):
            raise TypeError(value)
        if column not in self._codes:
            self._codes[column] = _codes(self.log, column)
        codes = self._codes[column]
        if codes is None:
            if isinstance(value, float) and not value.is_integer():
                raise ValueError(value)
            return int(value)
        text = str(value).lower() if isinstance(value, bool) else str(value)
        code = codes.get(text)
        return code if code is not None else codes.get(_plain(text), -1)


def _codes(log: Path, column: str) -> dict[str, int] | None:
    """Texts of a column to their codes; None where its numbers stand as they are. Texts that are all decimal numbers
    (ids beside empty cells often are: 17.0) are found without their noughts as well, since whoever asks sends 17.
    """
    path = code_file(log, column)
    if not path.is_file():
        return None
    table = pq.read_table(path)
    codes = dict(zip(table["value"].to_pylist(), table["code"].to_pylist(), strict=True))
    if all("." in text and _plain(text) != text for text in codes):
        codes |= {_plain(text): code for text, code in codes.items()}
    return codes


def _plain(text: str) -> str:
    """17 for 17.0 and 17.00; any other text as it is."""
    whole, point, rest = text.partition(".")
    return whole if point and not rest.strip("0") and whole.lstrip("-").isdecimal() else text


def score_log(scorer: Scorer, out: Path, days: tuple[int, int] | None = None) -> int:
    """Write the scores of a log's days to a Parquet file, which appears when it is whole; the number of rows.

    Args:
        days: first and last; None: those that the run holds back.

    Raises:
        ConfigError: the file is there already, or cannot be written.
        DataError: the log has no such rows.
    """
    if out.exists():
        raise ConfigError(f"{out} is there already; name another file.")
    try:
        rows = write_parts(out, scorer.scores(*(days or scorer.days.test)))
    except OSError as error:
        raise ConfigError(f"{out} cannot be written ({error.strerror or error}); make room or name another.") from error
    if not rows:
        out.unlink(missing_ok=True)
        raise DataError(f"{scorer.log} has no rows on which this run's predictions are asked.")
    return rows
