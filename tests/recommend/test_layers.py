"""Layers and losses beside their textbook forms; tables of TorchRec give what PyTorch's give."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import nn
from torch.nn import functional

from recommend.config import ConfigError
from recommend.data.ragged import Ragged, Repeated
from recommend.layers.activations import Dice, activation
from recommend.layers.attention import TargetAttention, mean_pool
from recommend.losses.listwise import listnet, ranknet
from recommend.losses.pointwise import bce, bce_of_product
from recommend.models.registry import build_model, model_config
from tests.recommend.support import tiny

WIDTH = 6
SIZES = ["embedding=4", "attention=[8]", "mlp=[8]"]


def padded_interest(layer: TargetAttention, target: torch.Tensor, history: Ragged) -> torch.Tensor:
    """The layer as DIN's paper writes it: padded, the four parts side by side, one linear layer, a mask."""
    h, mask = history.padded()
    t = target[:, None].expand_as(h)
    hidden = layer.act(layer.first(torch.cat([t, h, t - h, t * h], -1).flatten(0, 1)))
    score = layer.rest(hidden).reshape(mask.shape)
    if layer.softmax:
        score = score.masked_fill(~mask, -torch.inf).softmax(1)
    return (torch.where(mask, score, 0.0).nan_to_num()[..., None] * h).sum(1)


@pytest.mark.parametrize("softmax", [False, True])
@pytest.mark.parametrize("hidden", [(16,), (16, 8)])
def test_packed_attention_and_gradients_are_the_padded_ones(softmax: bool, hidden: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    lengths = torch.randint(0, 8, (40,))
    lengths[:2] = 0
    target, history = torch.randn(40, WIDTH), Ragged(torch.randn(int(lengths.sum()), WIDTH), lengths)
    layer = TargetAttention(WIDTH, hidden, softmax=softmax)
    packed, padded = layer(target, history), padded_interest(layer, target, history)
    torch.testing.assert_close(packed, padded, atol=1e-5, rtol=1e-4)
    weights = list(layer.parameters())
    one = torch.autograd.grad(packed.square().sum(), weights)
    two = torch.autograd.grad(padded.square().sum(), weights)
    for first, second in zip(one, two, strict=True):
        torch.testing.assert_close(first, second, atol=1e-3, rtol=1e-3)
    assert not packed[:2].any()


@pytest.mark.parametrize("softmax", [False, True])
def test_attention_to_a_shared_past_is_each_rows(softmax: bool) -> None:
    torch.manual_seed(0)
    layer = TargetAttention(WIDTH, (10, 4), "prelu", softmax)
    target, past = torch.randn(9, WIDTH), torch.randn(5, WIDTH)
    for length in (0, 1, 5):
        once = Repeated(past[:length], 9)
        apart = Ragged(once.values, once.lengths)
        torch.testing.assert_close(layer(target, once), layer(target, apart), atol=1e-5, rtol=1e-5)


def test_a_mean_pool_of_nothing_is_zero() -> None:
    got = mean_pool(Ragged(torch.tensor([[1.0], [3.0], [5.0]]), torch.tensor([2, 0, 1])))
    assert got.tolist() == [[2], [0], [5]]


def test_dice_is_the_papers_formula() -> None:
    layer = Dice(3)
    nn.init.constant_(layer.alpha, 0.25)
    x = torch.randn(64, 3)
    p = torch.sigmoid((x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-8).sqrt())
    torch.testing.assert_close(layer(x), p * x + (1 - p) * 0.25 * x)
    layer.eval()
    norm = layer.norm
    assert norm.running_mean is not None
    p = torch.sigmoid((x - norm.running_mean) / (norm.running_var + 1e-8).sqrt())
    torch.testing.assert_close(layer(x), p * x + (1 - p) * 0.25 * x)
    layer.train()
    assert torch.isfinite(layer(x[:1])).all()  # a last batch of one row


def test_an_unknown_activation_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'prelu'"):
        activation("preluu", 3)


@pytest.mark.torchrec
def test_torchrec_and_pytorch_are_one_model() -> None:
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


def test_without_torchrec_it_is_a_sentence(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "torchrec", None)
    sizes, _ = tiny.encoded(10)
    with pytest.raises(ConfigError, match="pip install torchrec"):
        build_model(tiny.FEATURES, sizes, model_config("din", [*SIZES, "tables=torchrec"]))


LENGTHS = torch.tensor([3, 1, 4, 0, 2])
MEMBERS = torch.arange(10).split(LENGTHS.tolist())


def test_cross_entropy_with_weights() -> None:
    logits, labels, weight = torch.tensor([0.3, -1.0]), torch.tensor([1, 0]), torch.tensor([1.0, 3.0])
    each = functional.binary_cross_entropy_with_logits(logits, labels.float(), reduction="none")
    assert bce(logits, labels).item() == pytest.approx(each.mean().item())
    assert bce(logits, labels, weight).item() == pytest.approx(((each * weight).sum() / 4).item())
    assert bce(logits, labels, torch.zeros(2)).item() == 0


def test_cross_entropy_of_a_product() -> None:
    a, b, y = torch.randn(50), torch.randn(50), torch.randint(0, 2, (50,))
    expected = functional.binary_cross_entropy(a.sigmoid() * b.sigmoid(), y.float())
    torch.testing.assert_close(bce_of_product(a, b, y), expected)
    far = bce_of_product(torch.tensor([-200.0]), torch.tensor([-200.0]), torch.tensor([1]))
    assert far.item() == pytest.approx(400, rel=1e-3)


def test_listnet_follows_its_definition() -> None:
    scores = torch.randn(10, requires_grad=True)
    target = torch.tensor([1.0, 0, 2, 5, 0, 0, 0, 0, 1, 1])
    counted = [i for i in MEMBERS if len(i) > 1 and target[i].sum() > 0]
    expected = sum(-(target[i] / target[i].sum() * scores[i].log_softmax(0)).sum() for i in counted) / len(counted)
    got = listnet(scores, target, LENGTHS)
    torch.testing.assert_close(got, expected)
    got.backward()
    assert scores.grad is not None
    assert not scores.grad[3:8].any()  # a list of one row and a list without a gain


def test_ranknet_follows_its_definition() -> None:
    scores, labels, groups = torch.randn(8), torch.tensor([0, 1, 2, 0, 1, 1, 0, 2]), torch.arange(8) % 3
    pairs = [
        -functional.logsigmoid(scores[i] - scores[j])
        for i in range(8)
        for j in range(8)
        if groups[i] == groups[j] and labels[i] > labels[j]
    ]
    torch.testing.assert_close(ranknet(scores, labels, groups), sum(pairs) / len(pairs))
    assert ranknet(scores, torch.zeros(8), groups).item() == 0
    weight = torch.zeros(8, 8)
    weight[5, 2] = weight[7, 4] = 3.0
    expected = -functional.logsigmoid(scores[7] - scores[4])
    torch.testing.assert_close(ranknet(scores, labels, groups, weight), expected)
