"""The declaration of a study: arms, one primary claim, a control that can fail; the engine does the rest."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recommend.config import ConfigError, ModelConfig, TrainConfig, nearest, sort_changes
from recommend.models.registry import changed
from recommend.research.world import KNOBS, Knob, WorldConfig

STUDIES = ("msnet", "ecad", "clid", "copr", "rec4ad", "one_epoch", "hdr", "keep", "mkt")
Measures = Mapping[str, float]
Settings = tuple[str, ...]
# Found on seed 120 with DIN alone: as near to the oracle as wider tables and attention, in two thirds of the time. From
# tables that start at .01 nothing learns to match in one pass; larger batches leave more to the first weights, and
# a linear schedule ends before it has learned.
MODEL = ModelConfig(
    embedding=8, attention=(32,), mlp=(128, 64), activation="relu", softmax=True, initial_std=0.3, layer_norm=False,
    unknown_ids=0.0,
)  # fmt: skip
TRAIN = TrainConfig(batch_rows=256, learning_rate=8e-3, table_rate=0.0, schedule="constant", warmup=0.0, threads=1)
GRID: tuple[Settings, ...] = (
    ("learning_rate=0.008", "initial_std=0.3"),
    ("learning_rate=0.004", "initial_std=0.3"),
)


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
    """Under which conditions an arm runs; ``settings``: of each arm, ``knob=value`` of model and training."""

    dose: float
    seed: int
    settings: Mapping[str, Settings]

    def configs(self, arm: str, *changes: str) -> tuple[ModelConfig, TrainConfig]:
        """Configs of an arm: the settings of all, the arm's changes, and what was tuned for it."""
        names = [setting for setting in changes if setting.startswith("name=")]
        model, train = sort_changes([*(s for s in changes if s not in names), *self.settings.get(arm, ())])
        return changed(MODEL, [*names, *model]), TRAIN.changed([*train, f"seed={self.seed}"])


@dataclass(frozen=True)
class Study:
    """Attributes:
    name: of the phenomenon, its knob and the view.
    claim: the paper's, in a sentence.
    prepare: folder of a world, setting -> whatever the arms share.
    run: arm, what was prepared, setting -> measures; the arm ``base`` has ``share`` among them.
    arms: in the order in which they run, the last one the ceiling; ``trained`` are those with something to tune.
    control: what must not gain, at the regime, where the method is denied what it feeds on.
    margin: of equivalence, in the unit of the primary measure: what nobody would miss.
    sizes: knobs of the world's size; ``rows`` is what ``--rows`` sets.
    grid: settings that a pilot tries; ``grids``: others, as many, of some arms.
    follows: arms that stand on another arm's model, and so take its settings.
    lost: the phenomenon's number is itself what the primary measure can gain, and stands as the headroom.
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
    grid: tuple[Settings, ...] = GRID
    grids: Mapping[str, tuple[Settings, ...]] = field(default_factory=dict)
    follows: Mapping[str, str] = field(default_factory=dict)
    lost: bool = False
    limits: tuple[str, ...] = ()

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
        here = dose == self.regime
        claims = (self.primary, self.control) if here else (self.primary,)
        needed = {*(a for c in claims for a in (c.arm, c.baseline)), *((self.base,) if here else ())}
        return tuple(a for a in self.arms if a in needed or a not in self.trained)

    def tried(self, arm: str) -> tuple[Settings, ...]:
        """Settings that a pilot tries for a trained arm; the first is used without one."""
        return self.grids.get(arm, self.grid)

    @property
    def regime(self) -> float:
        """The dose at which the claim is judged: the world's default, chosen from the paper's description."""
        return float(getattr(WorldConfig(), self.knob.name))

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
