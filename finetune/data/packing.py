"""Packing: all tasks about one photo share its image tokens in one sequence; every answer carries loss.

The tasks are branches of a tree (``listing.backends.prefix_tree``), so that a question never sees the answer of
another one: exactly how it is asked when serving. Prompt, image and padding tokens carry no loss; the end of turn does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from finetune.data.tasks import Task
from listing.backends.prefix_tree import Tree

if TYPE_CHECKING:
    import torch

    from listing.backends.local import LocalBackend


FAMILY_WEIGHTS = {"category": 2.0}  # everything else of a draft hangs on it
MIN_SHARE = 0.005  # of a soft label; below it an answer is left out
TEXT_WEIGHT = 2.0  # of a whole text, spread over its tokens


@dataclass(frozen=True)
class Packed:
    """One photo's sequence. ``targets``: (index that predicts, token to predict, weight); soft ones share an index."""

    tree: Tree
    targets: tuple[tuple[int, int, float], ...]


@dataclass
class Batch:
    """ids, positions [b, n]; mask bool [b, 1, n, n]; where [m, 2] (row, index), each once; pick [t] (row of ``where``),
    wanted, weights [t]."""

    ids: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    where: torch.Tensor
    pick: torch.Tensor
    wanted: torch.Tensor
    weights: torch.Tensor


def pack(tasks: Sequence[Task], backend: LocalBackend) -> Packed:
    """Lay out the tasks of one photo. The loss of an answer counts once, however many tokens it has."""
    tree = Tree()
    prefix = tree.add(backend.prefix_ids())
    answers = []
    for task in tasks:
        if task.photo:
            asked = tree.add(backend.question_ids(task.prompt), prefix)
        else:
            asked = tree.add(backend.prompt_ids(task.prompt))
        answers.append((tree.add(backend.answer_ids(task.answer), asked), task))
    targets = []
    for number, task in answers:
        tokens = tree.nodes[number].ids
        weight = FAMILY_WEIGHTS.get(task.name, 1.0) if task.photo else TEXT_WEIGHT / len(tokens)
        if task.soft:
            shares = {tuple(backend.answer_ids(a)): share for a, share in task.soft.items() if share > MIN_SHARE}
            targets += _soft(tree.before(number), tokens, shares, weight)
        else:
            targets += [(i, token, weight) for i, token in zip(tree.before(number), tokens, strict=True)]
    return Packed(tree, tuple(targets))


def _soft(
    before: Sequence[int], tokens: Sequence[int], shares: Mapping[tuple[int, ...], float], weight: float
) -> list[tuple[int, int, float]]:
    """Along the drawn answer, each next token by its share among the answers that go the same way so far.

    In the mean over drawn answers this is the cross-entropy with the soft labels, as drawing alone would be, with less
    noise: the first token of an answer nearly always tells it from the others.
    """
    found = []
    for depth, index in enumerate(before):
        following: dict[int, float] = {}
        for answer, share in shares.items():
            if answer[:depth] == tuple(tokens[:depth]):
                following[answer[depth]] = following.get(answer[depth], 0.0) + share
        total = sum(following.values())
        if not total:  # the drawn answer itself was too unlikely to be kept
            break
        found += [(index, token, weight * share / total) for token, share in following.items()]
    return found


def collate(packed: Sequence[Packed], pad: int) -> Batch:
    """Pad on the right; a padding token sees itself alone, so that no row of the mask is empty."""
    import torch

    length = max(len(p.tree.ids) for p in packed)
    count = len(packed)
    ids = torch.full((count, length), pad)
    positions = torch.zeros(count, length, dtype=torch.long)
    mask = torch.eye(length, dtype=torch.bool).repeat(count, 1, 1, 1)
    where: dict[tuple[int, int], int] = {}
    pick, wanted, weights = [], [], []
    for row, item in enumerate(packed):
        n = len(item.tree.ids)
        ids[row, :n] = torch.tensor(item.tree.ids)
        positions[row, :n] = torch.tensor(item.tree.positions())
        mask[row, 0, :n, :n] = item.tree.mask()
        for index, token, weight in item.targets:
            pick.append(where.setdefault((row, index), len(where)))
            wanted.append(token)
            weights.append(weight)
    places = torch.tensor(list(where))
    return Batch(ids, positions, mask, places, torch.tensor(pick), torch.tensor(wanted), torch.tensor(weights))
