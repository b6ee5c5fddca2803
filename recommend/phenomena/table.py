"""All phenomena of a log: number, interval, the range in which a method can pay, and a sentence."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from recommend.metrics.jackknife import FEW, Estimate
from recommend.phenomena.log import Absent, Log, Missing


@dataclass(frozen=True)
class Phenomenon:
    """One of the nine.

    Attributes:
        name: file in this folder.
        method: whose food it is.
        says: the number in words, with ``{value}``.
        edge: from where on the method can pay.
        off: the number where the phenomenon is absent.
        source: of the edge.
    """

    name: str
    method: str
    says: str
    edge: float
    off: float
    source: str


OURS = "our choice; no published figure"
FITTED = "our choice, on worlds 7400 to 7412 of benchmarks/recommend/stranger.py; no published figure"
NINE = (
    Phenomenon("msnet", "MSNet", "a clicked limited thing is rarer than another clicked one in {value:.0%} of pairs",
               0.75, 0.5, OURS),
    Phenomenon("mkt", "MKT", "a category clicked as the other entity is {value:+.0%} likelier to be clicked",
               0.1, 0.0, OURS),
    Phenomenon("keep", "KEEP", "a category clicked in other channels is {value:+.0%} likelier to be clicked",
               0.3, 0.0, FITTED),
    Phenomenon("clid", "CLID", "privileged signals order a page with a GAUC of {value:.3f}", 0.52, 0.5,
               "the teacher's lead of .02 GAUC that the paper's method needs something of"),
    Phenomenon("one_epoch", "One epoch", "{value:.0%} of the rows show an item of fewer than 10 rows",
               0.15, 0.0, FITTED),
    Phenomenon("ecad", "ECAD", "{value:.1%} of the orders came back", 0.05, 0.0, OURS),
    Phenomenon("hdr", "HDR", "a promotion's uplift differs between categories by a factor of exp({value:.2f})",
               0.2, 0.0, OURS),
    Phenomenon("copr", "COPR", "what suits whom differs by {value:.2f} log-odds between ranker and pre-ranker",
               0.19, 0.0, FITTED.replace("7412", "7419")),
    Phenomenon("rec4ad", "Rec4Ad", "selection changes things' click rates by factors that differ by exp({value:.2f})",
               0.1, 0.0, FITTED),
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """A phenomenon in a log; without an estimate ``missing`` says why, and ``lacks`` whether that is the phenomenon."""

    phenomenon: Phenomenon
    estimate: Estimate | None = None
    missing: str = ""
    lacks: bool = False

    @property
    def verdict(self) -> str:
        """``can pay``, ``absent`` (the whole interval on one side of the edge), ``open`` or ``cannot be told``."""
        p, e = self.phenomenon, self.estimate
        if e is None:
            return "cannot be told"
        return "can pay" if e.low >= p.edge else "absent" if e.high < p.edge else "open"

    @property
    def rough(self) -> bool:
        """True where the interval rests on few groups."""
        return self.estimate is not None and self.estimate.groups < FEW

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
        few = f" (of {e.groups} groups only, so that the interval is rough)" if self.rough else ""
        return f"{p.says.format(value=e.value)}: {ends[self.verdict]}{few}."


def findings(root: Path) -> Iterator[Finding]:
    """Measure all nine."""
    log = Log(root)
    for phenomenon in NINE:
        module = importlib.import_module(f"recommend.phenomena.{phenomenon.name}")
        try:
            yield Finding(phenomenon, module.measure(log))
        except Missing as error:
            yield Finding(phenomenon, missing=str(error), lacks=isinstance(error, Absent))


def as_json(finding: Finding) -> dict[str, Any]:
    """All of a finding."""
    estimate = asdict(finding.estimate) if finding.estimate is not None else None
    summary = {"verdict": finding.verdict, "sentence": finding.sentence(), "rough": finding.rough}
    summary |= {"missing": finding.missing, "lacks": finding.lacks}
    return {**asdict(finding.phenomenon), "estimate": estimate, **summary}


def row(finding: Finding) -> str:
    """A line of the table."""
    p, e = finding.phenomenon, finding.estimate
    number = f"{e.value:8.3f} [{e.low:.3f}, {e.high:.3f}]" if e is not None else "       -"
    edge = f">= {p.edge:g}"
    return f"{p.method:<10} {number:<28} {edge:<8} {finding.verdict:<14} {finding.sentence()}"
