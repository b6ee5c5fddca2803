"""How a shop's own titles are built, as its past listings show."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FILE = "title.json"
CATEGORY = "category"


@dataclass(frozen=True)
class TitlePattern:
    """order: attributes and ``category``, as most titles have them; nouns: category -> how they call it."""

    order: Sequence[str]
    nouns: Mapping[str, str]

    @classmethod
    def load(cls, folder: Path) -> TitlePattern | None:
        """The pattern of a shop's version, or None where there is none."""
        file = folder / FILE
        return cls(**json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else None

    def save(self, folder: Path) -> None:
        """Write it."""
        raw = {"order": list(self.order), "nouns": dict(self.nouns)}
        (folder / FILE).write_text(json.dumps(raw, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
