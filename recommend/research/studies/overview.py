"""All studies on one page, and the pages' files: docs/papers, as far as results make them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from recommend.config import ConfigError
from recommend.phenomena.table import NINE, Phenomenon
from recommend.research.studies.engine import RESULTS, read_results
from recommend.research.studies.page import Before, Results, between, cost, gain_of, gains, page, specific, specificity
from recommend.research.studies.plot import plot, plot_all
from recommend.research.studies.study import STUDIES, Study, find_study
from recommend.research.studies.verdict import words

PICTURE = "overview.svg"
EARLIER = "earlier"  # folder of the results of the settings of before
HEADERS = ("paper", "what it feeds on, as `phenomena --data LOG` says it of your log", "gains at the regime [95 %]",
           "specific", "CPU", "with the settings of before")  # fmt: skip


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
        plot(results, curve, earlier(study.name)[0])
    picture = _from(file, curve) if results is not None else ""
    file.write_text(page(study, results, picture, old, earlier(study.name)), encoding="utf-8")


def earlier(name: str) -> Before:
    """Results of a study with the settings of before, and of the same on other seeds."""
    return stored(f"{EARLIER}/{name}"), stored(f"{EARLIER}/{name}.again")


def write_all(folder: Path) -> None:
    """The nine pages and README.md of a folder that has them."""
    studies = {name: stored(name) for name in STUDIES}
    for name, results in studies.items():
        write_page(find_study(name), results, folder / f"{name}.md")
    file = folder / "README.md"
    methods = {p.name: p.method for p in NINE}
    before = {methods[name]: earlier(name)[0] for name in STUDIES}
    plot_all({methods[name]: results for name, results in studies.items()}, _pictures(file) / PICTURE, before)
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
    if results is None:
        return paper, feeds, "not run", "", "", _before(study, earlier(study.name)[0])
    c, ratio, before = results["conclusion"], cost(study, results["conclusion"]["cpu_s"]), earlier(study.name)[0]
    tried = " (exploratory)" if c["exploratory"] else ""
    gain = f"**{gains(c)}**{tried}: {gain_of(c, study.regime)} at `{study.knob.name}` = {study.regime:g}"
    own = f"**{specificity(c)}**: {specific(c)}"
    return paper, feeds, gain, own, f"{ratio:.2f}" if ratio else "", _before(study, before)


def _before(study: Study, results: Results | None) -> str:
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
