"""Tables of TorchRec give what PyTorch's give, forward and backward; without the packages a sentence says so."""

from __future__ import annotations

import sys

import pytest
import torch

from recommend.config import ConfigError
from recommend.models.registry import build_model, model_config
from tests.recommend import tiny

SIZES = ["embedding=4", "attention=[8]", "mlp=[8]"]


@pytest.mark.torchrec
def test_both_engines_are_one_model() -> None:
    sizes, batch = tiny.encoded(200)
    plain = build_model(tiny.FEATURES, sizes, model_config("din", SIZES))
    other = build_model(tiny.FEATURES, sizes, model_config("din", [*SIZES, "tables=torchrec"]))
    assert type(next(iter(other.inputs.tables.tables.values()))).__name__ == "TorchRecTable"
    weights = dict(plain.named_parameters())
    with torch.no_grad():
        for name, weight in other.named_parameters():
            weight.copy_(weights[name.replace("collection.embeddings.table.", "")])
    losses = [model.loss(model(batch), batch) for model in (plain, other)]
    torch.testing.assert_close(losses[0], losses[1])
    for loss in losses:
        loss.backward()
    for name, weight in other.named_parameters():
        torch.testing.assert_close(weight.grad, weights[name.replace("collection.embeddings.table.", "")].grad)


def test_without_the_packages_it_is_a_sentence(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "torchrec", None)
    sizes, _ = tiny.encoded(10)
    with pytest.raises(ConfigError, match="pip install torchrec"):
        build_model(tiny.FEATURES, sizes, model_config("din", [*SIZES, "tables=torchrec"]))
