"""All studies on one page, and the pages' files: docs/papers, as far as results make them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from recommend.config import ConfigError
from recommend.phenomena.table import NINE, Phenomenon
from recommend.research.studies.engine import RESULTS, read_results
from recommend.research.studies.page import Results, between, cost, gain_of, gains, page, specific, specificity
from recommend.research.studies.plot import plot, plot_all
from recommend.research.studies.study import STUDIES, Study, find_study
from recommend.research.studies.verdict import words

PICTURE = "overview.svg"
WEAK = "weak"  # folder of the results on a weak base: tables of 8 numbers, neither matches nor counts
HEADERS = ("paper", "what it feeds on, as `phenomena --data LOG` says it of your log", "gains at the regime [95 %]",
           "specific", "CPU", "on other worlds", "on a weak base")  # fmt: skip


def stored(name: str, file: Path | None = None) -> Results | None:
    """A study's results, of the code's own file unless another is given; None: it has not run so far."""
    try:
        results = read_results(file or RESULTS / f"{name}.json")
    except ConfigError:
        if file is not None:
            raise
        return None
    return results if results["conclusion"]["curve"] else None


def write_page(study: Study, results: Results | None, file: Path) -> None:
    """A paper's page with its curve, in ``docs/images/papers`` for a page of ``docs/papers``, else beside it."""
    curve = _pictures(file) / f"{file.stem}.svg"
    old = file.read_text(encoding="utf-8") if file.exists() else ""
    if results is not None:
        plot(results, curve, stored(f"{WEAK}/{study.name}"))
    picture = _from(file, curve) if results is not None else ""
    file.write_text(page(study, results, picture, old, _further(study)), encoding="utf-8")


def _further(study: Study) -> tuple[Results | None, Results | None]:
    """Results of a study on other seeds, and on a weak base."""
    return stored(f"{study.name}.again"), stored(f"{WEAK}/{study.name}")


def write_all(folder: Path) -> None:
    """The nine pages and README.md of a folder that has them."""
    studies = {name: stored(name) for name in STUDIES}
    for name, results in studies.items():
        write_page(find_study(name), results, folder / f"{name}.md")
    file = folder / "README.md"
    methods = {p.name: p.method for p in NINE}
    weak = {methods[name]: stored(f"{WEAK}/{name}") for name in STUDIES}
    plot_all({methods[name]: results for name, results in studies.items()}, _pictures(file) / PICTURE, weak)
    file.write_text(overview(studies, file), encoding="utf-8")


def overview(studies: Mapping[str, Results | None], file: Path) -> str:
    """README.md with picture and table anew: a row a study, by which a reader finds what pays on a log of their own."""
    picture = _from(file, _pictures(file) / PICTURE)
    phenomena = {p.name: p for p in NINE}
    rows = [_row(find_study(name), phenomena[name], results) for name, results in studies.items()]
    lines = [f"![gain over the measured phenomenon, a panel a method]({picture})", "",
             *(f"| {' | '.join(cells)} |" for cells in (HEADERS, ["---"] * len(HEADERS), *rows))]  # fmt: skip
    return between(file.read_text(encoding="utf-8"), lines)


def _row(study: Study, p: Phenomenon, results: Results | None) -> tuple[str, ...]:
    paper = f"[{p.method}]({study.name}.md)"
    sentence = re.sub(r"\{value[^}]*\}", "*X*", p.says)
    feeds = f"{sentence}; can pay {'from' if p.above else 'up to'} *X* = {p.edge:g}"
    further = tuple(_in_brief(study, r) for r in _further(study))
    if results is None:
        return paper, feeds, "not run", "", "", *further
    c, ratio = results["conclusion"], cost(study, results["conclusion"]["cpu_s"])
    tried = " (exploratory)" if c["exploratory"] else ""
    gain = f"**{gains(c)}**{tried}: {gain_of(c, study.regime)} at `{study.knob.name}` = {study.regime:g}"
    own = f"**{specificity(c)}**: {specific(c)}"
    return paper, feeds, gain, own, f"{ratio:.2f}" if ratio else "", *further


def _in_brief(study: Study, results: Results | None) -> str:
    if results is None:
        return ""
    c = results["conclusion"]
    begins = c["crossing"]
    above = "" if begins is None or not c["curve"] else f"; above 0 from *X* = {begins:.3g}"
    return f"{gain_of(c, study.regime)}, {words(c)['verdict']}{above}"


def _pictures(file: Path) -> Path:
    folder = file.resolve().parent
    images = folder.parent / "images" / folder.name
    return images if images.is_dir() else folder


def _from(file: Path, picture: Path) -> str:
    return Path(os.path.relpath(picture, file.resolve().parent)).as_posix()
