"""A trained run on the days that were held back, beside popularity and, in a simulated world, the oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from recommend.data.parquet import DataError, ParquetStream
from recommend.data.schema import table_files
from recommend.features.ragged import tensor_of
from recommend.metrics.lists import normalised_regret
from recommend.metrics.report import measures
from recommend.training.runs import asked, load_run
from recommend.training.scoring import measured, predictions
from recommend.training.trainer import computing
from recommend.world.oracle import FOLDER, no_oracle, open_oracle


def evaluate_run(folder: Path, log: Path, device: str = "cpu", precision: str = "fp32") -> dict[str, Any]:
    """Measures of each prediction, and of the oracle where there is one: ``{days, rows, measures: {name: {...}}}``.

    Args:
        precision: of the forward pass, ``fp32`` or ``bf16``; probabilities and measures are float32 either way.
    """
    model, encode, split = load_run(folder, log)
    computing(device)
    model.to(device)
    keep = list(dict.fromkeys([*model.features.labels, model.features.group, "impression_id", "request_id"]))
    with no_oracle(), torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bf16"):
        table = predictions(model, asked(model, log, split.test, [*model.features.columns, *keep]), encode, keep)
    if not table:
        raise DataError(f"{log} has no rows with '{model.only}' of the days {split.test[0]}..{split.test[1]}.")
    group, found = table[model.features.group], measured(model, table)
    if (log.parent / FOLDER / "impression").is_dir() and "p_click" in table:
        files = table_files(log, "impression", *split.test)
        days = [f.parent.name for f in files]
        truth = np.concatenate([open_oracle(log.parent, f"impression/{d}")["p_click_without_page"] for d in days])
        first = tensor_of(next(iter(ParquetStream(files[:1], ["impression_id"], 1)))["impression_id"])
        truth = truth[table["impression_id"] - int(first[0])]  # impressions are numbered in the order of the files
        found["oracle of click"] = measures(table["click"], truth, group)
        for name, p in (("click", table["p_click"]), ("oracle of click", truth)):
            found[name]["regret"] = normalised_regret(truth, p, table["request_id"])
    return {"days": list(split.test), "rows": len(group), "measures": found}


def line(measures: dict[str, float]) -> str:
    """Measures on one line."""
    return ", ".join(f"{name} {value:.4g}" for name, value in measures.items())
