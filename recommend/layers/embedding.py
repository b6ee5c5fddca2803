"""Embedding tables, one a vocabulary, with dense or sparse gradients.

A table with sparse gradients touches only the rows of a batch, where a dense Adam walks over the whole table each time.
SparseAdam is lazy: the moments of an unseen row do not decay, so results differ a little from Adam's. ``make`` builds
every table; ``layers/torchrec_tables.py`` builds those of another engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor, nn

Make = Callable[[int, int, bool, float], nn.Module]


def make(rows: int, width: int, sparse: bool, std: float) -> nn.Module:
    """A table of ``rows`` vectors, normally distributed around 0."""
    table = nn.Embedding(rows, width, sparse=sparse)
    nn.init.normal_(table.weight, std=std)
    return table


class Tables(nn.Module):
    """All tables of a model, by the name of their vocabulary.

    Args:
        sizes: rows of each table (``Encoders.sizes()``).
        width: size of the vectors.
        sparse_rows: tables with more rows get sparse gradients.
    """

    def __init__(
        self, sizes: Mapping[str, int], width: int, sparse_rows: int = 100_000, std: float = 0.01, build: Make = make
    ) -> None:
        super().__init__()
        self.width = width
        self.tables = nn.ModuleDict({_key(n): build(rows, width, rows > sparse_rows, std) for n, rows in sizes.items()})

    def forward(self, name: str, ids: Tensor) -> Tensor:
        """(n, width) vectors of (n,) rows of a table."""
        table = self.tables[_key(name)]
        if isinstance(table, nn.Embedding) and not table.sparse and ids.device.type == "cpu":
            return table.weight.index_select(0, ids)  # the same vectors; its gradient is three times as fast there
        return table(ids)


def _key(name: str) -> str:
    """A table's name among PyTorch's modules, which may not be that of one of their methods, such as ``type``."""
    return f"table of {name}" if hasattr(nn.ModuleDict, name) or name == "training" else name
