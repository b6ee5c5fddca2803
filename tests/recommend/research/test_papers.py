"""The nine studies: each declaration and all of its arms in a tiny world; KEEP's days; models of several domains."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from recommend.research.doses import points, simulate
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
    (first, test), (second, test_too) = (d.knowledge("keep_clicks", setting) for d in (domains, changed))
    of = domains.ads.learned["day"]
    for name, before in first.items():
        assert not before[of < keep.WEEK].any()
        assert before[of >= keep.WEEK].any()
        assert torch.equal(before[of <= 9], second[name][of <= 9])
        assert not torch.equal(before[of > 9], second[name][of > 9])
        assert not torch.equal(test[name], test_too[name])
    once, once_too = (d.knowledge("keep_once", setting)[0]["knowledge_item"] for d in (domains, changed))
    assert torch.equal(once, once_too)  # all of it is from the first week
