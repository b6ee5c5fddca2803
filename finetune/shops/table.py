"""A table of listings and how it is to be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from rag_index.imports.columns import ColumnChoices
from rag_index.imports.glossary import Glossary


@dataclass(frozen=True)
class Table:
    """A table of listings. given: field -> columns that a person named; photos: the folder of the photos."""

    path: Path
    given: ColumnChoices = field(default_factory=dict)
    glossary: Glossary | None = None
    photos: Path | None = None
