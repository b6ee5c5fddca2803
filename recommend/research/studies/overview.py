"""All studies on one page, and the pages' files: docs/papers, as far as results make them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from recommend.config import ConfigError
from recommend.phenomena.studies import interval
from recommend.phenomena.table import NINE, Phenomenon
from recommend.research.studies.engine import RESULTS, read_results
from recommend.research.studies.page import Results, at_regime, between, page, verdict
from recommend.research.studies.plot import plot, plot_all
from recommend.research.studies.study import STUDIES, Study, find_study

PICTURE = "overview.svg"
HOME = "home"  # folder of the results in the worlds that the papers describe
HEADERS = ("paper", "what it feeds on, as `phenomena --data LOG` says it", "can pay", "gain in", "gain [95 %]",
           "other worlds", "paper's world, its base", "paper's world, default base")  # fmt: skip


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
    picture = _from(file, curve) if results is not None else ""
    file.write_text(page(study, results, picture, old, _further(study)), encoding="utf-8")


def _further(study: Study) -> list[Results | None]:
    """Results of a study on other seeds, and in the paper's world without and with matches and counts."""
    return [stored(f"{study.name}.again"), *(stored(f"{HOME}/{study.name}.{base}") for base in ("plain", "full"))]


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
    rows = [HEADERS, *(_row(find_study(name), phenomena[name], results) for name, results in studies.items())]
    header, *table = [f"| {' | '.join(cells)} |" for cells in rows]
    lines = [f"![gain over the measured phenomenon, a panel a method]({picture})", "", header,
             "|---" * len(HEADERS) + "|", *table]  # fmt: skip
    return between(file.read_text(encoding="utf-8"), lines)


def _row(study: Study, p: Phenomenon, results: Results | None) -> tuple[str, ...]:
    sentence = re.sub(r"\{value[^}]*\}", "*X*", p.says)
    gains = (_in_brief(r) for r in (results, *_further(study)))
    edge = f"from {p.edge:g}"
    return f"[{p.method}]({study.name}.md)", sentence, edge, study.unit, *gains


def _in_brief(results: Results | None) -> str:
    """The gain at the regime, a verdict other than that none is shown, and from where on the band lies above 0."""
    if results is None or (here := at_regime(c := results["conclusion"])) is None:
        return ""
    shown = "" if (word := verdict(c)) == "no gain shown" else f" **{word}**"
    above = "" if c["crossing"] is None or len(c["curve"]) == 1 else f"; from *X* = {c['crossing']:.3g}"
    return f"{interval(here)}{shown}{above}"


def _pictures(file: Path) -> Path:
    folder = file.resolve().parent
    images = folder.parent / "images" / folder.name
    return images if images.is_dir() else folder


def _from(file: Path, picture: Path) -> str:
    return Path(os.path.relpath(picture, file.resolve().parent)).as_posix()
