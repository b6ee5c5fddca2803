"""All phenomena of a log: number, interval, the range in which a method can pay, and a sentence."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from recommend.metrics.jackknife import FEW, Estimate
from recommend.phenomena.log import Log, Missing


@dataclass(frozen=True)
class Phenomenon:
    """One of the nine.

    Attributes:
        name: file in this folder.
        method: whose food it is.
        says: the number in words, with ``{value}``.
        edge: from where on the method can pay, towards ``above``.
        off: the number where the phenomenon is absent.
        source: of the edge.
    """

    name: str
    method: str
    says: str
    edge: float
    off: float
    source: str
    above: bool = True


OURS = "our choice; no published figure"
NINE = (
    Phenomenon("msnet", "MSNet", "a clicked limited thing was shown {value:.2f} times as often as another clicked one",
               0.3, 1.0, OURS, above=False),
    Phenomenon("mkt", "MKT", "a category clicked as the other entity is {value:+.0%} likelier to be clicked",
               0.1, 0.0, OURS),
    Phenomenon("keep", "KEEP", "a category clicked in other channels is {value:+.0%} likelier to be clicked",
               0.1, 0.0, OURS),
    Phenomenon("clid", "CLID", "privileged signals order a page with a GAUC of {value:.3f}", 0.52, 0.5, OURS),
    Phenomenon("one_epoch", "One epoch", "{value:.0%} of the rows show an item of fewer than 10 rows",
               0.5, 0.0, "docs/papers/one_epoch.md: a fall on the Taobao sample and in the world, hardly on Beauty"),
    Phenomenon("ecad", "ECAD", "{value:.1%} of the orders came back", 0.05, 0.0, OURS),
    Phenomenon("hdr", "HDR", "a promotion's uplift differs between categories by a factor of exp({value:.2f})",
               0.2, 0.0, OURS),
    Phenomenon("copr", "COPR", "bids change {value:.0%} of the first ten candidates", 0.15, 0.0, OURS),
    Phenomenon("rec4ad", "Rec4Ad", "the order of things among selected rows is off by {value:.2f} (1 - correlation)",
               0.2, 0.0, OURS),
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """A phenomenon in a log; without an estimate ``missing`` says why."""

    phenomenon: Phenomenon
    estimate: Estimate | None = None
    missing: str = ""

    @property
    def verdict(self) -> str:
        """``can pay``, ``absent`` (the whole interval on one side of the edge), ``open`` or ``cannot be told``."""
        p, e = self.phenomenon, self.estimate
        if e is None:
            return "cannot be told"
        low, high = (e.low, e.high) if p.above else (-e.high, -e.low)
        edge = p.edge if p.above else -p.edge
        return "can pay" if low >= edge else "absent" if high < edge else "open"

    def sentence(self) -> str:
        """For people."""
        p, e = self.phenomenon, self.estimate
        if e is None:
            return f"cannot be told from this log: {self.missing}."
        ends = {
            "can pay": f"{p.method} can pay",
            "absent": f"{p.method} has little to do",
            "open": f"whether {p.method} can pay is open",
        }
        few = f" (of {e.groups} groups of users only, so that the interval is rough)" if e.groups < FEW else ""
        return f"{p.says.format(value=e.value)}: {ends[self.verdict]}{few}."


def findings(root: Path) -> Iterator[Finding]:
    """Measure all nine."""
    log = Log(root)
    for phenomenon in NINE:
        module = importlib.import_module(f"recommend.phenomena.{phenomenon.name}")
        try:
            yield Finding(phenomenon, module.measure(log))
        except Missing as error:
            yield Finding(phenomenon, missing=str(error))


def as_json(found: Finding) -> dict[str, Any]:
    """All of a finding."""
    estimate = asdict(found.estimate) if found.estimate is not None else None
    said = {"verdict": found.verdict, "sentence": found.sentence()}
    return {**asdict(found.phenomenon), "estimate": estimate, **said}


def row(found: Finding) -> str:
    """A line of the table."""
    p, e = found.phenomenon, found.estimate
    number = f"{e.value:8.3f} [{e.low:.3f}, {e.high:.3f}]" if e is not None else "       -"
    edge = f"{'>=' if p.above else '<='} {p.edge:g}"
    return f"{p.method:<10} {number:<28} {edge:<8} {found.verdict:<14} {found.sentence()}"
