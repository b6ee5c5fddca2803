"""The pages of docs/papers: what results make of them, and that the ones in the repository are as made."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.cli import recommend as command
from app.cli.main import main
from recommend.phenomena.studies import VERDICTS, displayed, read_conclusion
from recommend.research.studies import overview
from recommend.research.studies.page import BEGIN, END, page
from recommend.research.studies.study import STUDIES, find_study
from tests.recommend.research.studies.planted import planted_results

PAPERS = Path(__file__).resolve().parents[4] / "docs" / "papers"
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
    if results is not None:
        title = f"{results['title']}: {results['conclusion']['verdict']}"
        assert title in words((IMAGES / f"{name}.svg").read_text(encoding="utf-8")), STALE


@pytest.mark.parametrize("name", STUDIES)
def test_what_stands_by_hand_explains_every_arm(name: str) -> None:
    by_hand = (PAPERS / f"{name}.md").read_text(encoding="utf-8").partition(END)[2]
    assert [arm for arm in find_study(name).trained if f"`{arm}`" not in by_hand] == []


def test_the_overview_says_what_all_results_say() -> None:
    file, studies = PAPERS / "README.md", {name: overview.stored(name) for name in STUDIES}
    assert file.read_text(encoding="utf-8") == overview.overview(studies, file), STALE
    verdicts = ["not run" if r is None else r["conclusion"]["verdict"] for r in studies.values()]
    words_of = words((IMAGES / overview.PICTURE).read_text(encoding="utf-8"))
    assert [words_of[words_of.index(method) + 1] for method in METHODS] == verdicts, STALE


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


def test_all_pages_and_pictures_are_written_and_what_is_by_hand_stays(papers: Path) -> None:
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


def test_a_page_elsewhere_has_its_curve_beside_it(papers, tmp_path, capsys, monkeypatch) -> None:
    there = tmp_path / "mine.md"
    there.write_text("something else")
    assert main(["recommend", "report", "copr", "--page", str(there)]) == 0
    assert "(mine.svg)" in there.read_text()
    assert "something else" not in there.read_text()
    assert (tmp_path / "mine.svg").is_file()
    assert main(["recommend", "report", "mkt", "--page", str(there)]) == 0
    assert "`./ipl recommend study mkt` does it" in there.read_text()
    for wrong in (["mkt", "--page", str(there), "--results", str(tmp_path / "no.json")], [], ["mkt", "--all"]):
        assert main(["recommend", "report", *wrong]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    monkeypatch.setattr(command, "repository", lambda: None)
    assert main(["recommend", "report", "--all"]) == 2


@pytest.mark.parametrize("name", STUDIES)
def test_the_products_verdicts_are_those_of_the_results(name: str) -> None:
    results = overview.stored(name)
    if results is None:
        pytest.skip("the study has not run")
    assert read_conclusion(VERDICTS / f"{name}.json") == displayed(results["conclusion"])
