"""An arm's models: trained each night on its own log, in place of those of the night before."""

from __future__ import annotations

import importlib
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import torch

from recommend.cascade.feed import Feed
from recommend.cascade.health import healthy, sample
from recommend.cascade.program import with_program
from recommend.cascade.registry import Loaded
from recommend.cascade.request import DAY_MS, Moment
from recommend.cascade.scoring import Serving
from recommend.config import TrainConfig
from recommend.data.parquet import DataError
from recommend.models.base import Ranker
from recommend.models.registry import model_class, model_config
from recommend.research.market.arms import Arm
from recommend.training.runs import plan, train_run, trained

SMALL = {"embedding": "8", "mlp": "[64, 32]"}  # as the demo's models: a market's log has some ten thousand rows
TRAINING = TrainConfig(batch_rows=512, threads=1)


@dataclass
class Nights:
    """Trains an arm's models, and lets them serve.

    Attributes:
        learns: days of the log on which they are trained.
        faults: what was wrong with models that did not pass, by role, and in how many nights; the last went on.
    """

    arm: Arm
    feed: Feed
    log: Path
    seed: int
    learns: int
    faults: dict[str, tuple[str, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.arm.models:  # what a process loads once, of torch and scikit-learn, is no cost of a page
            torch.optim.Adam([torch.zeros(1, requires_grad=True)])
            importlib.import_module("sklearn.ensemble")

    def train(self, day: int) -> None:
        """All models on the days before this one."""
        for role, name in self.arm.models.items():
            loaded, fault = self._trained(role, name, day)
            if loaded is None:
                said, nights = self.faults.get(role, (fault, 0))
                self.faults[role] = said, nights + 1
                continue
            self.feed.models.serve(role, Serving(loaded))
        self.feed.pre_ranker.rebuild(Moment(day * DAY_MS))

    def _trained(self, role: str, name: str, day: int) -> tuple[Loaded | None, str]:
        kind = model_class(name)
        own = self.arm.set if role == "ranking" else ()
        settings = [f"{n}={v}" for n, v in SMALL.items() if n in kind.Config.model_fields]
        config = TRAINING.changed([f"seed={self.seed}"])
        run = plan(self.log, model_config(name, [*settings, *own]), config, kind.usual, 1)
        first = max(run.train_days[0], day - self.learns)
        run = run.model_copy(update={"train_days": (first, day - 1), "test_days": (day, day)})
        out = self.log.parent / f"{role}-{day}"
        try:
            train_run(self.log, run, out)
            model, encoders = trained(out, run)
        except DataError as error:  # as where nobody has bought anything yet
            return None, str(error).replace(f"{self.log} ", "the log ")  # the same wherever it lay
        finally:
            shutil.rmtree(out, ignore_errors=True)
        loaded = Loaded(role, f"{day:04d}", model.eval(), encoders, {"model": name})
        fault = healthy(loaded)
        if fault:
            return None, fault
        as_it_is = role == "pre_ranking" or kind.fit is not Ranker.fit  # for which a program pays no more than it costs
        return (loaded if as_it_is else with_program(loaded, sample(loaded))), ""
