"""Many continuations of one prefix in a single forward pass.

A photo costs about fifty tokens; twenty questions about it would pay for them twenty times. Instead all questions
(and all candidate answers of each) are laid out in one sequence as a tree: a token sees its own node so far and its
ancestors, nothing else, and its position counts along its own branch. The result equals separate passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Node:
    """Token ids that continue node number ``parent`` (None: a root, which sees nothing before it)."""

    ids: tuple[int, ...]
    parent: int | None


@dataclass
class Tree:
    """Nodes in the order in which they stand in the sequence; a parent comes before its children."""

    nodes: list[Node] = field(default_factory=list)

    def add(self, ids: Sequence[int], parent: int | None = None) -> int:
        """Append a node; returns its number. ValueError: it is empty, or its parent does not exist yet."""
        if not ids:
            raise ValueError("a node needs at least one token")
        if parent is not None and not 0 <= parent < len(self.nodes):
            raise ValueError(f"node {parent} does not exist yet")
        self.nodes.append(Node(tuple(ids), parent))
        return len(self.nodes) - 1

    @property
    def ids(self) -> list[int]:
        """All token ids, in sequence order."""
        return [token for node in self.nodes for token in node.ids]

    def starts(self) -> list[int]:
        """Where each node begins in the sequence."""
        out, at = [], 0
        for node in self.nodes:
            out.append(at)
            at += len(node.ids)
        return out

    def positions(self) -> list[int]:
        """Position id of each token: its depth along its branch."""
        ends: list[int] = []
        out: list[int] = []
        for node in self.nodes:
            begin = ends[node.parent] if node.parent is not None else 0
            out.extend(range(begin, begin + len(node.ids)))
            ends.append(begin + len(node.ids))
        return out

    def mask(self) -> torch.Tensor:
        """bool [tokens, tokens]: row sees column."""
        import torch

        starts = self.starts()
        total = starts[-1] + len(self.nodes[-1].ids)
        visible = torch.zeros(total, total, dtype=torch.bool)
        for node, begin in zip(self.nodes, starts, strict=True):
            end = begin + len(node.ids)
            if node.parent is not None:  # whatever the parent's last token sees, its children see
                last = starts[node.parent] + len(self.nodes[node.parent].ids) - 1
                visible[begin:end] = visible[last]
            visible[begin:end, begin:end] |= torch.ones(end - begin, end - begin, dtype=torch.bool).tril()
        return visible

    def ends(self) -> list[int]:
        """Sequence index of each node's last token."""
        return [begin + len(node.ids) - 1 for begin, node in zip(self.starts(), self.nodes, strict=True)]

    def add_answers(self, answers: Sequence[Sequence[int]], parent: int) -> list[list[tuple[int, int]]]:
        """For each answer, the (number of the node whose end predicts it, token) of its tokens.

        What several answers begin with is laid out once, and the last token of each not at all: nothing follows it.
        """
        numbers: dict[tuple[int, ...], int] = {(): parent}
        paths = []
        for answer in answers:
            begun = [tuple(answer[:length]) for length in range(len(answer))]
            for part in begun[1:]:
                if part not in numbers:
                    numbers[part] = self.add(part[-1:], numbers[part[:-1]])
            paths.append([(numbers[part], token) for part, token in zip(begun, answer, strict=True)])
        return paths
