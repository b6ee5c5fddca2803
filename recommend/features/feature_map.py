"""The inputs of a model: each feature's column, role, vocabulary and size. Saved beside the model as JSON."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt, model_validator

from recommend.config import Config
from recommend.data.schema import ENTITIES, TABLES

Role = Literal["context", "target", "history", "raw"]
Kind = Literal["id", "number", "vector", "match", "count"]
SIZES = {"match": 3, "count": 2}  # numbers of those kinds that are made of other columns
TIME = "time_ms"  # column that says what lay before a row
LABELS = frozenset(c.name for c in TABLES["impression"] if c.available == "label")
# What is known later than the request, and the days on which labels came true.
FORBIDDEN = {c.name for c in TABLES["impression"] if c.available != "request"} | {f"{name}_day" for name in LABELS}


class Feature(Config):
    """One input of a model.

    Attributes:
        column: the data's column; a history's column is ragged.
        role: ``context`` (user and page), ``target`` (the candidate), ``history`` (past items; its ``match`` names the
            target feature of the same meaning, whose table it shares) or ``raw`` (passed through untouched, for models
            that need a flag or a time).
        kind: ``id`` is embedded, ``number`` is normalised, ``vector`` is a ragged column of ``size`` numbers; ``match``
            compares the target with a history (``features/matches.py``), ``count`` tells rows and click rate of before
            (``features/counts.py``).
        inputs: of a match the history's column, of a count the id columns that are counted together.
        scale: of a number: ``log`` (sign(x) log(1 + |x|), then about unit scale), ``standard`` (unit scale alone) or
            ``none``.
        buckets, edges: the column holds numbers, and the id is which of so many parts of equal size (quantiles of the
            training days), or which part between these edges, a number lies in.
        cross: the column is not in the log: its id stands for these id features' ids together.
        table: name of the embedding table; by default the column. Features of one vocabulary share it.
        joined_by: the column is not in the log but joined from a table of vectors by these ids; the first known one
            counts (``data/content_join.py``).
    """

    column: str
    role: Role
    kind: Kind = "id"
    table: str = ""
    match: str = ""
    group: str = ENTITIES[0]
    size: int = 1
    max_length: int = 50
    joined_by: tuple[str, ...] = ()
    scale: Literal["log", "standard", "none"] = "log"
    buckets: Literal[0] | Annotated[int, Field(ge=2, le=1_000)] = 0
    edges: tuple[float, ...] = ()
    cross: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _sized(cls, values: Any) -> Any:
        size = SIZES.get(str(values.get("kind"))) if isinstance(values, dict) else None
        if size is None:
            return values
        inputs = values.get("inputs", ())
        return {**values, "size": size, "inputs": (inputs,) if isinstance(inputs, str) else inputs}

    @model_validator(mode="after")
    def _possible(self) -> Feature:
        if self.bucketed and (self.kind != "id" or (self.buckets and self.edges)):
            raise ValueError(f"{self.column} has either buckets or edges, and is of kind id")
        if list(self.edges) != sorted(set(self.edges)):
            raise ValueError(f"the edges of {self.column} must ascend")
        if self.cross and (len(self.cross) < 2 or self.kind != "id" or self.role == "history" or self.bucketed):
            raise ValueError(f"{self.column} crosses two columns or more, is of kind id and no history")
        if (self.kind in SIZES) != bool(self.inputs) or (self.kind == "match" and len(self.inputs) != 1):
            raise ValueError(f"{self.column} needs 'inputs': one history for a match, id columns for a count")
        if self.kind in SIZES and self.role not in ("target", "context"):
            raise ValueError(f"{self.column} is of kind {self.kind} and must have the role target or context")
        return self

    @property
    def bucketed(self) -> bool:
        """True where numbers become ids."""
        return bool(self.buckets or self.edges)

    @property
    def derived(self) -> bool:
        """True where the encoders make it of other features' columns."""
        return bool(self.cross) or self.kind == "match"

    @property
    def listed(self) -> bool:
        """True where a row has several numbers of it."""
        return self.kind == "vector" or self.kind in SIZES

    @property
    def sources(self) -> tuple[str, ...]:
        """The log's columns of which it is made."""
        if self.kind == "count":
            return (*self.inputs, TIME)
        return self.joined_by or self.cross or self.inputs or (self.column,)

    @property
    def coded(self) -> str:
        """The log's column whose codes its ids are; empty for what holds no ids of a log's column."""
        return "" if self.kind != "id" or self.bucketed or self.cross else self.match or self.column

    @property
    def vocabulary(self) -> str:
        """The table in which its ids are looked up."""
        return self.table or self.match or self.column


def _check_history(past: Feature, target: Feature | None) -> None:
    if target is None:
        raise ValueError(f"history {past.column} needs 'match', the target feature of the same meaning")
    if past.vocabulary != target.vocabulary:
        raise ValueError(f"history {past.column} must use the table of {past.match}")
    if (past.kind, past.size, past.buckets, past.edges) != (target.kind, target.size, target.buckets, target.edges):
        raise ValueError(f"history {past.column} must be of the kind and size of {past.match}")


class FeatureMap(Config):
    """All features of a model, its labels and the column by which GAUC groups."""

    features: tuple[Feature, ...]
    labels: tuple[str, ...] = ("click",)
    group: str = "user_id"
    min_count: PositiveInt = 10  # ids shown less often in training stay out of the vocabulary
    extra: tuple[str, ...] = ()  # further columns that a loss reads (times, teacher scores); never inputs

    @model_validator(mode="after")
    def _consistent(self) -> FeatureMap:
        names = [f.column for f in self.features]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise ValueError(f"column {twice[0]} stands in two features")
        leaks = sorted((set(names) & FORBIDDEN) | (set(names) & set(self.labels)))
        if leaks:
            raise ValueError(f"column {leaks[0]} is a label or known after the request, and cannot be a feature")
        ids = {f.column for f in self.features if f.kind == "id" and f.role != "history" and not f.bucketed}
        if lost := [(f.column, c) for f in self.features for c in f.cross if c not in ids - {f.column}]:
            raise ValueError(f"{lost[0][0]} crosses {lost[0][1]}, which is no id feature")
        history_ids = {f.column for f in self.role("history", "id")}
        for feature in self.features:
            there = history_ids if feature.kind == "match" else ids
            if absent := [c for c in feature.inputs if c not in there]:
                raise ValueError(f"{feature.column} is made of {absent[0]}, which is no such id feature")
        targets = {f.column: f for f in self.features if f.role == "target"}
        for past in self.role("history"):
            _check_history(past, targets.get(past.match))
        return self

    @property
    def columns(self) -> list[str]:
        """All columns to read from the log, each once."""
        # A match is made of a history and its target, which stand in the map and may be joined themselves.
        read = [name for f in self.features if f.kind != "match" for name in f.sources]
        return list(dict.fromkeys([*read, *self.labels, self.group, *self.extra]))

    @property
    def coded(self) -> list[str]:
        """Columns of the log whose codes the ids are."""
        return sorted({f.coded for f in self.features if f.coded})

    def role(self, role: Role, kind: Kind | None = None) -> list[Feature]:
        """Features of a role (and kind), in their order."""
        return [f for f in self.features if f.role == role and (kind is None or f.kind == kind)]

    def those(self, keep: Callable[[Feature], bool]) -> FeatureMap:
        """The map with those features alone for which ``keep`` is true."""
        return self.model_copy(update={"features": tuple(filter(keep, self.features))})

    def apart(self) -> FeatureMap:
        """Without what user and candidate make together, and what changes while a candidate's vector is kept."""
        columns = {role: {f.column for f in self.role(role)} for role in ("context", "target")}

        return self.those(lambda f: f.kind not in SIZES and not all(columns[role] & set(f.cross) for role in columns))

    def groups(self) -> list[str]:
        """Names of the aligned histories (``item``, ``post``)."""
        return list(dict.fromkeys(f.group for f in self.role("history")))

    def save(self, path: Path) -> None:
        Path(path).write_text(self.model_dump_json(indent=1), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> FeatureMap:
        return cls.model_validate_json(Path(path).read_text(encoding="utf-8"))


def count(*columns: str) -> Feature:
    """The count of what these id columns say together."""
    return Feature(column=f"{' x '.join(columns)} count", role="target", kind="count", inputs=columns)


COUNTED = (
    *(count(name) for name in ("user_id", "item_id", "category", "seller_id")),
    *(count("user_id", name) for name in ("category", "seller_id")),
)  # of which a feed keeps counters


def impression_map(
    labels: tuple[str, ...] = ("click",), history: int = 50, content: int = 0, stock: bool = False
) -> FeatureMap:
    """The features that every model may read of the log's impressions: all known at the request, none of its future.

    Args:
        content: size of the content vectors to join to target and history; 0 for ids alone.
        stock: whether the history says which of its things were listed with one piece, as the target does anyway.
    """
    context = ("user_id", "hour", "channel", "promotion")
    target = ("item_id", "category", "condition", "price_bucket", "seller_id", "single")
    features = [
        *(Feature(column=c, role="context") for c in context),
        *(Feature(column=c, role="target") for c in target),
        Feature(column="item_age_h", role="target", kind="number"),
        Feature(column="history_item", role="history", match="item_id", max_length=history),
        Feature(column="history_category", role="history", match="category", max_length=history),
        Feature(column="item_id in history", role="target", kind="match", inputs=("history_item",)),
        Feature(column="category in history", role="target", kind="match", inputs=("history_category",)),
        *COUNTED,
    ]
    if stock:
        features.append(Feature(column="history_single", role="history", match="single", max_length=history))
    if content:
        of_target = Feature(
            column="content", role="target", kind="vector", size=content, joined_by=("post_id", "item_id")
        )
        of_history = Feature(
            column="history_content",
            role="history",
            kind="vector",
            match="content",
            size=content,
            max_length=history,
            joined_by=("history_item",),
        )
        features += [of_target, of_history]
    return FeatureMap(features=tuple(features), labels=labels)
