"""Embedding tables, one a vocabulary, with dense or sparse gradients.

A table with sparse gradients touches only the rows of a batch, where a dense Adam walks over the whole table each time.
SparseAdam is lazy: the moments of an unseen row do not decay, so results differ a little from Adam's. ``make`` builds
every table; ``layers/torchrec_tables.py`` builds those of another engine.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from recommend.config import ModelConfig


def make(rows: int, width: int, sparse: bool, std: float) -> nn.Module:
    """A table of ``rows`` vectors, normally distributed around 0."""
    table = nn.Embedding(rows, width, sparse=sparse)
    nn.init.normal_(table.weight, std=std)
    return table


class Tables(nn.Module):
    """All tables of a model, by the name of their vocabulary.

    Args:
        sizes: rows of each table (``Encoders.sizes()``).
        config: ``embedding`` is the size of the vectors; tables of more than ``sparse_rows`` rows get sparse gradients;
            ``tables`` names the engine.
    """

    def __init__(self, sizes: Mapping[str, int], config: ModelConfig) -> None:
        super().__init__()
        if config.tables == "torchrec":
            from recommend.layers.torchrec_tables import make as build
        else:
            build = make
        self.width, most, std = config.embedding, config.sparse_rows, config.initial_std
        self.tables = nn.ModuleDict({_key(n): build(many, self.width, many > most, std) for n, many in sizes.items()})

    def forward(self, name: str, ids: Tensor) -> Tensor:
        """(n, width) vectors of (n,) rows of a table."""
        table = self.tables[_key(name)]
        if isinstance(table, nn.Embedding) and not table.sparse and ids.device.type == "cpu":
            return table.weight.index_select(0, ids)  # the same vectors; its gradient is three times as fast there
        return table(ids)


def _key(name: str) -> str:
    """A table's name among PyTorch's modules, which may not be that of one of their methods, such as ``type``."""
    return f"table of {name}" if hasattr(nn.ModuleDict, name) or name == "training" else name
