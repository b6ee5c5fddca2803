"""Packing: all lessons about one photo share its image tokens in one sequence; every answer carries loss.

The lessons are branches of a tree (``listing.tree``), so that a question never sees the answer of another one: exactly
how it is asked when serving. Prompt, image and padding tokens carry no loss; the end of turn does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from finetune.lessons import Lesson
from listing.tree import Tree

if TYPE_CHECKING:
    import torch

    from listing.backends.local import LocalBackend


FAMILY_WEIGHTS = {"category": 2.0}  # everything else of a draft hangs on it
TEXT_WEIGHT = 2.0  # of a whole text, spread over its tokens


@dataclass(frozen=True)
class Packed:
    """One photo's sequence. ``targets``: (index that predicts, token to predict, weight of its family)."""

    tree: Tree
    targets: tuple[tuple[int, int, float], ...]


@dataclass
class Batch:
    """ids, positions [b, n]; mask bool [b, 1, n, n]; where [m, 2] (row, index); wanted, weights [m]."""

    ids: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    where: torch.Tensor
    wanted: torch.Tensor
    weights: torch.Tensor


def pack(lessons: Sequence[Lesson], backend: LocalBackend) -> Packed:
    """Lay out the lessons of one photo. The loss of an answer counts once, however many tokens it has."""
    tree = Tree()
    prefix = tree.add(backend.prefix_ids())
    answers = []
    for lesson in lessons:
        if lesson.photo:
            asked = tree.add(backend.question_ids(lesson.prompt), prefix)
        else:
            asked = tree.add(backend.prompt_ids(lesson.prompt))
        answers.append((tree.add(backend.answer_ids(lesson.answer), asked), lesson))
    targets = []
    for number, lesson in answers:
        tokens = tree.nodes[number].ids
        weight = FAMILY_WEIGHTS.get(lesson.family, 1.0) if lesson.photo else TEXT_WEIGHT / len(tokens)
        targets += [(i, token, weight) for i, token in zip(tree.before(number), tokens, strict=True)]
    return Packed(tree, tuple(targets))


def collate(packed: Sequence[Packed], pad: int) -> Batch:
    """Pad on the right; a padding token sees itself alone, so that no row of the mask is empty."""
    import torch

    length = max(len(p.tree.ids) for p in packed)
    count = len(packed)
    ids = torch.full((count, length), pad)
    positions = torch.zeros(count, length, dtype=torch.long)
    mask = torch.eye(length, dtype=torch.bool).repeat(count, 1, 1, 1)
    where, wanted, weights = [], [], []
    for row, item in enumerate(packed):
        n = len(item.tree.ids)
        ids[row, :n] = torch.tensor(item.tree.ids)
        positions[row, :n] = torch.tensor(item.tree.positions())
        mask[row, 0, :n, :n] = item.tree.mask()
        for index, token, weight in item.targets:
            where.append((row, index))
            wanted.append(token)
            weights.append(weight)
    return Batch(ids, positions, mask, torch.tensor(where), torch.tensor(wanted), torch.tensor(weights))
