"""A training run as a folder: ``run.json`` (what was asked), the encoders, the checkpoint, the log.

The same call goes on where an interrupted one ended. Under ``torchrun`` every process reads its share of row groups.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch

from recommend.config import ConfigError, ModelConfig, TrainConfig
from recommend.data.codes import code_file, marks, same_codes
from recommend.data.knowledge import KnowledgeStore
from recommend.data.memory import MemoryStream
from recommend.data.parquet import DataError, ParquetStream, Position, read_table
from recommend.data.ragged import Batch, Column, Ragged, concat_batches, select_batch, tensor_of
from recommend.data.schema import DAY_MS, columns_of, digest, table_files
from recommend.data.splits import TimeSplit, last_days
from recommend.features.content_join import Contents
from recommend.features.counts import Counts
from recommend.features.encoders import Encoders
from recommend.features.feature_map import FeatureMap, impression_map
from recommend.models.base import Ranker
from recommend.models.registry import MODELS, build_model, model_class
from recommend.models.run_config import RunConfig
from recommend.models.training_log import Encode, Stream, TrainingLog
from recommend.training import checkpoint
from recommend.training.distributed import Group
from recommend.training.trainer import Summary, idle_cores, train

RUN = "run.json"
ENCODERS = "encoders"
FEATURES = "features.yaml"  # beside an imported log's tables
EVALUATED_ROWS = 4_096
PRIVILEGED, STOCK = "privileged", "history_single"
EARLIER = {"layer_norm": False, "unknown_ids": 0.0}  # of models that were trained before there were such settings
EARLIER_TRAINING = {"table_rate": 0.0, "warmup": 0.0}


def log_of(data: Path) -> Path:
    """The folder with the log's tables: ``data`` itself, or its ``log`` when it is a world."""
    folders = [f for f in (Path(data), Path(data) / "log") if table_files(f, "impression")]
    if not folders:
        raise DataError(f"there is no log in {data}; './ipl recommend world --out DIR' makes one.")
    return folders[0]


def plan(
    log: Path,
    model: ModelConfig,
    config: TrainConfig,
    labels: tuple[str, ...],
    test_days: int,
    knowledge: Path | None = None,
) -> RunConfig:
    """A run over a log that holds back its last days.

    Args:
        knowledge: folder of the store, for a model that is trained with knowledge.

    Raises:
        DataError: too few days, or nothing published that is older than some of them.
    """
    split = last_days(log, test_days)
    declared, kind = declared_features(log), model_class(model.name)
    if declared is not None:
        _one_code_each(log, declared)
    if declared is not None and PRIVILEGED in kind.extra:
        model = kind.configured(model).changed([f"privileged={_privileged(log)}"])
    run = RunConfig(
        model=kind.configured(model),
        train=config,
        labels=labels,
        content=_size(log, "item", "content") if all(table_files(log, name) for name in ("item", "post")) else 0,
        history=20,
        min_count=declared.min_count if declared is not None else 10,
        train_days=split.train,
        test_days=split.test,
        stock=kind.stock,
        extra=kind.extra,
        delayed=tuple(n for n in labels if f"{n}_day" in columns_of(log)),
        features=declared,
        log=digest(log, "impression") if declared is not None else "",
        codes=marks(log, declared.coded) if declared is not None else None,
    )
    return with_knowledge(run, knowledge) if kind.published else run


def declared_features(log: Path) -> FeatureMap | None:
    """The features that an imported log declares; None for a log of the marketplace's own tables."""
    path = Path(log) / FEATURES
    return FeatureMap.read(path) if path.exists() else None


def _one_code_each(log: Path, declared: FeatureMap) -> None:
    """Raises:
    DataError: two columns share a table, and the same number is another text in each.
    """
    for table in {f.vocabulary for f in declared.features}:
        of = sorted({f.coded for f in declared.features if f.vocabulary == table and f.coded})
        if len(of) > 1 and any(code_file(log, name).is_file() for name in of):
            raise DataError(
                f"'{of[0]}' and '{of[1]}' cannot share the table '{table}': their texts have codes of their own, so "
                f"that a number means another text in each; strike out 'table' in {FEATURES}."
            )


def labels_of(log: Path, model: str) -> tuple[str, ...]:
    """The labels that a model predicts of a log by default: those of its design, else the log's single label."""
    usual, declared = model_class(model).usual, declared_features(log)
    return declared.labels if declared is not None and usual == Ranker.usual else usual


def with_knowledge(run: RunConfig, folder: Path | None) -> RunConfig:
    """The run with the store's current version, on the days after the events that shaped it."""
    if folder is None or not Path(folder).is_dir():
        there = f"{folder} holds none" if folder else "no folder with some was named"
        raise DataError(
            f"{run.model.name} is trained with published knowledge, and {there}; "
            "'./ipl recommend knowledge' publishes what a keep_extractor knows."
        )
    with KnowledgeStore(Path(folder), readonly=True) as store, store.snapshot() as snapshot:
        version = snapshot.version
    first = max(run.train_days[0], -(-version.until_ms // DAY_MS))
    if first > run.train_days[1]:
        raise DataError(
            f"version {version.number} of the knowledge knows the days until {first - 1}, and {run.model.name} is "
            f"trained on later ones, but not on those after {run.train_days[1]}, which are held back; publish what an "
            "extractor knows that was trained with more --test-days."
        )
    facts = {
        "train_days": (first, run.train_days[1]),
        "knowledge": str(Path(folder).resolve()),
        "knowledge_version": version.number,
        "knowledge_width": next(iter(version.widths.values())),
        "knowledge_source": version.source,
    }
    return run.model_copy(update=facts)


def train_run(
    log: Path,
    run: RunConfig,
    out: Path,
    group: Group | None = None,
    progress: bool = False,
    start: Path | None = None,
) -> Summary:
    """Train and write the folder.

    Args:
        start: a finished run of the same model, whose encoders and weights this one takes over and goes on from.

    Raises:
        ConfigError: the folder holds another run.
        DataError: data or checkpoint cannot be used.
    """
    group = group or Group()
    out = Path(out)
    kind, features = model_class(run.model.name), features_of(run)
    if (kind.stream is not Ranker.stream or kind.fit is not Ranker.fit) and group.size > 1:
        raise ConfigError(f"{run.model.name} is trained by one process; start it without torchrun.")
    stream = ParquetStream(table_files(log, "impression", *run.train_days), features.columns, run.train.batch_rows)
    exists, join = continued(out, run), kind.join(log, run)
    if exists or start is not None:
        encoders = Encoders.load((out if exists else start or out) / ENCODERS)
    else:  # every process fits the same encoders, on the whole window; the first one keeps them
        encoders = Encoders.fit(features, map(join, stream) if join is not None else stream, run.min_count)
    model = build_model(features, encoders.sizes(), run.model, run.train.seed)
    model.start_at(_rates(log, run))
    if start is not None:
        checkpoint.load(start / checkpoint.NAME, model)
    encode = with_observed_labels(_encode(log, encoders, join), run)
    source = TrainingLog(log, run, features, encode)
    if kind.fit is not Ranker.fit:
        return _fitted(model, source, out, encoders, group)
    stream_of_model = model.stream(source)
    if group.first and not exists:  # what cannot be trained leaves no folder
        encoders.save(out / ENCODERS)
        (out / RUN).write_text(run.model_dump_json(indent=1), encoding="utf-8")
    if not (out / checkpoint.NAME).exists():
        model.first_stage(source, out, train)
    group.wait()
    share: Stream = stream_of_model or stream.share(group.rank, group.size)
    if stream_of_model is None and "hour" not in columns_of(log):
        # Steps are no times: in their order all first events come first.
        rows = concat_batches(list(stream))
        share = MemoryStream(rows, run.train.batch_rows, run.train.seed, group.rank, group.size)
    raw = stream_of_model is None  # a stream of the model's is encoded already
    return train(model, share, run.train, encode if raw else None, out, group, progress)


def _fitted(model: Ranker, source: TrainingLog, out: Path, encoders: Encoders, group: Group) -> Summary:
    """Fit a model on all rows at once, and write the folder."""
    began, cpu = time.monotonic(), time.process_time()
    torch.set_num_threads(source.run.train.threads or idle_cores())
    fitted = (0, 0.0) if (out / checkpoint.NAME).exists() else model.fit(source, source.run.train.seed)
    assert fitted is not None
    if not fitted[0]:  # by an earlier call
        return Summary(0, 0, 0.0, 0.0, 0.0, "done before")
    encoders.save(out / ENCODERS)
    (out / RUN).write_text(source.run.model_dump_json(indent=1), encoding="utf-8")
    checkpoint.save(out / checkpoint.NAME, model, [], checkpoint.Progress(1, fitted[0], (Position(),)))
    return Summary(1, *fitted, time.monotonic() - began, time.process_time() - cpu, "all rows at once")


def continued(folder: Path, run: RunConfig) -> bool:
    """True where the folder holds this run already.

    Raises:
        ConfigError: it holds another one.
    """
    exists = (folder / RUN).exists()
    if exists and read_run(folder) != run:
        raise ConfigError(f"{folder} holds a run on another log, or with other settings; name another folder.")
    return exists


def _rates(log: Path, run: RunConfig) -> dict[str, float]:
    """Mean of each label over the training days, as far as it is known at their end."""
    columns = [*run.labels, *(f"{name}_day" for name in run.delayed)]
    observed = with_observed_labels(dict, run)(read_table(log, "impression", columns, *run.train_days))
    return {name: float(tensor_of(observed[name]).float().mean()) for name in run.labels}


def features_of(run: RunConfig) -> FeatureMap:
    """The columns that the run's model and its loss read of the log."""
    usual = run.features or impression_map(run.labels, run.history, run.content, run.stock)
    extra = (*run.extra, *(f"{name}_day" for name in run.delayed))
    if run.features is not None:
        if run.stock and STOCK not in usual.columns:
            raise DataError(f"{run.model.name} reads which things are of limited stock; the log has no 'single'.")
        usual = usual.those(lambda f: run.stock or STOCK not in (f.column, *f.inputs))
    usual = usual.model_copy(update={"labels": run.labels, "extra": extra})
    return model_class(run.model.name).reads(usual, run)


def _encode(log: Path, encoders: Encoders, join: Encode | None) -> Encode:
    """Raw columns of a log to what a model reads; ``join`` adds those that its form makes."""
    contents, counts = Contents.read(log, encoders.features), Counts.read(log, encoders.features)
    return lambda batch: encoders(counts(contents(batch if join is None else join(batch))))


def with_observed_labels(encode: Encode, run: RunConfig) -> Encode:
    """Encodes, with the labels as they were known at the end of the training days."""
    if not run.delayed:
        return encode

    def censored(batch: Batch) -> dict[str, Column]:
        out = dict(encode(batch))
        for name in run.delayed:
            day = tensor_of(batch[f"{name}_day"])
            out[name] = torch.where((day >= 0) & (day <= run.train_days[1]), tensor_of(out[name]), 0)
        return out

    return censored


def asked(model: Ranker, log: Path, days: tuple[int, int], columns: Iterable[str]) -> Iterator[Batch]:
    """Raw columns of the rows of some days on which a model's predictions are asked (``Ranker.only``).

    Raises:
        DataError: the log has no rows of these days.
    """
    files, of = table_files(log, "impression", *days), [model.only] if model.only else []
    if not files:
        raise DataError(f"{log} has no rows of the days {days[0]}..{days[1]}.")
    for batch in ParquetStream(files, list(dict.fromkeys([*columns, *of])), EVALUATED_ROWS):
        yield select_batch(batch, tensor_of(batch[model.only]).bool().nonzero().squeeze(1)) if of else batch


def read_run(folder: Path) -> RunConfig:
    """The request of a folder's run."""
    try:
        stored = json.loads((Path(folder) / RUN).read_text(encoding="utf-8"))
        if (name := stored["model"]["name"]) in MODELS:
            kind = model_class(name).Config
            # A run of an earlier version also names settings of other models, and lacks later ones.
            known = {n: v for n, v in stored["model"].items() if n in kind.model_fields}
            stored["model"], stored["train"] = kind.of({**EARLIER, **known}), {**EARLIER_TRAINING, **stored["train"]}
            stored.pop("watch_days", None)
            return RunConfig.model_validate(stored)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder} holds no training run; './ipl recommend train --out DIR' makes one.") from error
    raise DataError(f"{folder} holds a run of '{name}', which this version does not have; train one of today's models.")


def trained(folder: Path, run: RunConfig) -> tuple[Ranker, Encoders]:
    """A run's model with its weights, and its encoders."""
    encoders = Encoders.load(folder / ENCODERS)
    model = build_model(encoders.features, encoders.sizes(), run.model)
    checkpoint.load(folder / checkpoint.NAME, model)
    return model, encoders


def load_run(folder: Path, log: Path) -> tuple[Ranker, Encode, TimeSplit]:
    """A run's model as trained, what encodes a log's rows for it, and its days."""
    run = read_run(folder)
    if run.codes is not None and run.features is not None:
        same_codes(log, run.codes, run.features.coded)
    if not (Path(folder) / checkpoint.NAME).exists():
        raise DataError(f"{folder} holds no checkpoint yet; let './ipl recommend train' end first.")
    model, encoders = trained(Path(folder), run)
    return model, _encode(log, encoders, model.join(log, run)), TimeSplit(run.train_days, run.test_days)


def _privileged(log: Path) -> int:
    """Numbers a row of the log's privileged column.

    Raises:
        DataError: it has none.
    """
    if PRIVILEGED not in columns_of(log):
        raise DataError(f"the log has no privileged signals; 'privileged' of its map names them ({log}).")
    return _size(log, "impression", PRIVILEGED)


def _size(log: Path, table: str, column: str) -> int:
    """Numbers a row of a column of lists, by its first row."""
    first = next(iter(ParquetStream(table_files(log, table)[:1], [column], 1)))[column]
    return int(first.lengths[0]) if isinstance(first, Ragged) else 0
