"""Losses beside loops that follow the definitions."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from recommend.losses.listwise import listmle, listnet, ranknet
from recommend.losses.pointwise import bce, bce_of_product

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


def test_listmle_follows_its_definition() -> None:
    scores, order = torch.randn(10), torch.rand(10)
    losses = []
    for i in MEMBERS:
        if len(i) > 1:
            ranked = scores[i][order[i].argsort(descending=True)]
            losses.append(-sum(ranked[k:].log_softmax(0)[0] for k in range(len(ranked))))
    torch.testing.assert_close(listmle(scores, order, LENGTHS), sum(losses) / len(losses))


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
