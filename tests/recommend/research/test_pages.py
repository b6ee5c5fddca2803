"""The pages of docs/papers: what results make of them, and that the ones in the repository are as made."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.cli import recommend as command
from app.cli.main import main
from recommend.phenomena.studies import VERDICTS, displayed, read_conclusion
from recommend.phenomena.table import NINE
from recommend.research.doses import points
from recommend.research.studies import overview
from recommend.research.studies.engine import write
from recommend.research.studies.page import BEGIN, END, page
from recommend.research.studies.study import BASE, STUDIES, find_study
from recommend.research.studies.verdict import conclude

PAPERS = Path(__file__).resolve().parents[3] / "docs" / "papers"
IMAGES = PAPERS.parent / "images" / "papers"
METHODS = ("MSNet", "ECAD", "CLID", "COPR", "Rec4Ad", "One epoch", "HDR", "KEEP", "MKT")
STALE = "'./ipl recommend report --all' writes the pages anew"


def words(picture: str) -> list[str]:
    """Of an SVG by matplotlib: its texts, each of which is a comment."""
    return re.findall(r"<!-- (.*?) -->", picture, re.DOTALL)


@pytest.mark.parametrize("name", STUDIES)
def test_each_page_says_what_its_results_say(name: str) -> None:
    file, results = PAPERS / f"{name}.md", overview.stored(name)
    text = file.read_text(encoding="utf-8")
    assert BEGIN in text
    picture = f"../images/papers/{name}.svg" if results is not None else ""
    assert text == page(find_study(name), results, picture, text, overview.earlier(name)), STALE
    by_hand = text.partition(END)[2]
    assert [arm for arm in find_study(name).trained if f"`{arm}`" not in by_hand] == []
    if results is not None:
        title = f"{results['title']}: {results['conclusion']['verdict']}"
        assert title in words((IMAGES / f"{name}.svg").read_text(encoding="utf-8")), STALE
        assert read_conclusion(VERDICTS / f"{name}.json") == displayed(results["conclusion"])


def test_the_overview_says_what_all_results_say() -> None:
    file, studies = PAPERS / "README.md", {name: overview.stored(name) for name in STUDIES}
    assert file.read_text(encoding="utf-8") == overview.overview(studies, file), STALE
    verdicts = ["not run" if r is None else r["conclusion"]["verdict"] for r in studies.values()]
    words_of = words((IMAGES / overview.PICTURE).read_text(encoding="utf-8"))
    assert [words_of[words_of.index(method) + 1] for method in METHODS] == verdicts, STALE


def planted_results(name: str, file: Path, gain: Callable[[float], float], noise: float = 0.0005) -> None:
    """Write results of a known gain, by how strong the phenomenon is: from 0 (off) to 1 (strongest dose)."""
    study, p = find_study(name), next(p for p in NINE if p.name == name)
    measures = {c.measure for c in (study.primary, *study.secondary, study.control)}
    rng = np.random.default_rng(0)
    done: dict[str, Any] = {}
    phenomena: dict[str, Any] = {}
    for place, dose in enumerate(points(name)):
        strength = place / (len(points(name)) - 1)
        for seed in range(9_000, 9_006):
            phenomena[f"{dose:g} {seed}"] = {"value": p.off + 2 * strength * (p.edge - p.off), "headroom": 1e3 * noise}
            for arm in study.arms:
                value = noise * rng.normal() + gain(strength) * (arm == study.primary.arm)
                sign = -1 if study.primary.lower else 1
                done[f"{dose:g} {seed} {arm}"] = {**dict.fromkeys(measures, 0.7 + sign * value), "share": 0.8}
    results = {
        "study": name, "title": study.title, "claim": study.claim, "paper": study.paper, "sizes": study.sized(),
        "world_version": "2.0.0", "knob": study.knob.name, "machine": "a machine", "base": BASE,
        "phenomenon": phenomena, "done": done,
        "cpu_s": {key: 3.0 if key.endswith(f" {study.primary.arm}") else 2.0 for key in done},
    }  # fmt: skip
    results = json.loads(json.dumps(results))
    write(file, {**results, "conclusion": conclude(study, results)})


@pytest.fixture
def papers(tmp_path: Path, monkeypatch) -> Path:
    """A repository's docs/papers, with results of two studies."""
    for folder in ("docs/papers", "docs/images/papers", "results/earlier"):
        (tmp_path / folder).mkdir(parents=True)
    planted_results("msnet", tmp_path / "results" / "msnet.json", lambda strength: 0.01 * strength)
    planted_results("msnet", tmp_path / "results" / "earlier" / "msnet.json", lambda _: 0.0)
    planted_results("msnet", tmp_path / "results" / "earlier" / "msnet.again.json", lambda strength: 0.01 * strength)
    planted_results("copr", tmp_path / "results" / "copr.json", lambda _: 0.0)
    monkeypatch.setattr(overview, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(command, "repository", lambda: tmp_path)
    (tmp_path / "docs/papers/README.md").write_text(f"# Nine\n\n{BEGIN}\n{END}\n\nBy hand.\n")
    return tmp_path / "docs/papers"


def test_all_pages_are_written_around_what_is_by_hand(papers: Path) -> None:
    (papers / "msnet.md").write_text(f"# Mine\n\n{BEGIN}\nstale\n{END}\n\n## By hand\n")
    for _ in range(2):  # the second time finds what the first one wrote
        assert main(["recommend", "report", "--all"]) == 0
        text = (papers / "msnet.md").read_text()
        assert text.startswith(f"# Mine\n\n{BEGIN}\n**Claim.**")
        assert text.endswith(f"{END}\n\n## By hand\n")
        assert "stale" not in text
    assert "**Gains: yes.** +0.0" in text
    assert "**Specific: yes.** Off: " in text
    assert "margin 0.002.\nBoth stand on the default setting, matches and counts; World 2.0.0 of 400,000 imp" in text
    assert "### With the settings of before" in text
    assert re.search(r"seeds \d+ to \d+\. [+-]0\.0.*: \*\*no gain shown\*\*\.", text)
    assert re.search(r"On other seeds \(\d+ to \d+\): \+0\.0.*, \*\*gains, specific\*\*\.", text)
    assert "`whole` takes 1.50 times the CPU of `din`" in text
    assert "![gain over the phenomenon](../images/papers/msnet.svg)" in text
    assert "Not run yet" in (papers / "keep.md").read_text()
    rows = [line.split(" | ") for line in (papers / "README.md").read_text().splitlines() if line.startswith("| [")]
    assert [row[0] for row in rows] == [f"| [{m}]({n}.md)" for n, m in zip(STUDIES, METHODS, strict=True)]
    msnet, copr = rows[0], rows[3]
    assert msnet[1].endswith("in *X* of pairs; can pay from *X* = 0.75")
    figure = r"\+0\.0\d+ \[\+0\.0\d+, \+0\.0\d+\] expected AUC among limited things at `stock_tells` = 1"
    assert re.fullmatch(rf"\*\*yes\*\*: {figure}", msnet[2])
    assert msnet[3].startswith("**yes**: Off: ")
    assert (msnet[4], copr[5]) == ("1.50", " |")
    assert msnet[5].endswith("expected AUC among limited things, no gain shown |")
    assert copr[2].startswith("**not shown**: ")
    pictures = papers.parent / "images" / "papers"
    assert {file.name for file in pictures.iterdir()} == {"msnet.svg", "copr.svg", overview.PICTURE}
    words_of = words((pictures / overview.PICTURE).read_text())
    assert [words_of[words_of.index(method) + 1] for method in ("MSNet", "KEEP")] == ["gains, specific", "not run"]


def test_a_page_elsewhere_has_its_curve_beside_it(papers, tmp_path, capsys) -> None:
    there = tmp_path / "mine.md"
    there.write_text("something else")
    assert main(["recommend", "report", "copr", "--page", str(there)]) == 0
    assert "(mine.svg)" in there.read_text()
    assert "something else" not in there.read_text()
    assert (tmp_path / "mine.svg").is_file()
    for wrong in (["mkt", "--page", str(there), "--results", str(tmp_path / "no.json")], [], ["mkt", "--all"]):
        assert main(["recommend", "report", *wrong]) == 2
        assert capsys.readouterr().err.count("\n") == 1
