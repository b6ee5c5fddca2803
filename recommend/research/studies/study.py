"""The declaration of a study: arms, one primary claim, a control that can fail; the engine does the rest."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from recommend.config import ConfigError, ModelConfig, TrainConfig, nearest, sort_changes
from recommend.features.feature_map import FeatureMap
from recommend.models.registry import changed
from recommend.research.studies.market import competent
from recommend.research.world import KNOBS, Knob, WorldConfig

STUDIES = ("msnet", "ecad", "clid", "copr", "rec4ad", "one_epoch", "hdr", "keep", "mkt")
Measures = Mapping[str, float]
MODEL, TRAIN = ModelConfig(), TrainConfig(threads=1)  # the defaults, of every arm alike; nothing is tuned
BASE = "the default setting, matches and counts"  # what results of other settings are told from
PLAIN = "the default setting, neither matches nor counts"  # as the papers had none


@dataclass(frozen=True)
class Claim:
    """``arm`` beats ``baseline`` in ``measure``; ``lower``: where less is better, as of errors."""

    name: str
    arm: str
    baseline: str
    measure: str
    lower: bool = False

    def gain(self, arms: Mapping[str, Measures]) -> float:
        """The gain of one seed; above 0 is better."""
        difference = arms[self.arm][self.measure] - arms[self.baseline][self.measure]
        return -difference if self.lower else difference


@dataclass(frozen=True)
class Setting:
    """Under which conditions an arm runs; ``changes``: ``knob=value`` of all arms alike, on top of their own.

    Attributes:
        plain: the paper's base, without matches and counts.
    """

    dose: float
    seed: int
    changes: tuple[str, ...] = ()
    plain: bool = False

    def inputs(self, features: FeatureMap, counts: bool = True) -> FeatureMap:
        """A map with what the base adds to it."""
        return features if self.plain else competent(features, counts)

    def configs(self, *changes: str) -> tuple[ModelConfig, TrainConfig]:
        """Configs of an arm: the defaults, the arm's own changes, and those of all."""
        names = [setting for setting in changes if setting.startswith("name=")]
        model, train = sort_changes([*(s for s in changes if s not in names), *self.changes])
        return changed(MODEL, [*names, *model]), TRAIN.changed([*train, f"seed={self.seed}"])


@dataclass(frozen=True)
class Study:
    """Attributes:
    name: of the phenomenon, its knob and the view.
    claim: the paper's, in a sentence.
    prepare: folder of a world, setting -> whatever the arms share.
    run: arm, what was prepared, setting -> measures; the arm ``base`` has ``share`` among them.
    arms: in the order in which they run, the last one the ceiling; ``trained`` are those that learn.
    also: arms that run with those that decide, such as the method as the page's equations have it.
    deviation: how the primary claim's arm deviates from those, in a sentence.
    control: what must not gain, at the regime, where the method is denied what it feeds on.
    margin: of equivalence, in the unit of the primary measure: what nobody would miss.
    sizes: knobs of the world's size; ``rows`` is what ``--rows`` sets.
    home: knobs of the world that the paper describes, fixed on exploratory seeds; ``why`` says them in words.
    strength: the regime's dose, where it is not the world's default.
    plain: the base has neither matches nor counts.
    """

    name: str
    title: str
    paper: str
    claim: str
    prepare: Callable[[Path, Setting], Any]
    run: Callable[[str, Any, Setting], Measures]
    arms: tuple[str, ...]
    trained: tuple[str, ...]
    base: str
    primary: Claim
    secondary: tuple[Claim, ...]
    control: Claim
    margin: float
    unit: str
    sizes: Mapping[str, float] = field(default_factory=lambda: {"impressions": 400_000})
    rows: str = "impressions"
    also: tuple[str, ...] = ()
    deviation: str = ""
    limits: tuple[str, ...] = ()
    home: Mapping[str, float] = field(default_factory=dict)
    why: str = ""
    strength: float | None = None
    plain: bool = False

    def at_home(self, plain: bool = False) -> Study:
        """The same in the world that the paper describes."""
        sizes = {**self.sizes, **self.home}
        return replace(self, strength=float(sizes.pop(self.knob.name, self.regime)), sizes=sizes, plain=plain)

    @property
    def knob(self) -> Knob:
        """The phenomenon's."""
        return KNOBS[self.name]

    def at(self, dose: float, deciding: bool = False) -> tuple[str, ...]:
        """Arms of a dose: all at the regime, elsewhere the primary claim's beside those that are not trained.

        Args:
            deciding: at the regime, too, only what the verdict needs: the control as well, no ablations.
        """
        if dose == self.regime and not deciding:
            return self.arms
        here = dose == self.regime and self.strength is None  # in the paper's world the primary claim alone
        claims = (self.primary, self.control) if here else (self.primary,)
        needed = {*(a for c in claims for a in (c.arm, c.baseline)), *((self.base, *self.also) if here else ())}
        return tuple(a for a in self.arms if a in needed or a not in self.trained)

    @property
    def regime(self) -> float:
        """The dose at which the claim is judged: the world's default unless ``strength`` says another."""
        return self.strength if self.strength is not None else float(getattr(WorldConfig(), self.knob.name))

    def sized(self, rows: int = 0) -> dict[str, float]:
        """Knobs of a world of so many rows, 0: as declared; requests go with the rows."""
        sizes = {**self.sizes, **({self.rows: rows} if rows else {})}
        if rows and "requests" in sizes:
            sizes["requests"] = max(round(self.sizes["requests"] * rows / self.sizes[self.rows]), 20)
        return sizes


def find_study(name: str) -> Study:
    """The study of a name."""
    if name not in STUDIES:
        raise ConfigError(f"there is no study '{name}'; {nearest(name, STUDIES)}")
    study = importlib.import_module(f"recommend.research.studies.papers.{name}").STUDY
    assert isinstance(study, Study)
    return study
