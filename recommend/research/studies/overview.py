"""All studies on one page, and the pages' files: docs/papers, as far as results make them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from recommend.config import ConfigError
from recommend.phenomena.studies import interval, pays_from
from recommend.phenomena.table import NINE, Phenomenon
from recommend.research.studies.engine import RESULTS, read_results
from recommend.research.studies.page import Results, between, cost, page
from recommend.research.studies.plot import plot, plot_all
from recommend.research.studies.study import STUDIES, Study, find_study

PICTURE = "overview.svg"
HEADERS = ("paper", "what it feeds on, as `phenomena --data LOG` says it of your log", "verdict", "pays from",
           "gain at the regime [95 %]", "CPU")  # fmt: skip


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
        plot(results, curve)
    again = stored(f"{study.name}.again") if results is not None else None
    file.write_text(page(study, results, _from(file, curve), old, again), encoding="utf-8")


def write_all(folder: Path) -> None:
    """The nine pages and README.md of a folder that has them."""
    studies = {name: stored(name) for name in STUDIES}
    for name, results in studies.items():
        write_page(find_study(name), results, folder / f"{name}.md")
    file = folder / "README.md"
    methods = {p.name: p.method for p in NINE}
    plot_all({methods[name]: results for name, results in studies.items()}, _pictures(file) / PICTURE)
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
        return paper, feeds, "not run", "", "", ""
    c = results["conclusion"]
    here = next((point for point in c["curve"] if point["dose"] == study.regime), None)
    gain = f"{interval(here)} {c['unit']}" if here is not None else ""
    begins, ratio = pays_from(c), cost(study, c["cpu_s"])
    above = "nowhere shown" if begins is None else f"*X* = {begins:.3g}"
    word = f"**{c['verdict']}**{' (exploratory)' if c['exploratory'] else ''}"
    verdict = f"{word} at `{study.knob.name}` = {study.regime:g}"
    return paper, feeds, verdict, above, gain, f"{ratio:.2f}" if ratio else ""


def _pictures(file: Path) -> Path:
    folder = file.resolve().parent
    images = folder.parent / "images" / folder.name
    return images if images.is_dir() else folder


def _from(file: Path, picture: Path) -> str:
    return Path(os.path.relpath(picture, file.resolve().parent)).as_posix()
