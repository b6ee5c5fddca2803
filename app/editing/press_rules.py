"""The rules by which a press on a draft is decided: those of its own version, else those of now."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from listing.rules import Rules, kept_rules
from listing.schema import Draft


class PressRules:
    """``folder``: where the rules of each version are kept. ``build`` gives those of now, when a draft needs them."""

    def __init__(self, folder: Path, build: Callable[[], Rules]) -> None:
        self.folder, self._build = folder, build

    @cached_property
    def now(self) -> Rules:
        """The rules of now: of drafts that name no version, or one that was not kept here."""
        return self._build()

    def of(self, draft: Draft) -> Rules:
        """The rules that the draft was decided by."""
        return kept_rules(self.folder, draft.rules) or self.now
