"""Where a thing's own ID stands among what a model reads of it: for models that replace or transform that embedding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from recommend.config import ConfigError
from recommend.data.ragged import Batch, ragged_of, tensor_of
from recommend.features.feature_map import FeatureMap
from recommend.layers.inputs import InputLayer, Inputs


@dataclass(frozen=True)
class Identity:
    """The first id feature of a history group is the thing's ID; what else the group holds is side information.

    Attributes:
        group: the history group.
        column, past, table: of the candidate's ID, of the clicked things' IDs, and the table of both.
        width: of the ID's embedding.
        start: where it begins in ``matched`` and in the history's vectors (same order).
        target_start: where it begins in ``target``.
        side_width: width of a history vector without the ID.
    """

    group: str
    column: str
    past: str
    table: str
    width: int
    start: int
    target_start: int
    side_width: int

    @staticmethod
    def find(features: FeatureMap, inputs: InputLayer, model: str) -> Identity:
        """The ID of the first history group.

        Args:
            model: name for the error.

        Raises:
            ConfigError: there is no history, or none of its features is an id.
        """
        width, start = inputs.tables.width, 0
        for group, members in inputs.groups.items():
            for member in members:
                if member.kind == "id":
                    before = 0
                    for target in features.role("target"):
                        if target.column == member.match:
                            break
                        before += width if target.kind == "id" else target.size
                    side = inputs.history_widths[group] - width
                    return Identity(group, member.match, member.column, member.vocabulary, width, start, before, side)
                start += member.size
            break
        raise ConfigError(f"{model} needs a history whose features hold an id.")

    def parts(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """(n, width) ID embeddings and (n, side_width) side information of matched or history vectors."""
        stop = self.start + self.width
        return vectors[:, self.start : stop], torch.cat([vectors[:, : self.start], vectors[:, stop:]], 1)

    def put(self, vectors: Tensor, identity: Tensor) -> Tensor:
        """Matched or history vectors with another ID embedding (n, width)."""
        return torch.cat([vectors[:, : self.start], identity, vectors[:, self.start + self.width :]], 1)

    def candidate(self, x: Inputs, identity: Tensor) -> Inputs:
        """The inputs with another ID embedding (rows, width) of the candidate."""
        a = self.target_start
        target = torch.cat([x.target[:, :a], identity, x.target[:, a + self.width :]], 1)
        return replace(x, target=target, matched={**x.matched, self.group: self.put(x.matched[self.group], identity)})

    def rows(self, batch: Batch) -> Tensor:
        """(rows,) table rows of the candidates; 0 is an ID that training did not hold."""
        return tensor_of(batch[self.column])

    def in_vocabulary(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """(rows,) and (history entries,) masks: IDs of candidates and clicked things that training held."""
        return self.rows(batch) > 0, ragged_of(batch[self.past]).values > 0


def alone(loss: Tensor, weights: Sequence[Tensor]) -> Tensor:
    """The loss, with gradients for these weights and no others."""
    gradients = torch.autograd.grad(loss, weights)
    term = torch.stack([(w * g).sum() for w, g in zip(weights, gradients, strict=True)]).sum()
    return term - term.detach() + loss.detach()
