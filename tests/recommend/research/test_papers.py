"""The nine studies: each declaration and all of its arms in a tiny world; KEEP's days.

The pages of docs/papers are as their results make them.
"""

from __future__ import annotations

import math
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from app.cli import recommend as command
from app.cli.main import main
from recommend.phenomena.studies import VERDICTS, displayed, read_conclusion
from recommend.research.doses import points, simulate
from recommend.research.studies import overview
from recommend.research.studies.page import BEGIN, END
from recommend.research.studies.papers import keep
from recommend.research.studies.study import STUDIES, Setting, find_study
from recommend.research.world import write_world

pytestmark = pytest.mark.slow

SMALL = ("mlp=[8,4]", "embedding=4", "attention=[4]")
TINY = {
    "impressions": {"impressions": 6_000, "days": 5},
    "candidates": {"impressions": 6_000, "days": 5, "requests": 12, "candidates": 60},
    "ecad": {"clicks": 3_000, "click_days": 16},
    "hdr": {"clicks": 3_000, "click_days": 62, "promotion_every": 20, "promotion_first": 16, "promotion_days": 2},
}


@pytest.mark.parametrize("name", STUDIES)
def test_every_arm_runs_in_a_world(name: str, tmp_path: Path) -> None:
    study = find_study(name)
    claims = (study.primary, *study.secondary, study.control)
    assert {arm for claim in claims for arm in (claim.arm, claim.baseline)} <= set(study.arms)
    assert {study.base, *study.trained} <= set(study.arms)
    assert study.regime in points(name)
    sizes = TINY.get(name, TINY.get(study.knob.view))
    setting = Setting(study.regime, 3, SMALL)
    simulate(tmp_path / "w", study.knob.view, setting.seed, {**sizes, study.knob.name: setting.dose})
    prepared = study.prepare(tmp_path / "w", setting)
    measures_of = {arm: study.run(arm, prepared, setting) for arm in study.arms}
    for claim in claims:
        assert math.isfinite(claim.gain(measures_of)), claim
    best = "truth" if "truth" in measures_of else "oracle"
    assert measures_of[best]["share"] == pytest.approx(1, abs=0.01)
    again, arm = study.prepare(tmp_path / "w", setting), study.primary.arm
    assert study.run(arm, again, setting) == measures_of[arm]  # whatever ran before


def test_keep_knows_at_midnight_only_earlier_days(tmp_path: Path) -> None:
    setting = Setting(0.6, 3, SMALL)
    write_world(tmp_path / "w", seed=3, knobs={"impressions": 12_000, "days": 14})
    domains = keep.prepare(tmp_path / "w", setting)
    click, day = domains.keyed.train["click"].bool(), torch.from_numpy(domains.keyed.learned["day"])
    other = {**domains.keyed.train, "click": torch.where(day >= 9, ~click, click)}
    changed = replace(domains, keyed=replace(domains.keyed, train=other))
    (first, test), (second, test_too) = (d.knowledge("keep", setting) for d in (domains, changed))
    of = domains.ads.learned["day"]
    for name, before in first.items():
        assert not before[of < keep.WEEK].any()
        assert before[of >= keep.WEEK].any()
        assert torch.equal(before[of <= 9], second[name][of <= 9])
        assert not torch.equal(before[of > 9], second[name][of > 9])
        assert not torch.equal(test[name], test_too[name])


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
    home = find_study(name).at_home()
    for base in ("plain", "full"):
        there = overview.stored(f"{overview.HOME}/{name}.{base}")
        if (name, base) != ("copr", "full"):  # it reads neither matches nor counts
            assert (there["sizes"], there["conclusion"]["regime"]) == (home.sized(), home.regime), STALE
            assert len(there["conclusion"]["seeds"]) >= 12
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
