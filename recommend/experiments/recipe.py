"""What a recipe is: arms, claims between them, and what a seed needs. One file a recipe in ``recipes/``."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import yaml

from recommend.config import ConfigError, ModelConfig, TrainConfig, nearest
from recommend.data.world import KnobError, WorldConfig
from recommend.data.world.config import Scale, make_config
from recommend.experiments.statistics import Claim

RECIPES = {
    "baselines": "recommend.experiments.recipes.baselines",
    "dcn": "recommend.experiments.recipes.dcn",
    "ecad": "recommend.experiments.recipes.ecad",
    "hdr": "recommend.experiments.recipes.hdr",
    "keep": "recommend.experiments.recipes.keep",
    "mkt": "recommend.experiments.recipes.mkt",
    "mkt_amazon": "recommend.experiments.recipes.mkt_amazon",
    "clid": "recommend.experiments.recipes.clid",
    "copr": "recommend.experiments.recipes.copr",
    "msnet": "recommend.experiments.recipes.msnet",
    "one_epoch": "recommend.experiments.recipes.one_epoch",
    "one_epoch_amazon": "recommend.experiments.recipes.one_epoch_amazon",
    "one_epoch_taobao": "recommend.experiments.recipes.one_epoch_taobao",
    "rec4ad": "recommend.experiments.recipes.rec4ad",
}
Measures = Mapping[str, float]
UNTRAINED = ("popularity", "oracle")  # arms that train nothing


@dataclass(frozen=True)
class Setting:
    """Under which conditions a seed runs.

    Attributes:
        knobs: of the world.
        model, train: ``knob=value`` changes of the recipe's model and training.
        worlds: folder in which worlds are kept between runs.
    """

    scale: Scale
    seed: int
    worlds: Path
    knobs: Mapping[str, Any]
    model: tuple[str, ...] = ()
    train: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """Attributes:
    arms: run in this order, for every seed, at scale small.
    prepare: setting to whatever the arms share (the world, its split, encoded data).
    run: arm, what was prepared, setting -> measures.
    """

    name: str
    paper: str
    arms: tuple[str, ...]
    prepare: Callable[[Setting], Any]
    run: Callable[[str, Any, Setting], Measures]
    claims: tuple[Claim, ...]
    controls: tuple[Claim, ...] = ()

    def arms_at(self, scale: Scale, deciding: bool = False) -> tuple[str, ...]:
        """The arms of a scale: all at small; at full those that decide the verdict, and what trains nothing.

        A million impressions cost five times as much, so the arms that only explain are left to small.

        Args:
            deciding: leave them out at small, too.
        """
        if scale == "small" and not deciding:
            return self.arms
        named = {arm for claim in (*self.claims, *self.controls) for arm in (claim.arm, claim.baseline)}
        return tuple(arm for arm in self.arms if arm in named or arm in UNTRAINED)


def find_recipe(name: str) -> Recipe:
    """The recipe of a name."""
    if name not in RECIPES:
        raise ConfigError(f"there is no experiment '{name}'; {nearest(name, list(RECIPES))}")
    recipe = importlib.import_module(RECIPES[name]).RECIPE
    assert isinstance(recipe, Recipe)
    return recipe


@dataclass(frozen=True)
class Changes:
    """``knob=value`` settings, by what they change."""

    world: Mapping[str, Any]
    model: tuple[str, ...]
    train: tuple[str, ...]

    @property
    def any(self) -> dict[str, Any]:
        """All of them, as the results state them."""
        return {**self.world, **dict(s.split("=", 1) for s in (*self.model, *self.train))}


def sort_changes(settings: list[str], scale: Scale = "full", only: Literal["", "world", "training"] = "") -> Changes:
    """Part settings by the config that has the name; a name that none has is refused with the nearest valid one.

    Args:
        only: take settings of the world alone, or of model and training alone.
    """
    world_names = [f.name for f in fields(WorldConfig)] if only != "training" else []
    model_names = [n for n in ModelConfig.model_fields if n != "name"] if only != "world" else []
    train_names = [n for n in TrainConfig.model_fields if n != "seed"] if only != "world" else []
    world, model, train = {}, [], []
    for setting in settings:
        name, separator, text = setting.partition("=")
        if not separator:
            raise ConfigError(f"'{setting}' is no setting; write knob=value.")
        if name in world_names:
            try:
                world[name] = yaml.safe_load(text)
            except yaml.YAMLError as error:
                raise ConfigError(f"the value of '{name}' cannot be read: {text}") from error
        elif name in model_names:
            model.append(setting)
        elif name in train_names:
            train.append(setting)
        else:
            raise ConfigError(f"there is no knob '{name}'; {nearest(name, world_names + model_names + train_names)}")
    try:
        make_config(scale, world)
    except KnobError as error:
        raise ConfigError(str(error)) from error
    ModelConfig().changed(model)
    TrainConfig().changed(train)
    return Changes(world, tuple(model), tuple(train))
