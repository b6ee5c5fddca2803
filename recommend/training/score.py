"""Probabilities of a trained run for the rows of a log, as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from recommend.config import ConfigError
from recommend.data.codes import code_file
from recommend.data.oracle import no_oracle
from recommend.data.parquet import DataError, write_parts
from recommend.data.ragged import Batch, array_of
from recommend.data.schema import columns_of
from recommend.training.runs import asked, load_run, log_of
from recommend.training.trainer import computing

ID_COLUMNS = ("impression_id", "user_id", "item_id")  # beside the scores, where the log has them


def score_log(
    run: Path,
    data: Path,
    out: Path,
    days: tuple[int, int] | None = None,
    device: Literal["cpu", "cuda"] = "cpu",
    precision: Literal["fp32", "bf16"] = "fp32",
) -> int:
    """Write ``ID_COLUMNS``, ids as they stood in the log's files, and ``p_TASK`` of the log's rows, in their order, to
    a Parquet file, which appears when it is whole; the number of rows.

    Args:
        days: first and last; None: those that the run holds back.

    Raises:
        ConfigError: the file is there already or cannot be written, or there is no such device.
        DataError: run or log cannot be read, the log's codes are others than the run's, or it has no such rows.
    """
    computing(device)
    log = log_of(data)
    with no_oracle():
        model, encode, split = load_run(run, log)
    if out.exists():
        raise ConfigError(f"{out} is there already; name another file.")
    model.to(device).eval()
    there, texts = columns_of(log), {}
    ids = [n for n in ID_COLUMNS if n in there]
    for name in ids:
        if (path := code_file(log, name)).is_file():
            texts[name] = pq.read_table(path).sort_by("code")["value"].combine_chunks()

    def written(name: str, codes: np.ndarray) -> pa.Array:
        return texts[name].take(pa.array(codes, mask=codes < 0)) if name in texts else pa.array(codes)

    f = model.features
    columns = [*(n for n in f.columns if n not in (*f.labels, *f.extra)), *ids]

    def scored(batch: Batch) -> pa.Table:
        with torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bf16"):
            answers = model.predict(encode(batch))
        probabilities = {f"p_{name}": pa.array(p.float().numpy()) for name, p in answers.items()}
        return pa.table({**{n: written(n, array_of(batch[n])) for n in ids}, **probabilities})

    try:
        rows = write_parts(out, map(scored, asked(model, log, days or split.test, columns)))
    except OSError as error:
        raise ConfigError(f"{out} cannot be written ({error.strerror or error}); make room or name another.") from error
    if not rows:
        out.unlink(missing_ok=True)
        raise DataError(f"{log} has no rows on which this run's predictions are asked.")
    return rows
