"""A trained run as one program without this project (``torch.export``): raw ids and numbers in, probabilities out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from recommend.config import ConfigError
from recommend.data.parquet import DataError
from recommend.data.ragged import Column, Ragged, concat_batches, slice_batch
from recommend.errors import first_line
from recommend.features.counts import Counts
from recommend.features.encoders import Encoders
from recommend.features.feature_map import Feature
from recommend.models.base import Ranker
from recommend.training.runs import ENCODERS, asked, load_run, log_of

TRIED, FEWEST = 192, 12  # rows with which the program is traced (a third) and compared with the model, and the fewest


class Program(nn.Module):
    """Encoders and model over plain tensors in the order of ``inputs``: a value a row, then each group of histories as
    values and, once, the rows' lengths. Nothing is cut: whoever calls sends at most ``at_most`` entries a row."""

    def __init__(self, model: Ranker, encoders: Encoders) -> None:
        super().__init__()
        self.model, self.encoders, features = model, encoders, model.features
        self.plain = [f for f in features.features if f.role != "history" and not f.derived]
        self.groups = {g: [f for f in features.role("history") if f.group == g] for g in features.groups()}
        self.tasks = list(model.measured())
        self.inputs: list[dict[str, Any]] = [
            {**_input(f), "shape": ["rows", f.size] if f.listed else ["rows"]} for f in self.plain
        ]
        for group, of in self.groups.items():
            self.inputs += [{**_input(f), "shape": [f"{group}_entries"], "at_most": f.max_length} for f in of]
            self.inputs.append({"name": f"{group}_lengths", "type": "int64", "shape": ["rows"]})

    def arguments(self, raw: dict[str, Column]) -> tuple[Tensor, ...]:
        """The inputs of raw columns."""
        flat = [column.values if isinstance(column := raw[f.column], Ragged) else column for f in self.plain]
        tensors = [c.reshape(-1, f.size) if f.listed else c for f, c in zip(self.plain, flat, strict=True)]
        for members in self.groups.values():
            past = [column.last(f.max_length) for f in members if isinstance(column := raw[f.column], Ragged)]
            tensors += [*(column.values for column in past), past[0].lengths]
        return tuple(tensors)

    def forward(self, *arguments: Tensor) -> tuple[Tensor, ...]:
        """(rows,) probabilities of each task."""
        left = list(arguments)
        raw: dict[str, Column] = {f.column: left.pop(0) for f in self.plain}
        for members in self.groups.values():
            values, lengths = [left.pop(0) for _ in members], left.pop(0)
            raw |= {f.column: Ragged(v, lengths) for f, v in zip(members, values, strict=True)}
        answers = self.model.predicted(self.encoders(raw))
        return tuple(answers[name] for name in self.tasks)


def _input(f: Feature) -> dict[str, Any]:
    kind = "int64" if f.kind == "id" and not f.bucketed else "float32"
    return {"name": f.column, "type": kind, **({"codes": f.coded} if f.coded else {})}


def export(run: Path, data: Path, out: Path) -> dict[str, Any]:
    """Write ``out`` and ``OUT.json``: inputs (``codes``: column of the log's folder of codes, if it is there), outputs.

    What is written gave, on other rows than those it was traced with, what the model gives; else DataError.
    """
    if out.exists():
        raise ConfigError(f"{out} is there already; name another file.")
    model, _, split = load_run(run, log := log_of(data))
    name, features = type(model).__name__, model.features
    if model.joins() or any(f.joined_by for f in features.features):
        raise DataError(f"{name} reads columns that are joined to a log; no program holds them.")
    columns = [c for f in features.features for c in f.sources]
    parts = [next(asked(model, log, days, columns), None) for days in (split.test, split.train)]
    rows = concat_batches([part for part in parts if part])
    if (many := min(TRIED, len(rows[columns[0]]))) < FEWEST:
        raise DataError(f"{log} has {many} rows of the run's days; an export needs {FEWEST} or more.")
    rows = Counts.read(log, features)(slice_batch(rows, 0, many))
    program = Program(model, Encoders.load(run / ENCODERS)).eval()
    one, two = (program.arguments(slice_batch(rows, *ends)) for ends in ((0, many // 3), (many // 3, many)))
    out.parent.mkdir(parents=True, exist_ok=True)
    draft, shapes = out.with_name(f".{out.name}.partial.pt2"), (tuple({0: torch.export.Dim.AUTO} for _ in one),)
    try:
        with torch.no_grad():
            torch.export.save(torch.export.export(program, one, dynamic_shapes=shapes, strict=False), draft)
            for a, b in zip(torch.export.load(draft).module()(*two), program(*two), strict=True):
                torch.testing.assert_close(a, b, atol=1e-5, rtol=0)
        draft.replace(out)
    except Exception as error:  # whatever tracing meets, the model is none for it
        raise DataError(f"{name} cannot be exported: its steps depend on the data ({first_line(error)}).") from error
    finally:
        draft.unlink(missing_ok=True)
    facts = {"model": name, "inputs": program.inputs, "outputs": [f"p_{task}" for task in program.tasks]}
    out.with_name(f"{out.name}.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return facts
