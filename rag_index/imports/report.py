"""The outcome for a table's rows, for the person who imports it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rag_index.imports.tables import RowProblem


@dataclass
class Report:
    """Counts of rows. ``custom``: usable, but of a category of theirs. ``left_out``: reason -> (rows, the first)."""

    usable: int = 0
    custom: int = 0
    left_out: dict[str, tuple[int, RowProblem]] = field(default_factory=dict)

    def add(self, problems: Sequence[RowProblem], in_vocabulary: Sequence[bool]) -> None:
        """Count rows that were left out, and those that are kept by whether their category is one of ours."""
        self.usable += len(in_vocabulary)
        self.custom += in_vocabulary.count(False)
        for problem in problems:
            count, first = self.left_out.get(problem.reason, (0, problem))
            self.left_out[problem.reason] = (count + 1, first)

    @property
    def read(self) -> int:
        """All rows of the table."""
        return self.usable + sum(count for count, _ in self.left_out.values())

    @property
    def is_poor(self) -> bool:
        """True if fewer than half of the rows can be used under a category of ours."""
        return 2 * (self.usable - self.custom) < self.read

    def lines(self) -> Iterator[str]:
        """The report, the alarm first."""
        fit = self.usable - self.custom
        if self.is_poor:
            yield f"ONLY {fit} OF {self.read} ROWS FIT: the rest is left out or of a category that is not ours."
        custom = f", {self.custom} under a category of their own" if self.custom else ""
        yield f"{self.read} rows read, {self.usable} can be used{custom}."
        for reason, (count, first) in sorted(self.left_out.items(), key=lambda item: -item[1][0]):
            detail = f": {first.detail}" if first.detail else ""
            yield f"  left out {count}: {reason} ({first.place}{detail})"
