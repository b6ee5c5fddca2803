"""Studies: the statistics by hand, planted effects and leaks, runs that go on, what their commands say."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.cli.main import main
from recommend.config import ConfigError
from recommend.research.doses import points
from recommend.research.studies import engine
from recommend.research.studies.engine import read_results, run_study
from recommend.research.studies.statistics import (
    crossing,
    detectable,
    holm,
    p_value,
    slope,
    t_interval,
    tost,
    worlds_needed,
)
from recommend.research.studies.study import Claim, Setting, Study, find_study
from recommend.research.world import KNOBS

SEEDS = range(9_000, 9_006)
Effect = Callable[[str, float], float]


def test_the_statistics_are_those_of_the_textbook() -> None:
    # 1, 2, 3: mean 2, sd 1, standard error 1/sqrt(3), t(.975, 2) = 4.302653.
    assert t_interval([1, 2, 3]) == pytest.approx((2, 2 - 4.302653 / math.sqrt(3), 2 + 4.302653 / math.sqrt(3)))
    assert t_interval([1]) == (1, -math.inf, math.inf)
    # t = 2 sqrt(3) = 3.4641 with 2 degrees of freedom: p = 1 - t / sqrt(t^2 + 2) = .0742 two-sided.
    assert p_value([1, 2, 3]) == pytest.approx(1 - 3.4641016 / math.sqrt(14), abs=1e-6)
    assert p_value([2, 2, 2]) == 0
    assert p_value([1]) == 1
    # Within 4 of 0: the upper side is t = (2 - 4) sqrt(3), one-sided half of the above.
    assert tost([1, 2, 3], 4) == pytest.approx(p_value([1, 2, 3]) / 2, abs=1e-6)
    assert tost([1, 2, 3], 1) > 0.5
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    # t(.975, 8) = 2.306004, t(.8, 8) = .888890, over sqrt(9).
    assert detectable(3.0, 9) == pytest.approx(2.306004 + 0.888890, abs=1e-4)
    assert detectable(1.0, 1) == math.inf
    # sd 1, mean 0, margin .5: (t(.95, n - 1) + t(.8, n - 1)) / sqrt(n) is .5063 for 26 worlds and .4964 for 27.
    assert worlds_needed([-1, 0, 1], 0.5) == 27
    assert worlds_needed([-1, 0, 1], 0.5) == worlds_needed([4, 5, 6], 5.5, one_sided=True)
    assert worlds_needed([4, 5, 6], 4.9) is None
    assert worlds_needed([-9, -8, -7], 0.5, one_sided=True) == 2
    x = np.array([[0.0, 1, 2], [0, 2, 4]])
    assert slope(x, 3 * x + 1)[0] == pytest.approx(3)
    assert crossing([0, 1, 2, 3], [-1, -1, 1, 2]) == pytest.approx(1.5)
    assert crossing([0, 1, 2], [1, -1, -2]) is None
    assert crossing([0.5, 1], [1, 1]) == 0.5


def planted(effect: Effect, base: float = 0.8) -> Study:
    """A study of known truth: the method's lead is ``effect(arm, dose)``, beside small noise."""

    def run(name: str, prepared: None, setting: Setting) -> dict[str, float]:
        shared, noise = (np.random.default_rng([setting.seed, n]).normal() for n in (1, sum(map(ord, name))))
        return {"m": 0.7 + 0.1 * shared + 0.0005 * noise + effect(name, setting.dose), "share": base}

    return Study(
        name="ecad", title="Planted", paper="0000.00000", claim="It is so.", prepare=lambda *_: None, run=run,
        arms=("din", "method", "method_random", "oracle"), trained=("din", "method", "method_random"), base="din",
        primary=Claim("lead", "method", "din", "m"), secondary=(Claim("far lead", "oracle", "din", "m"),),
        control=Claim("nothing to feed on", "method_random", "din", "m"), margin=0.003, unit="m",
        sizes={"clicks": 1}, rows="clicks",
    )  # fmt: skip


@pytest.fixture(autouse=True)
def no_worlds(tmp_path: Path, monkeypatch) -> None:
    """The phenomenon is the dose, and the headroom is large; nothing is simulated."""
    dose = {}

    def simulate(folder: Path, view: str, seed: int, knobs: dict[str, float]) -> None:
        dose["now"] = knobs[KNOBS["ecad"].name]

    monkeypatch.setattr(engine, "simulate", simulate)
    monkeypatch.setattr(engine, "phenomenon", lambda *_: {"value": dose["now"], "headroom": 0.1})
    monkeypatch.setattr(engine, "RESULTS", tmp_path / "none")


def run(study: Study, out: Path, seeds: Sequence[int] = SEEDS, **more: object) -> dict:
    ticks = itertools.count()
    settings = {"say": lambda _: None, "clock": lambda: float(next(ticks)), **more}
    return run_study(study, seeds, out, **settings)  # type: ignore[arg-type]


def lead(arm: str, dose: float) -> float:
    return {"method": 0.04 * dose, "oracle": 0.1}.get(arm, 0.0)


def test_a_planted_effect_gains_and_is_specific(tmp_path: Path) -> None:
    c = run(planted(lead), tmp_path / "r.json")["conclusion"]
    assert (c["gains"], c["specific"], c["verdict"]) == (True, True, "gains, specific")
    assert [p["dose"] for p in c["curve"]] == points("ecad")
    assert c["off"]["p"] < 0.05
    assert c["control"]["p"] < 0.05
    assert c["needed"]["off"] <= len(SEEDS)
    assert c["slope"][0] == pytest.approx(0.04)
    assert 0 < c["crossing"] < 0.1
    assert c["secondary"][0]["holds"]
    assert c["ceiling"] == {"arm": "oracle", "beaten": []}
    assert not c["curve"][1]["open"]  # 2 % of refunds are below the range
    assert not c["exploratory"]
    assert run(planted(lead), tmp_path / "tried.json", range(200, 206))["conclusion"]["exploratory"]  # no judges


@pytest.mark.parametrize(
    ("effect", "verdict", "needed"),
    [
        (lambda arm, dose: 0.01 * (arm in ("method", "method_random") and dose > 0), "gains, not shown specific",
         {"control": None}),
        (lambda arm, _: 0.01 * (arm == "method"), "gains, not shown specific", {"off": None}),
        (lambda *_: 0.0, "no gain shown", {}),
        (lambda arm, dose: -0.01 * (arm == "method"), "loses", {"off": None}),
        (lambda arm, dose: 0.02 * (arm == "method" and dose > 0.3), "no gain shown", {}),
    ],
    ids=["a leak", "a gain without the phenomenon", "nothing", "a loss", "at strong doses alone"],
)  # fmt: skip
def test_another_effect_gets_another_verdict(tmp_path: Path, effect: Effect, verdict: str, needed: dict) -> None:
    c = run(planted(effect), tmp_path / "r.json")["conclusion"]
    assert c["verdict"] == verdict
    assert needed.items() <= c["needed"].items()  # None: more worlds would not show it


def test_in_the_papers_world_the_claim_alone_is_judged_and_each_base_has_its_file(tmp_path: Path) -> None:
    study = replace(planted(lead), home={"refund_rate": 0.5, "click_days": 60})
    plain, full = study.at_home(plain=True), study.at_home()
    assert plain.regime == 0.5
    results = run(plain, tmp_path / "r.json", doses=[0.5], deciding=True)
    assert results["sizes"] == {"clicks": 1, "click_days": 60}
    assert {key.split(" ")[2] for key in results["done"]} == {"din", "method", "oracle"}
    assert results["conclusion"]["verdict"] == "gains"  # nobody asked whether it is specific
    with pytest.raises(ConfigError, match="'base'"):
        run(full, tmp_path / "r.json", doses=[0.5], deciding=True)


def test_without_a_phenomenon_the_gate_is_closed(tmp_path: Path, monkeypatch) -> None:
    for number, why in (({"value": 0.01, "headroom": 0.1}, "not shown to be above"),
                        ({"value": 0.3, "headroom": 1e-4}, "headroom")):  # fmt: skip
        monkeypatch.setattr(engine, "phenomenon", lambda *_, number=number: number)
        c = run(planted(lead), tmp_path / f"{why[:4]}.json")["conclusion"]
        assert not any(p["open"] for p in c["curve"])
        assert why in c["curve"][-1]["closed"]


def test_a_killed_study_ends_with_the_same_bytes(tmp_path: Path) -> None:
    study, left = planted(lead), itertools.count()

    def constant() -> float:
        return 1.0

    def dies(text: str) -> None:
        if next(left) == 31:
            raise KeyboardInterrupt

    run(study, tmp_path / "whole.json", clock=constant)
    with pytest.raises(KeyboardInterrupt):
        run(study, tmp_path / "cut.json", clock=constant, say=dies)
    half = json.loads((tmp_path / "cut.json").read_text())
    assert len(half["done"]) == 32
    with pytest.raises(ConfigError, match="no results"):
        read_results(tmp_path / "cut.json")
    run(study, tmp_path / "cut.json", clock=constant)
    assert (tmp_path / "cut.json").read_bytes() == (tmp_path / "whole.json").read_bytes()
    one = run_study(study, SEEDS[:2], tmp_path / "more.json", [0.5], 0, lambda _: None, constant)
    assert len(one["done"]) == 2 * 3  # no control off the regime
    run(study, tmp_path / "more.json", clock=constant)
    assert (tmp_path / "more.json").read_bytes() == (tmp_path / "whole.json").read_bytes()


def test_other_settings_and_wrong_doses_are_refused(tmp_path: Path) -> None:
    run(planted(lead), tmp_path / "r.json", doses=[0.5])
    with pytest.raises(ConfigError, match="another 'sizes'"):
        run(planted(lead), tmp_path / "r.json", rows=7)
    with pytest.raises(ConfigError, match=r"no dose 0\.3; it has 0, 0\.02"):
        run(planted(lead), tmp_path / "r.json", doses=[0.3])
    with pytest.raises(ConfigError, match="did you mean 'msnet'"):
        find_study("msnett")


def test_the_commands_run_a_study_and_report_it(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr("recommend.research.studies.study.find_study", lambda name: planted(lead))
    out, where = str(tmp_path / "r.json"), tmp_path / "p.md"
    command = ["recommend", "study", "ecad", "--seeds", "9000-9003", "--out", out]
    assert main([*command, "--dose", "0.25"]) == 0
    assert json.loads(Path(out).read_text())["conclusion"]["seeds"] == [9_000, 9_001, 9_002, 9_003]
    assert main(command) == 0
    assert "gains, specific; written to" in capsys.readouterr().out
    again = [*command[:3], "--seeds", "9100-9103", "--deciding", "--out", str(tmp_path / "again.json")]
    assert main(again) == 0
    c = json.loads((tmp_path / "again.json").read_text())["conclusion"]
    assert (c["verdict"], [p["dose"] for p in c["curve"]]) == ("gains, specific", [0, 0.25])
    assert main(["recommend", "report", "ecad", "--results", out, "--page", str(where)]) == 0
    assert "![gain over the phenomenon](p.svg)" in where.read_text()
    assert "| **gains, specific** |" in where.read_text()
    dots = re.findall(r"<use .*fill: (#[0-9a-f]{6}); stroke: #1f5fa8", where.with_suffix(".svg").read_text())
    assert dots == ["#1f5fa8" if p["open"] else "#ffffff" for p in read_results(Path(out))["conclusion"]["curve"]]
    for wrong, message in (([*command[:3], "--seeds", "9-1", "--out", out], "are no seeds"),
                        (["recommend", "report", "ecad"], "holds no results of a study")):  # fmt: skip
        assert main(wrong) == 2
        assert message in capsys.readouterr().err
