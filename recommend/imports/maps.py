"""The meaning of a log's columns: a map, read from YAML.

    user: uid                                    # a column's name,
    item: {sql: "split_part(sku, '-', 1)"}       # or an expression of DuckDB over the file's columns
    time: {column: ts, unit: s, zone_h: 8}       # s, ms, us; date (text or time stamps, with format); step: order only
    behaviour: {column: what, values: {pv: click, buy: order}}
    target: {category: cat, price: price}        # of the thing shown: text and whole numbers are ids, others numbers
    context: {city: city}                        # of the user and the page

A log of events (views, purchases) gets negatives drawn; one that says for each row what followed names its ``labels``
instead. ``single`` (limited stock) must be true or false; of a ``promotion``, nothing and 0 mean none. ``other``
columns travel along and are read by no model (policy, propensity, position, bid ...).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PositiveInt, model_validator

from recommend.config import Config, ConfigError
from recommend.data.schema import CHANNELS, ENTITIES, POLICIES
from recommend.data.sequences import Rule
from recommend.features.feature_map import FORBIDDEN

FOLDER = Path(__file__).parents[1] / "data" / "maps"
KINDS = ("click", "cart", "favourite", "order", "refund")
CODED = {"policy": POLICIES, "channel": CHANNELS, "entity": ENTITIES}  # columns whose values the schema numbers
RESERVED = frozenset(  # made by the import
    {"impression_id", "time_ms", "day", "hour", "user_id", "item_id", "privileged", *(f"{kind}_day" for kind in KINDS)}
)
ALL = "all"  # in a history: every row
DERIVED_PREFIXES = ("history_", "_")  # as which names of columns that the import makes begin


class Source(Config):
    """Where a column comes from.

    Attributes:
        column: its name in the file; or ``sql``, an expression over the file's columns.
        values: the file's values to those of the log, for columns whose values have a meaning here.
    """

    column: str = ""
    sql: str = ""
    values: Mapping[str, str] = Field(default={})

    @model_validator(mode="after")
    def _one(self) -> Source:
        if bool(self.column) == bool(self.sql):
            raise ValueError("name either a column or an expression (sql)")
        return self


class Moment(Source):
    """When: the unit of numbers, or the ``format`` of texts (as of strptime; ISO 8601 without one).

    Attributes:
        zone_h: hours by which days and hours lie east of the log's clock.
    """

    unit: Literal["s", "ms", "us", "date", "step"] = "date"
    format: str = ""
    zone_h: float = 0.0


def _named(value: Any) -> Any:
    return {"column": value} if isinstance(value, str) else value


Named = Annotated[Source, BeforeValidator(_named)]
When = Annotated[Moment, BeforeValidator(_named)]


class Label(Source):
    """An outcome that followed a row.

    Attributes:
        at: when it did, as the map's ``time`` is written, if later than the row itself.
    """

    at: Named | None = None


class Items(Config):
    """A second file with facts of items; several rows of an item are one by the expressions (``last(x)``, ``min(x)``).

    Attributes:
        file: beside the log; ``*`` stands for any text, so that it can be several files.
        key: its column with the item.
        by: what of the log is looked up there, if not the item.
        columns: name to expression, usable in the map as the file's own columns are.
        header, delimiter: as of ``LogMap``.
    """

    file: str
    key: str
    by: Named | None = None
    columns: dict[str, str]
    header: tuple[str, ...] = ()
    delimiter: str = ""


class Negatives(Config):
    """The rule by which negatives of a log of events are drawn, within the day (``data/sequences.py``)."""

    count: PositiveInt = 1
    rule: Rule = "popular"
    seed: int = 0


class LogMap(Config):
    """A log's columns and how rows are made of it.

    Attributes:
        about: the log, its source and licence.
        file: where it lies in the folder of logs (``*`` stands for any text); used when no file is named.
        header: column names of a CSV without a header.
        delimiter: between a CSV's cells; found out without one.
        where: an expression; rows for which it is not true are left out.
        day: replaces the day that the time gives (a split that the log brings).
        first, last: days outside of which rows are left out.
        privileged: numbers that are known only after the page was shown; together they are the column ``privileged``,
            which a teacher reads in training and nobody when it serves.
        positive: behaviours that become rows; their label is ``click``, or the behaviour if it is another one.
        labels: of rows that say what followed, in place of a behaviour.
        history: behaviours (or labels) that enter histories; ``all`` stands for every row.
        longest: newest events that a history keeps.
        sequences: columns of the target that histories hold beside the item.
        min_count: ids shown less often in training stay out of the vocabulary.
    """

    about: str = ""
    file: str = ""
    header: tuple[str, ...] = ()
    delimiter: str = ""
    where: str = ""
    user: Named
    item: Named
    time: When
    day: Named | None = None
    first: date | None = None
    last: date | None = None
    behaviour: Named | None = None
    labels: Mapping[str, Annotated[Label, BeforeValidator(_named)]] = Field(default={})
    target: Mapping[str, Named] = Field(default={})
    context: Mapping[str, Named] = Field(default={})
    privileged: Mapping[str, Named] = Field(default={})
    other: Mapping[str, Named] = Field(default={})
    items: Items | None = None
    positive: tuple[str, ...] = ("click",)
    history: tuple[str, ...] = ("click",)
    longest: PositiveInt = 50
    sequences: tuple[str, ...] = ("category", "single")
    min_count: PositiveInt = 1
    negatives: Negatives = Negatives()

    @model_validator(mode="after")
    def _names(self) -> LogMap:
        columns = [n.casefold() for n in (*self.target, *self.context, *self.privileged, *self.other)]
        names = [*columns, *(n.casefold() for n in self.labels)]  # SQL does not tell "Price" from "price"
        reserved = {n for n in names if n.startswith(DERIVED_PREFIXES) or n in RESERVED} | (set(columns) & set(KINDS))
        if twice := sorted(reserved | {n for n in names if names.count(n) > 1}):
            raise ValueError(f"column {twice[0]} has two meanings; rename it")
        if odd := [n for n in names if not n.strip() or set("./") & set(n)]:
            raise ValueError(f"'{odd[0]}' is no name of a column; leave out '.' and '/'")
        if late := sorted({*self.target, *self.context} & FORBIDDEN):
            raise ValueError(f"{late[0]} is known after the request, so that no model may read it; use 'other'")
        return self

    @model_validator(mode="after")
    def _behaviours(self) -> LogMap:
        allowed = (*(self.labels or KINDS), ALL)
        if late := [n for n, label in self.labels.items() if label.at is not None and n in self.history]:
            raise ValueError(f"{late[0]} follows later than its row, so that a history cannot hold it; use 'all'")
        if wrong := [n for n in (*self.history, *(() if self.labels else self.positive)) if n not in allowed]:
            raise ValueError(f"{wrong[0]} is none of {', '.join(allowed)}")
        if wrong := [v for v in (self.behaviour.values if self.behaviour else {}).values() if v not in KINDS]:
            raise ValueError(f"behaviour {wrong[0]} is none of {', '.join(KINDS)}")
        if self.labels and self.behaviour:
            raise ValueError("a log has either labels or a behaviour")
        if self.privileged and not self.labels:
            raise ValueError("a log of events has no signals of what was not clicked; leave 'privileged' out")
        return self

    @property
    def label(self) -> str:
        """The first label of the rows."""
        return next(iter(self.labels)) if self.labels else self.positive[0]

    @property
    def columns(self) -> dict[str, Source]:
        """Further columns of the rows by name."""
        return {**self.target, **self.context, **self.privileged, **self.other}


def read_map(name: str) -> tuple[LogMap, Path]:
    """A map by its file, or one of the project's own by its name; and the file.

    Raises:
        ConfigError: there is none, or it cannot be understood.
    """
    path = Path(name) if Path(name).suffix in (".yaml", ".yml") else FOLDER / f"{name}.yaml"
    if not path.is_file():
        names = ", ".join(sorted(p.stem for p in FOLDER.glob("*.yaml")))
        raise ConfigError(f"there is no map '{name}'; name a YAML file, or one of {names}.")
    return LogMap.read(path), path


def data_root() -> Path:
    """The folder of the project's logs: ``IPL_DATA``, else ``../shared/data`` beside the repository, as for photos."""
    return Path(os.environ.get("IPL_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")


def log_files(log_map: LogMap, files: Sequence[Path] = ()) -> list[Path]:
    """The log's files: those that are named, else the map's own in ``data_root()``.

    Raises:
        ConfigError: nothing is named, by nobody, or the map's own are not there.
    """
    if files:
        return list(files)
    if not log_map.file:
        raise ConfigError("name the log's files: this map is of no log of the project's.")
    root = data_root()
    if not (paths := sorted(root.glob(log_map.file))):
        advice = "name the log's files, or the folder of the project's logs in IPL_DATA"
        raise ConfigError(f"{log_map.file} is not in {root}: {advice}.")
    return paths
