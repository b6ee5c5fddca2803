"""Two processes against one with twice the accumulation."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
import yaml

from finetune.train.chat import train_chat
from tests.finetune.launching import launch_two
from tests.finetune.train import test_chat


def test_they_train_like_one_with_twice_the_accumulation(models, conversations, tmp_path):
    config = test_chat.config_of(models, conversations, tmp_path / "one")
    config = replace(config, precision="32", dropout=0.0, steps=3, evaluate_every=3, fixed_samples=1)
    stage = {k: v for k, v in asdict(config).items() if k not in ("data", "out", "init_from", "resume", "plan")}
    file, two = tmp_path / "two.yaml", tmp_path / "two"
    stage |= {"accumulate": 1, "trains": list(config.trains)}
    file.write_text(yaml.safe_dump({"family": "smolvlm", "stages": {"chat": stage}}))
    launch_two(file, "--data", config.data, "--out", two)
    assert json.loads((two / "run.json").read_text())["processes"] == 2
    train_chat(config)
    one, other = test_chat.losses(Path(config.out)), test_chat.losses(two)
    assert other == {step: pytest.approx(loss, rel=1e-4) for step, loss in one.items()}
    assert one[3] < one[1]
    mine, theirs = test_chat.weights(Path(config.out)), test_chat.weights(two)
    for name in mine:
        assert torch.allclose(mine[name], theirs[name], atol=1e-3), name
