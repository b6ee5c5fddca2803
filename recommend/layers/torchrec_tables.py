"""Tables of TorchRec in the place of PyTorch's: what ``DistributedModelParallel`` shards over many devices.

``tables=torchrec`` of a model's config builds them; without the packages that is one sentence.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recommend.config import ConfigError

NAME = "table"


class TorchRecTable(nn.Module):
    """An ``EmbeddingCollection`` of one table, with the calls of an ``nn.Embedding``."""

    def __init__(self, rows: int, width: int, std: float) -> None:
        super().__init__()
        try:
            from torchrec import EmbeddingCollection, EmbeddingConfig, KeyedJaggedTensor
        except (ImportError, OSError) as error:  # OSError: libraries of another torch
            raise ConfigError(
                "tables=torchrec needs TorchRec: pip install torchrec and fbgemm-gpu (or fbgemm-gpu-cpu) of "
                f"the release that belongs to torch {torch.__version__}."
            ) from error
        self._jagged = KeyedJaggedTensor
        config = EmbeddingConfig(name=NAME, num_embeddings=rows, embedding_dim=width, feature_names=[NAME])
        self.collection = EmbeddingCollection(tables=[config])
        nn.init.normal_(self.weight, std=std)

    @property
    def weight(self) -> Tensor:
        """(rows, width)."""
        weights: Tensor = self.collection.embeddings[NAME].weight
        return weights

    def forward(self, ids: Tensor) -> Tensor:
        """(n, width) vectors of (n,) rows: one jagged row of n values."""
        lengths = torch.tensor([len(ids)], device=ids.device)
        vectors: Tensor = self.collection(self._jagged(keys=[NAME], values=ids, lengths=lengths))[NAME].values()
        return vectors


def make(rows: int, width: int, sparse: bool, std: float) -> nn.Module:
    """A table, as ``layers.embedding.make`` makes them; its sparse gradients are TorchRec's own affair."""
    return TorchRecTable(rows, width, std)
