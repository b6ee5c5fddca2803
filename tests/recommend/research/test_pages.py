"""The pages of docs/papers: the ones in the repository are as their results make them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from app.cli import recommend as command
from app.cli.main import main
from recommend.phenomena.studies import VERDICTS, displayed, read_conclusion
from recommend.research.studies import overview
from recommend.research.studies.page import BEGIN, END
from recommend.research.studies.study import STUDIES, find_study

DOCS = Path(__file__).resolve().parents[3] / "docs"
STALE = "'./ipl recommend report --all' writes the pages anew"


def words(picture: Path) -> list[str]:
    """Of an SVG by matplotlib: its texts, each of which is a comment."""
    return re.findall(r"<!-- (.*?) -->", picture.read_text(encoding="utf-8"), re.DOTALL)


def test_all_pages_and_pictures_are_as_made(tmp_path: Path, monkeypatch) -> None:
    """From pages whose made parts are stale; what is written by hand stays."""
    there = tmp_path / "docs"
    shutil.copytree(DOCS / "papers", there / "papers")
    (there / "images" / "papers").mkdir(parents=True)
    made = [*(f"{name}.md" for name in STUDIES), "README.md"]
    for name in made:
        text = (there / "papers" / name).read_text(encoding="utf-8")
        stale = re.sub(f"{BEGIN}.*{END}", f"{BEGIN}\nstale\n{END}", text, flags=re.DOTALL)
        assert stale != text
        (there / "papers" / name).write_text(stale, encoding="utf-8")
    monkeypatch.setattr(command, "repository", lambda: tmp_path)
    assert main(["recommend", "report", "--all"]) == 0
    for name in made:
        assert (there / "papers" / name).read_text(encoding="utf-8") == (DOCS / "papers" / name).read_text("utf-8"), (
            STALE
        )
    pictures = {file.name: words(file) for file in (there / "images" / "papers").iterdir()}
    assert pictures == {name: words(DOCS / "images" / "papers" / name) for name in pictures}, STALE
    assert overview.PICTURE in pictures


@pytest.mark.parametrize("name", STUDIES)
def test_results_have_their_words_and_arms_theirs(name: str) -> None:
    results = overview.stored(name)
    assert results is not None
    title = f"{results['title']}: {results['conclusion']['verdict']}"
    assert title in words(DOCS / "images" / "papers" / f"{name}.svg")
    assert read_conclusion(VERDICTS / f"{name}.json") == displayed(results["conclusion"])
    by_hand = (DOCS / "papers" / f"{name}.md").read_text(encoding="utf-8").partition(END)[2]
    assert [arm for arm in find_study(name).trained if f"`{arm}`" not in by_hand] == []


def test_a_page_elsewhere_has_its_curve_beside_it(tmp_path, capsys, monkeypatch) -> None:
    there = tmp_path / "mine.md"
    there.write_text("something else")
    assert main(["recommend", "report", "copr", "--page", str(there)]) == 0
    assert "(mine.svg)" in there.read_text()
    assert "something else" not in there.read_text()
    assert (tmp_path / "mine.svg").is_file()
    for wrong in (["mkt", "--page", str(there), "--results", str(tmp_path / "no.json")], [], ["mkt", "--all"]):
        assert main(["recommend", "report", *wrong]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    monkeypatch.setattr(overview, "RESULTS", tmp_path)
    assert main(["recommend", "report", "mkt", "--page", str(there)]) == 0
    assert "`./ipl recommend study mkt` does it" in there.read_text()
