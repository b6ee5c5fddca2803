"""A run as one program without this project: raw ids and numbers in, probabilities out (``torch.export``, ONNX)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from recommend.config import ConfigError
from recommend.data.codes import code_file
from recommend.data.ragged import Batch, Column, Ragged, slice_batch
from recommend.errors import RecommendError, first_line
from recommend.features.counts import Counts
from recommend.features.encoders import Encoders
from recommend.features.feature_map import Feature
from recommend.serving.scorer import Scorer
from recommend.training.runs import ENCODERS

Format = Literal["pt2", "onnx"]
TRIED = 64  # rows with which the program is traced, and compared with the model
FEWEST = 12
CLOSE = 1e-5


class ExportFailed(RecommendError):
    """A model has no form as a program of the kind asked for."""

    exit_status = 1


class Program(nn.Module):
    """Encoders and model in one, over plain tensors in the order of ``inputs``.

    A history's lengths come once a group, since its columns are parallel. Nothing is cut: whoever calls sends at most
    ``max_length`` entries a row.
    """

    def __init__(self, scorer: Scorer, form: Format = "pt2") -> None:
        super().__init__()
        self.model, features, self.log = scorer.model, scorer.features, scorer.log
        if scorer.model.joins() or any(f.joined_by for f in features.features):
            raise ExportFailed(
                f"{scorer.run.model.name} reads columns that are joined to a log; no program holds them."
            )
        self.encoders = replace(Encoders.load(scorer.folder / ENCODERS), by_halving=form == "onnx")
        self.plain = [f for f in features.features if f.role != "history" and not f.derived]
        self.groups = {g: [f for f in features.role("history") if f.group == g] for g in features.groups()}
        self.tasks = list(scorer.model.measured())

    @property
    def inputs(self) -> list[dict[str, Any]]:
        """Name, type and shape of each input, in order; ``codes``: the log's file with the number of each text."""
        described: list[dict[str, Any]] = []
        for f in self.plain:
            shape = ["rows", f.size] if f.listed else ["rows"]
            described.append({"name": f.column, "type": _type(f), "shape": shape, **self._codes(f)})
        for group, members in self.groups.items():
            for f in members:
                facts = {"shape": [f"{group}_entries"], "at_most": f.max_length, **self._codes(f)}
                described.append({"name": f.column, "type": _type(f), **facts})
            described.append({"name": f"{group}_lengths", "type": "int64", "shape": ["rows"]})
        return described

    def _codes(self, feature: Feature) -> dict[str, str]:
        path = code_file(self.log, feature.coded) if feature.coded else None
        return {"codes": str(path.relative_to(self.log))} if path is not None and path.is_file() else {}

    def arguments(self, batch: dict[str, Column]) -> tuple[Tensor, ...]:
        """The inputs of raw columns."""
        tensors = []
        for f in self.plain:
            column = batch[f.column]
            flat = column.values if isinstance(column, Ragged) else column
            tensors.append(flat.reshape(-1, f.size) if f.listed else flat)
        for members in self.groups.values():
            histories = [column for f in members if isinstance(column := batch[f.column], Ragged)]
            tensors += [*(column.values for column in histories), histories[0].lengths]
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


def export(scorer: Scorer, out: Path, form: Format = "pt2") -> dict[str, Any]:
    """Write ``out`` and, beside it, ``OUT.json`` with names, types and shapes of inputs and outputs.

    What is written was run on other rows than those it was traced with, and gave what the model gives.

    Raises:
        ConfigError: a file is there already.
        ExportFailed: the model cannot be written in this form, or the package for it is not installed.
    """
    if out.exists():
        raise ConfigError(f"{out} is there already; name another file.")
    program = Program(scorer, form).cpu().eval()
    rows, many = _rows(scorer)
    one, two = (program.arguments(slice_batch(rows, *ends)) for ends in ((0, many // 3), (many // 3, many)))
    auto = torch.export.Dim.AUTO
    shapes = tuple({0: auto} for _ in one)
    try:
        with torch.no_grad():
            traced = torch.export.export(program, one, dynamic_shapes=(shapes,), strict=False)
            expected = program(*two)
    except Exception as error:  # whatever tracing meets, the model is none for it
        raise ExportFailed(
            f"{scorer.run.model.name} cannot be exported: its steps depend on the data ({first_line(error)})."
        ) from error
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = out.with_name(f".{out.name}.partial{out.suffix}")
    try:
        answers = _pt2(traced, draft, two) if form == "pt2" else _onnx(traced, draft, two, program)
        if not all(torch.allclose(a, b, atol=CLOSE) for a, b in zip(answers, expected, strict=True)):
            raise ExportFailed(f"the exported {scorer.run.model.name} gives other probabilities than the model.")
        outputs = [{"name": f"p_{task}", "type": "float32", "shape": ["rows"]} for task in program.tasks]
        facts = {"model": scorer.run.model.name, "form": form, "inputs": program.inputs, "outputs": outputs}
        out.with_name(f"{out.name}.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        draft.replace(out)
    finally:
        draft.unlink(missing_ok=True)
    return facts


def _type(feature: Feature) -> str:
    return "int64" if feature.kind == "id" and not feature.bucketed else "float32"


def _rows(scorer: Scorer) -> tuple[dict[str, Column], int]:
    """Raw rows of the log's held-back days, cut as the model reads them, and how many; those of the training days where
    there are few.

    Raises:
        ExportFailed: there are too few to trace the program with some and to compare it on others.
    """
    from recommend.data.parquet import ParquetStream
    from recommend.data.schema import table_files

    features = scorer.features.features
    columns = list(dict.fromkeys(c for f in features for c in f.sources))
    batch: Batch = {}
    many = 0
    for days in (scorer.days.test, scorer.days.train):
        if many < 3 * TRIED:
            larger = next(iter(ParquetStream(table_files(scorer.log, "impression", *days), columns, 3 * TRIED)), batch)
            if larger and len(larger[columns[0]]) > many:
                batch, many = larger, len(larger[columns[0]])
    if many < FEWEST:
        raise ExportFailed(
            f"{scorer.log} has {many} rows of the run's days; an export is compared on {FEWEST} or more."
        )
    batch = Counts.read(scorer.log, scorer.features)(batch)
    long = {f.column: f.max_length for f in features if f.role == "history"}
    return {n: c.last(long[n]) if isinstance(c, Ragged) and n in long else c for n, c in batch.items()}, many


def _pt2(traced: torch.export.ExportedProgram, path: Path, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    torch.export.save(traced, path)
    answers: tuple[Tensor, ...] = torch.export.load(path).module()(*arguments)
    return answers


def _onnx(
    traced: torch.export.ExportedProgram, path: Path, arguments: tuple[Tensor, ...], program: Program
) -> tuple[Tensor, ...]:
    names = [i["name"] for i in program.inputs]
    try:
        import onnxruntime

        written = torch.onnx.export(traced, dynamo=True, input_names=names, output_names=program.tasks, verbose=False)
        assert written is not None
        written.save(path)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        of_name = {i.name: t.numpy() for i, t in zip(session.get_inputs(), arguments, strict=True)}
        return tuple(torch.from_numpy(a) for a in session.run(None, of_name))
    except ImportError as error:
        raise ExportFailed(
            f"ONNX needs the packages onnx, onnxscript and onnxruntime ({first_line(error)})."
        ) from error
    except Exception as error:  # the exporter knows errors of many kinds
        raise ExportFailed(f"this model has no ONNX form ({first_line(error)}); export it as pt2.") from error
