"""The arms of a market: which rule or model ranks, and what stands beside it in the cascade."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from recommend.cascade.page import SHARES, Exposure, FeedConfig
from recommend.config import Config, ConfigError, nearest
from recommend.models.registry import MODELS, model_class

RULES = ("random", "newest", "popularity", "count", "oracle")
UNAIDED = ("random", "newest", "oracle")  # by name alone they explore nothing: they are an order of their own
OTHER_CHANCE = "other-chance"
EVERYTHING = 20_000  # things that a rule ranks, so that no other stage chooses before it


class Arm(Config):
    """What serves in each stage; empty: the simpler way of the live feed.

    Attributes:
        retrieve: shares of the sources. content: whether photos are known, to sources and to models.
        prerank, rank, conversion, ads, posts: models; ``rank`` may be one of ``RULES``.
        exploration: share of the places for things that few have seen.
        chance: another name draws other chance of the clicks than all other arms have.
        set: settings of the ranking model (``knob=value``).
    """

    retrieve: Mapping[str, float] = SHARES
    content: bool = False
    prerank: str = ""
    rank: str = "popularity"
    conversion: str = ""
    ads: str = ""
    posts: str = ""
    exploration: float = Exposure.share
    chance: str = ""
    set: tuple[str, ...] = ()

    @property
    def models(self) -> dict[str, str]:
        """What is trained, by role."""
        named = {"pre_ranking": self.prerank, "ranking": "" if self.rank in RULES else self.rank,
                 "conversion": self.conversion, "ads": self.ads, "posts": self.posts}  # fmt: skip
        return {role: name for role, name in named.items() if name}

    def feed(self) -> FeedConfig:
        """Sizes of the stages."""
        explored = Exposure(share=self.exploration)
        if self.rank in RULES and self.rank != "popularity":
            return FeedConfig(candidates=EVERYTHING, ranked=EVERYTHING, at_once=1, explained=0, exposure=explored,
                              shares={"new": 1.0})  # fmt: skip
        return FeedConfig(at_once=1, explained=0, exposure=explored, shares=dict(self.retrieve))


def read_arm(text: str) -> tuple[str, Arm]:
    """An arm by its name (``dcn``), with changes (``dcn:content=true,conversion=esmm``, ``dcn:other-chance``), or the
    path of a YAML file, whose stem is its name.

    Raises:
        ConfigError: there is no such arm, or no such setting of one.
    """
    if text.endswith((".yaml", ".yml")):
        name, arm = Path(text).stem, Arm.read(Path(text))
    else:
        name = text
        rank, _, changes = text.partition(":")
        facts: dict[str, Any] = {"rank": rank, **({"exploration": 0.0} if rank in UNAIDED else {})}
        for change in (c for c in changes.split(",") if c):
            key, _, value = change.partition("=")
            facts |= {"chance": change} if change == OTHER_CHANCE else {key: yaml.safe_load(value)}
        arm = Arm.of(facts)
    for model in arm.models.values():
        if model not in MODELS:
            raise ConfigError(f"there is no arm '{model}'; {nearest(model, [*RULES, *MODELS])}")
        if model_class(model).published:
            raise ConfigError(f"{model} needs published knowledge, which a market has not; leave it out.")
    return name, arm
