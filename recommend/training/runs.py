"""A training run as a folder: ``run.json`` (what was asked), the encoders, the checkpoint, the log.

The same call goes on where an interrupted one ended. Under ``torchrun`` every process reads its share of row groups.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from recommend.config import Config, ConfigError, ModelConfig, TrainConfig
from recommend.data.contents import Contents
from recommend.data.parquet import DataError, ParquetStream
from recommend.data.schema import table_files
from recommend.data.splits import TimeSplit, last_days
from recommend.features.encoders import Encoders
from recommend.features.feature_map import FeatureMap, impression_map
from recommend.features.ragged import Batch, Column, Ragged
from recommend.models.base import Ranker
from recommend.models.registry import build_model, by_stock, reads_along
from recommend.training import checkpoint
from recommend.training.distributed import Group
from recommend.training.scoring import evaluate
from recommend.training.trainer import Encode, Summary, train
from recommend.training.watch import Watch

RUN = "run.json"
ENCODERS = "encoders"
EVALUATED_ROWS = 4_096


class RunConfig(Config):
    """All that a run depends on beside the data.

    Attributes:
        content: size of the log's content vectors; 0 leaves them out.
        stock: whether the history's stock types are read (``by_stock``).
        extra: columns that only the loss reads (``reads_along``).
        train_days, test_days: days of the log, both ends included.
        watch_days: between the two, trained on by nobody: there a second pass is watched for overfitting.
    """

    model: ModelConfig
    train: TrainConfig
    labels: tuple[str, ...]
    content: int
    history: int
    min_count: int
    train_days: tuple[int, int]
    test_days: tuple[int, int]
    watch_days: tuple[int, int] | None = None
    stock: bool = False
    extra: tuple[str, ...] = ()


def log_of(data: Path) -> Path:
    """The folder with the log's tables: ``data`` itself, or its ``log`` when it is a world."""
    found = [f for f in (Path(data), Path(data) / "log") if table_files(f, "impression")]
    if not found:
        raise DataError(f"there is no log in {data}; './ipl recommend world --out DIR' makes one.")
    return found[0]


def plan(log: Path, model: ModelConfig, config: TrainConfig, labels: tuple[str, ...], test_days: int) -> RunConfig:
    """A run over a log that holds back its last days, and one more to watch when there is more than one pass."""
    split = last_days(log, test_days, valid_days=1 if config.epochs > 1 else 0)
    return RunConfig(
        model=model,
        train=config,
        labels=labels,
        content=_content_size(log),
        history=20,
        min_count=10,
        train_days=split.train,
        test_days=split.test,
        watch_days=split.valid,
        stock=by_stock(model.name),
        extra=reads_along(model.name),
    )


def train_run(
    log: Path,
    run: RunConfig,
    out: Path,
    group: Group | None = None,
    progress: bool = False,
    say: Callable[[str], None] | None = None,
) -> Summary:
    """Train and write the folder.

    Args:
        say: gets the warning that a second pass overfits; None watches nothing.

    Raises:
        ConfigError: the folder holds another run.
        DataError: data or checkpoint cannot be used.
    """
    group = group or Group()
    out = Path(out)
    features = _features(run)
    contents = Contents.read(log, features)
    stream = ParquetStream(table_files(log, "impression", *run.train_days), features.columns, run.train.batch_rows)
    if (out / RUN).exists():
        if read_run(out) != run:
            raise ConfigError(f"{out} holds a run with other settings; name another folder.")
        encoders = Encoders.load(out / ENCODERS)
    else:
        # Every process fits the same encoders, on the whole window; the first one keeps them.
        encoders = Encoders.fit(features, stream, run.min_count)
        if group.first:
            encoders.save(out / ENCODERS)
            (out / RUN).write_text(run.model_dump_json(indent=1), encoding="utf-8")
    group.wait()
    model = build_model(features, encoders.sizes(), run.model, run.train.seed)
    share = stream.share(group.rank, group.size)
    encode = chain(contents, encoders)
    watch = _watch(model, run, log, encode, share.rows(), out, say) if say is not None and group.first else None
    return train(model, share, run.train, encode, out, group, progress, watch=watch)


def _features(run: RunConfig) -> FeatureMap:
    """What the run's model and its loss read of the log."""
    return impression_map(run.labels, run.history, run.content, run.stock).model_copy(update={"extra": run.extra})


def _watch(
    model: Ranker, run: RunConfig, log: Path, encode: Encode, rows: int, out: Path, say: Callable[[str], None]
) -> Watch | None:
    """What looks at the days that are kept for it; None for a run of one pass."""
    if run.watch_days is None:
        return None
    files = table_files(log, "impression", *run.watch_days)

    def measure() -> float:
        found = evaluate(model, ParquetStream(files, model.features.columns, EVALUATED_ROWS), encode)
        return next(iter(found.values()))["auc"]

    return Watch(measure, rows, say, out, f"day {run.watch_days[1]}, which is not trained on,")


def chain(contents: Contents, encoders: Encoders) -> Encode:
    """Raw columns to model input."""

    def encode(batch: Batch) -> dict[str, Column]:
        return encoders(contents(batch))

    return encode


def read_run(folder: Path) -> RunConfig:
    """What a folder's run was asked."""
    try:
        return RunConfig.model_validate_json((Path(folder) / RUN).read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        raise DataError(f"{folder} holds no training run; './ipl recommend train --out DIR' makes one.") from error


def load_run(folder: Path, log: Path) -> tuple[Ranker, Encode, TimeSplit]:
    """A run's model as trained, what encodes a log's rows for it, and its days."""
    run = read_run(folder)
    features = _features(run)
    encoders = Encoders.load(Path(folder) / ENCODERS)
    model = build_model(features, encoders.sizes(), run.model)
    path = Path(folder) / checkpoint.NAME
    if not path.exists():
        raise DataError(f"{folder} holds no checkpoint yet; let './ipl recommend train' end first.")
    checkpoint.load(path, model)
    return model, chain(Contents.read(log, features), encoders), TimeSplit(run.train_days, None, run.test_days)


def _content_size(log: Path) -> int:
    """Numbers of the log's content vectors; 0 when things or posts have none."""
    files = [table_files(log, table)[:1] for table in ("item", "post")]
    if not all(files):
        return 0
    column = next(iter(ParquetStream(files[0], ["content"], batch_rows=1)))["content"]
    return int(column.lengths[0]) if isinstance(column, Ragged) else 0
