"""The rules that decide, as one value: the taxonomy, the calibration, and the specific types of each category.

A draft names the version of those that it was decided by. They are kept in a file each (``keep``), so that a press of
the seller is decided by the same ones, without loading a network.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

from listing.calibration import Calibration
from listing.lexicon import Lexicon, load_lexicon
from listing.schema import Draft
from listing.taxonomy import Taxonomy

RULES = "rules"  # the folder in a home in which those of each version are kept


@dataclass(frozen=True)
class Rules:
    """``types``: category -> the specific types that its photos can show."""

    taxonomy: Taxonomy
    calibration: Calibration
    types: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @cached_property
    def lexicon(self) -> Lexicon:
        """The words of texts and what they mean."""
        return load_lexicon(self.taxonomy)

    @cached_property
    def _file(self) -> str:
        raw = {
            "taxonomy": self.taxonomy.model_dump(mode="json", by_alias=True),
            "calibration": self.calibration.model_dump(mode="json", exclude={"measured_on", "untapped"}),
            "types": {category: list(types) for category, types in self.types.items()},
        }
        return json.dumps(raw, ensure_ascii=False)

    @cached_property
    def version(self) -> str:
        """A name that other rules do not have."""
        return hashlib.sha256(self._file.encode()).hexdigest()[:16]

    def keep(self, folder: Path) -> None:
        """Write them into the folder, under their version, unless they are there."""
        file = folder / f"{self.version}.json"
        if not file.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            scratch = file.with_suffix(".tmp")
            scratch.write_text(self._file, encoding="utf-8")
            scratch.replace(file)


@lru_cache(maxsize=16)
def kept_rules(folder: Path, version: str) -> Rules | None:
    """The rules of that version, or None where they were not kept."""
    file = folder / f"{version}.json"
    if not version or not file.is_file():
        return None
    raw = json.loads(file.read_text(encoding="utf-8"))
    return Rules(Taxonomy.model_validate(raw["taxonomy"]), Calibration.model_validate(raw["calibration"]), raw["types"])


class PressRules:
    """The rules by which a press on a draft is decided: those of its own version, else those of now.

    ``folder``: where the rules of each version are kept. ``build`` gives those of now, when a draft needs them.
    """

    def __init__(self, folder: Path, build: Callable[[], Rules]) -> None:
        self.folder, self._build = folder, build

    @cached_property
    def now(self) -> Rules:
        """The rules of now: of drafts that name no version, or one that was not kept here."""
        return self._build()

    def of(self, draft: Draft | None) -> Rules:
        """The rules that the draft was decided by; of none, those of now."""
        return (kept_rules(self.folder, draft.rules) if draft else None) or self.now
