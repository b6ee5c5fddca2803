"""Options, tables and figures that the benchmarks share."""

from __future__ import annotations

import argparse
import platform
import resource
import sys
from collections.abc import Iterable, Sequence

import numpy as np


def arguments(doc: str | None, **defaults: int | float | str | object) -> argparse.ArgumentParser:
    """A parser with a module's docstring as it stands, and an option of each name and of its default's type."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in defaults.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    return parser


def peak_gb() -> float:
    """The most memory that this process has held."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2)


def machine() -> dict[str, str]:
    """Names of the machine's kind and of Python, which figures are printed with."""
    return {"machine": platform.machine(), "python": platform.python_version()}


def markdown(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table as Markdown."""
    first, *rest = (f"| {' | '.join(map(str, line))} |" for line in (head, *rows))
    return "\n".join([first, "|" + "---|" * len(head), *rest])


def percentiles(ms: Sequence[float], digits: int = 1) -> dict[str, float]:
    """Median, 95th and 99th percentile of milliseconds."""
    return {f"p{q}_ms": round(float(np.percentile(ms, q)), digits) for q in (50, 95, 99)}


def verdict(wrong: Sequence[str]) -> int:
    """The exit status of a benchmark with limits, once what is beyond them is printed."""
    print(*wrong, sep="\n", end="\n" * bool(wrong), file=sys.stderr)
    return 1 if wrong else 0
