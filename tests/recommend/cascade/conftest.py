"""Trained runs for the tests of the cascade."""

from __future__ import annotations

from pathlib import Path

import pytest

from recommend.config import ModelConfig, TrainConfig
from recommend.research.world import write_world
from recommend.research.world.stored import store_histories
from recommend.training.runs import plan, train_run


@pytest.fixture(scope="session")
def runs(tmp_path_factory) -> dict[str, Path]:
    """Trained runs by model, on one tiny world."""
    root = tmp_path_factory.mktemp("runs")
    write_world(root / "world", seed=100, knobs={"impressions": 4_000, "days": 4})
    store_histories(root / "world")
    log = root / "world" / "log"
    for name in ("two_tower", "din"):
        run = plan(log, ModelConfig(name=name, embedding=8, mlp=(16,)), TrainConfig(batch_rows=256), ("click",), 1)
        train_run(log, run, root / name)
    return {name: root / name for name in ("two_tower", "din")}
