"""Milliseconds of a draft, by stage."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Clock:
    """Counts from the moment when it is made."""

    spent: dict[str, float] = field(default_factory=dict)
    began: float = field(default_factory=time.perf_counter)

    def elapsed(self) -> float:
        """Milliseconds since the draft was begun."""
        return round((time.perf_counter() - self.began) * 1000, 1)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time of the block to ``name``."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.spent[name] = round(self.spent.get(name, 0.0) + (time.perf_counter() - began) * 1000, 1)
