"""What the studies say of each method, in an operator's words beside the results' own."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import yaml
from markupsafe import Markup

from app.ops import charts
from app.ops.table import Cell, Table
from recommend.phenomena.studies import VERDICTS, Conclusion, interval, pays_from, read_conclusion

WORDS = Path(__file__).with_name("studies.yaml")
NONE = "no study has judged it yet"
HEADERS = ("method", "what it does", "where it can pay", "verdict", "gain", "where the gain begins", "study")


def studies() -> Table:
    """A row a method: what it is for, what it feeds on, and the verdict of its study; those with one come first."""
    words = yaml.safe_load(WORDS.read_text(encoding="utf-8"))
    rows = [_row(name, said, read_conclusion(VERDICTS / f"{name}.json")) for name, said in words.items()]
    note = ("In the simulated marketplace, by dose of what the method feeds on, judged by the truth. "
            "'./ipl recommend study NAME' makes a study, './ipl recommend report NAME' prints it.")  # fmt: skip
    return Table(HEADERS, tuple(sorted(rows, key=lambda row: row[3] == NONE)), note)


def curves() -> dict[str, Markup]:
    """The curve of each study that is done, by its name."""
    files = {name: VERDICTS / f"{name}.json" for name in yaml.safe_load(WORDS.read_text(encoding="utf-8"))}
    found = {name: _curve(file, file.stat().st_mtime_ns) for name, file in files.items() if file.is_file()}
    return {name: picture for name, picture in found.items() if picture}


@lru_cache(maxsize=64)
def _curve(file: Path, changed: int) -> Markup:
    """Drawn once until the file is ``changed``."""
    found = read_conclusion(file)
    return charts.picture(charts.study_curve(found)) if found else Markup("")


def _row(name: str, said: dict[str, str], c: Conclusion) -> tuple[Cell, ...]:
    if not c:
        return (said["name"], said["does"], said["pays"], NONE, "", "", name)
    point = next((p for p in c["curve"] if p["dose"] == c["regime"]), None)
    gain = f"{interval(point)} {c['unit']}" if point is not None else ""
    begins = pays_from(c)
    verdict = f"{c['verdict']}: {c['why']}" + (" (exploratory)" if c["exploratory"] else "")
    return (said["name"], said["does"], said["pays"], verdict, gain, "" if begins is None else f"{begins:.3g}", name)
