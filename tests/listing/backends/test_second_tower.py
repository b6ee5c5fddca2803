"""The second classifier: its answers, the mean of two, and a folder without one."""

from __future__ import annotations

import json

import pytest
import torch
from listing.backends.second import FACTS, WEIGHTS, SecondTower, mean_of
from safetensors.torch import save_file

ARCHITECTURE = "tf_efficientnet_lite0"
VALUES = {"label": ["Hat", "Shoes", "Skirt"], "colour": ["red", "blue"]}


@pytest.fixture
def folder(tmp_path):
    import timm

    torch.manual_seed(0)
    backbone = timm.create_model(ARCHITECTURE, pretrained=False, num_classes=0, global_pool="")
    tensors = {f"backbone.{n}": t for n, t in backbone.state_dict().items() if not n.endswith("num_batches_tracked")}
    for name, values in VALUES.items():
        tensors[f"heads.{name}.weight"] = torch.randn(len(values), 1280)
        tensors[f"heads.{name}.bias"] = torch.randn(len(values))
    save_file({n: t.contiguous() for n, t in tensors.items()}, tmp_path / WEIGHTS)
    (tmp_path / FACTS).write_text(json.dumps({"architecture": ARCHITECTURE, "values": VALUES}))
    return tmp_path


def test_it_gives_probabilities_of_its_answers_over_all_views(folder):
    tower = SecondTower.load(folder)
    pixels = torch.rand(2, 3, 224, 224) * 2 - 1
    said = tower(pixels)
    assert {name: list(p) for name, p in said.items()} == VALUES
    assert all(sum(p.values()) == pytest.approx(1, abs=1e-5) for p in said.values())
    one, other = tower(pixels[:1]), tower(pixels[1:])
    assert said["label"]["Hat"] == pytest.approx((one["label"]["Hat"] + other["label"]["Hat"]) / 2, abs=1e-5)


def test_weights_of_another_architecture_are_refused(folder):
    (folder / FACTS).write_text(json.dumps({"architecture": "tf_efficientnet_lite2", "values": VALUES}))
    with pytest.raises((ValueError, RuntimeError)):
        SecondTower.load(folder)


def test_a_folder_without_one_has_none(tmp_path):
    assert SecondTower.load(tmp_path) is None


def test_the_mean_keeps_what_only_one_says():
    first = {"colour": {"red": 0.8, "blue": 0.2}, "sleeve": {"long": 1.0}}
    second = {"colour": {"red": 0.4, "blue": 0.5, "green": 0.1}, "pattern": {"plain": 1.0}}
    mean = mean_of(first, second)
    assert mean["colour"] == pytest.approx({"red": 0.6, "blue": 0.35, "green": 0.05})
    assert (mean["sleeve"], mean["pattern"]) == ({"long": 1.0}, {"plain": 1.0})
