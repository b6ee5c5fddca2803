"""Frozen configs. An unknown key is refused, with the nearest valid name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
)

from recommend.errors import RecommendError


class ConfigError(RecommendError, ValueError):
    """A setting is unknown or has a value that cannot be used."""


class Config(BaseModel):
    """Base of every config: frozen, typed, closed."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Build from a mapping; every mistake becomes one sentence."""
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise ConfigError(_sentence(cls, error)) from error

    @classmethod
    def read(cls, path: Path) -> Self:
        """Build from a YAML file."""
        try:
            values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise ConfigError(f"cannot read {path}: {error}") from error
        if not isinstance(values, Mapping):
            raise ConfigError(f"{path} must hold 'name: value' lines.")
        return cls.of(values)

    def changed(self, settings: Sequence[str]) -> Self:
        """A copy with ``knob=value`` settings applied (values are read as YAML: ``0.1``, ``true``, ``[200, 80]``)."""
        values = self.model_dump()
        for setting in settings:
            name, separator, text = setting.partition("=")
            if not separator:
                raise ConfigError(f"'{setting}' is no setting; write knob=value.")
            try:
                values[name.strip()] = yaml.safe_load(text)
            except yaml.YAMLError as error:
                raise ConfigError(f"the value of '{name.strip()}' cannot be read: {text}") from error
        return type(self).of(values)


Sizes = Annotated[tuple[PositiveInt, ...], Field(min_length=1)]


class ModelConfig(Config):
    """Sizes that rankers share; a model's own settings are in its ``Ranker.Config``."""

    name: str = "din"
    embedding: PositiveInt = 16
    attention: Sizes = (32,)
    mlp: Sizes = (128, 64)
    activation: str = "relu"
    dropout: float = Field(default=0.0, ge=0, lt=1)
    batch_norm: bool = False
    layer_norm: bool = True  # of what the tower reads, whose parts are of unlike sizes
    softmax: bool = True  # attention weights: a softmax, or DIN's raw scores (False)
    experts: PositiveInt = 4
    layers: PositiveInt = 1  # transformer or extraction layers
    heads: PositiveInt = 2
    tower: PositiveInt = 32  # width of a two-tower model's vectors
    initial_std: NonNegativeFloat = 0.1
    unknown_ids: float = Field(default=0.1, ge=0, lt=1)  # share of ids that training reads as unknown ones (row 0)
    tables: Literal["torch", "torchrec"] = "torch"
    sparse_rows: int = 100_000  # tables with more rows get sparse gradients


class TrainConfig(Config):
    """Settings of a training; the default is one pass in the order of time."""

    batch_rows: PositiveInt = 256
    epochs: PositiveInt = 1
    learning_rate: PositiveFloat = 3e-3
    table_rate: NonNegativeFloat = 0.01  # of the embedding tables; 0: the same as of all other weights
    schedule: Literal["constant", "linear", "cosine"] = "cosine"  # how the rates fall to 0 over all passes
    warmup: float = Field(default=0.05, ge=0, lt=1)  # share of all rows over which the rates rise before
    optimizer: Literal["adam", "sgd"] = "adam"
    weight_decay: NonNegativeFloat = 0.0  # decoupled, as AdamW's: a share of the rate at each step
    seed: NonNegativeInt = 0
    precision: Literal["fp32", "bf16"] = "fp32"  # bf16: the forward pass in bfloat16, weights stay in float32
    device: Literal["cpu", "cuda"] = "cpu"
    threads: NonNegativeInt = 0  # 0: as many as there are idle cores
    checkpoint_every: NonNegativeInt = 0  # steps; 0: at the end only
    log_every: PositiveInt = 50  # steps
    clip_norm: NonNegativeFloat = 0.0  # of the dense weights; 0: no clipping


def sort_changes(settings: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """``knob=value`` settings of the model (which says itself what it has), and those of the training.

    Raises:
        ConfigError: no setting, a slip in a name of the training's, or a value that it cannot have.
    """
    names = [n for n in TrainConfig.model_fields if n != "seed"]
    model: list[str] = []
    train: list[str] = []
    for setting in settings:
        name, separator, _ = setting.partition("=")
        if not separator:
            raise ConfigError(f"'{setting}' is no setting; write knob=value.")
        if name in ("seed", "name") or (name not in names and difflib.get_close_matches(name, names, cutoff=0.85)):
            raise ConfigError(f"there is no knob '{name}'; {nearest(name, names)}")
        (train if name in names else model).append(setting)
    TrainConfig().changed(train)
    return tuple(model), tuple(train)


def nearest(name: str, valid: Sequence[str]) -> str:
    """A hint such as "did you mean 'x'?", or the list of valid names."""
    close = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else f"valid: {', '.join(valid)}."


def _sentence(cls: type[BaseModel], error: ValidationError) -> str:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"there is no setting '{name}'; {nearest(name, list(cls.model_fields))}"
    if first["type"] == "missing":
        return f"the setting '{name}' is missing."
    return f"the setting '{name}' cannot be {first['input']!r}: {first['msg'].lower()}."
