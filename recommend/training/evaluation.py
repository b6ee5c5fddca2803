"""A trained run on the days that were held back, beside what it has to beat and, in a simulated world, the oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from recommend.data.oracle import FOLDER, no_oracle, open_oracle
from recommend.data.parquet import DataError, ParquetStream
from recommend.data.ragged import tensor_of
from recommend.data.schema import table_files
from recommend.metrics.ranks import normalised_regret
from recommend.metrics.report import measures
from recommend.training.baselines import COUNT, POPULAR, TREES, baselines
from recommend.training.runs import asked, load_run
from recommend.training.scoring import measured, predictions
from recommend.training.trainer import computing


def evaluate_run(folder: Path, log: Path, device: str = "cpu", precision: str = "fp32") -> dict[str, Any]:
    """Measures of each prediction, of the baselines of the first label, and of the oracle where there is one.

    Returns:
        ``{days, rows, measures: {name: {measure: value}}, loses: names of the baselines with a higher AUC}``.

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
    group, results = table[model.features.group], measured(model, table)
    label = model.features.labels[0]
    for name, scores in baselines((model, encode, split), log).items():
        of = measures(table[label], scores, group)
        results[f"{name} of {label}"] = {n: v for n, v in of.items() if name != COUNT or n in ("auc", "gauc")}
    truth = truth_of(log, split.test, table["impression_id"]) if "p_click" in table else None
    if truth is not None:
        results["oracle of click"] = measures(table["click"], truth, group)
        for name, p in (("click", table["p_click"]), ("oracle of click", truth)):
            results[name]["regret"] = normalised_regret(truth, p, table["request_id"])
    auc_of_model = results[next(n for n, (of, _) in model.measured().items() if of == label)]["auc"]
    loses = [n for n in (COUNT, POPULAR, TREES) if results.get(f"{n} of {label}", {"auc": 0.0})["auc"] > auc_of_model]
    return {"days": list(split.test), "rows": len(group), "measures": results, "loses": loses}


def truth_of(log: Path, days: tuple[int, int], numbers: NDArray[Any]) -> NDArray[Any] | None:
    """(rows,) true click probabilities of impressions by their numbers, in a simulated world; None elsewhere."""
    if not (log.parent / FOLDER / "impression").is_dir():
        return None
    files = table_files(log, "impression", *days)
    names = [f"impression/{f.parent.name}" for f in files]
    truth = np.concatenate([open_oracle(log.parent, name)["p_click_without_page"] for name in names])
    first = tensor_of(next(iter(ParquetStream(files[:1], ["impression_id"], 1)))["impression_id"])
    rows_of_truth: NDArray[Any] = truth[numbers - int(first[0])]  # impressions are numbered in the order of the files
    return rows_of_truth


def line(measures: dict[str, float]) -> str:
    """Measures on one line."""
    return ", ".join(f"{name} {value:.4g}" for name, value in measures.items())
