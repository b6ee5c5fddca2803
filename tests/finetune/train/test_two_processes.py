"""Two processes against one with twice the accumulation, both stages in one launch."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
import yaml

from finetune.train.chat import train_chat
from finetune.train.loop import train_mllm
from tests.finetune.launching import launch_two
from tests.finetune.plain_tuning import THEN, tune_plainly
from tests.finetune.train import test_chat, test_train


@pytest.fixture(scope="module")
def chat(models, conversations, tmp_path_factory):
    """The configuration of the chat stage for one process."""
    config = test_chat.config_of(models, conversations, tmp_path_factory.mktemp("chat") / "whole")
    return replace(config, precision="32", dropout=0.0, steps=3, evaluate_every=3, fixed_samples=1)


@pytest.fixture(scope="module")
def mllm(models, garments, tmp_path_factory):
    """The configuration of the language stage for one process."""
    config = test_train.config_of(models, garments, tmp_path_factory.mktemp("mllm") / "whole")
    return replace(config, accumulate=4, threads=1)


@pytest.fixture(scope="module")
def two(chat, mllm, tmp_path_factory):
    """The folder with ``mllm`` and ``chat``, which two processes tuned, half as much accumulated in each."""
    folder = tmp_path_factory.mktemp("two")
    stages = {"mllm": (mllm, {"accumulate": 2, "trains": [test_train.PROJECTOR]}, "ipl-mini")}
    stages["chat"] = (chat, {"accumulate": 1, "trains": list(chat.trains)}, "smolvlm")
    arguments = []
    for name, (config, changes, family) in stages.items():
        stage = {k: v for k, v in asdict(config).items() if k not in ("data", "out", "init_from", "resume")}
        file = folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump({"family": family, "stages": {name: {**stage, **changes}}}))
        arguments += [file, "--data", config.data, "--out", folder / name, THEN]
    launch_two(*arguments[:-1], program=["tests.finetune.plain_tuning"])
    return folder


def test_chat_trains_like_one_with_twice_the_accumulation(chat, two):
    train_chat(chat)
    whole = Path(chat.out)
    assert json.loads((two / "chat" / "run.json").read_text())["processes"] == 2
    one, other = test_chat.losses(whole), test_chat.losses(two / "chat")
    assert other == {step: pytest.approx(loss, rel=1e-4) for step, loss in one.items()}
    assert one[3] < one[1]
    mine, theirs = test_chat.weights(whole), test_chat.weights(two / "chat")
    for name in mine:
        assert torch.allclose(mine[name], theirs[name], atol=1e-3), name


def test_the_language_stage_sums_the_gradients_of_one_with_twice_the_accumulation(mllm, two, monkeypatch):
    """Of three steps, so that both have to take them; their losses and gradients' norms before clipping are logged."""
    with monkeypatch.context() as patch:
        tune_plainly(patch)
        train_mllm(mllm)
    folders = Path(mllm.out), two / "mllm"
    assert json.loads((two / "mllm" / "mllm.run.json").read_text())["processes"] == 2
    for key in ("loss", "grad_norm"):
        one, other = ([line[key] for line in test_train.logged(out) if key in line] for out in folders)
        assert other == pytest.approx(one, rel=1e-4)
        assert len(set(one)) == 3
    one, other = map(gradients, folders)
    assert one.keys() == other.keys()
    assert all(g.norm() > 0 for g in one.values())
    apart = {name: float((other[name] - g).norm() / g.norm()) for name, g in one.items()}
    assert max(apart.values()) < 1e-5, apart


def gradients(out):
    """By parameter the sum of all steps' gradients, older ones with less weight: see ``tune_plainly``."""
    state = torch.load(out / "train.state", weights_only=True)["optimizer"]["state"]
    return {name: values["momentum_buffer"] for name, values in state.items()}
